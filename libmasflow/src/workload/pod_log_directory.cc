// SPDX-License-Identifier: Apache-2.0
#include "workload/pod_log_directory.h"

#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace masflow::internal {
namespace {

constexpr std::size_t kPods = 0;
constexpr std::size_t kContainers = 1;
// In one Update(): about a millisecond of work, and all there is on a usual node.
constexpr std::size_t kEntriesATurn = 600;
constexpr std::size_t kMaxEarlyPods = 10'000;
constexpr std::size_t kMaxContainers = 1024;  // of a pod

std::string Key(std::string_view pod_namespace, std::string_view name) {
  return std::string(pod_namespace) + "/" + std::string(name);
}

PodNames::Container* FindContainer(std::vector<PodNames::Container>& containers,
                                   std::string_view id) {
  const auto found = std::find_if(containers.begin(), containers.end(),
                                  [&](const PodNames::Container& c) { return c.id == id; });
  return found == containers.end() ? nullptr : &*found;
}

}  // namespace

// What the watch tells, taken at once.
class PodLogDirectory::Changes final : public DirectoryWatch::Listener {
 public:
  Changes(PodLogDirectory& directory, NameSink& sink) : directory_(directory), sink_(sink) {}

  void OnEntry(std::size_t directory, std::string_view name, bool is_directory,
               bool came) override {
    if (directory == kPods) {
      if (const auto pod = is_directory ? ParsePodDirectory(name) : std::nullopt) {
        came ? directory_.PodCame(*pod, sink_) : directory_.PodWent(*pod, sink_);
      }
    } else if (const auto log = ParseContainerLog(name)) {
      came ? directory_.AddContainer(*log, sink_) : directory_.RemoveContainer(*log);
    }
  }
  void OnAnew(std::size_t directory) override { directory_.LookAnew(directory); }

 private:
  PodLogDirectory& directory_;
  NameSink& sink_;
};

PodLogDirectory::PodLogDirectory(UniqueFd inotify, std::string pods, std::string containers,
                                 std::size_t max_pods)
    : max_pods_(max_pods),
      watch_(std::move(inotify), {std::move(pods), std::move(containers)}),
      state_(watch_.state(kPods)) {}

absl::StatusOr<std::unique_ptr<PodLogDirectory>> PodLogDirectory::Open(std::string pods,
                                                                       std::string containers,
                                                                       std::size_t max_pods) {
  UniqueFd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) {
    return absl::ErrnoToStatus(errno, "cannot watch " + pods + " (inotify)");
  }
  return std::unique_ptr<PodLogDirectory>(
      new PodLogDirectory(std::move(inotify), std::move(pods), std::move(containers), max_pods));
}

// Changes first: what came since is not held up by a look through a large directory.
bool PodLogDirectory::Update(NameSink& sink) {
  Changes changes(*this, sink);
  const bool more_changes = watch_.Read(changes);
  for (std::size_t entries = 0; looking() && entries < kEntriesATurn;) {
    entries += Look(sink);
  }
  if (!looking()) {
    SetState(Judge(), sink);
  }
  return more_changes || looking();
}

// Containers with their pods: a pod that comes again has lost them.
void PodLogDirectory::LookAnew(std::size_t directory) {
  Begin(kContainers, &container_scan_);
  if (directory == kPods) {
    ++look_;
    full_ = false;
    unseen_.clear();
    went_.clear();
    Begin(kPods, &pod_scan_);
    if (!pod_scan_.active()) {
      EndLookAtPods();
    }
  }
}

void PodLogDirectory::Begin(std::size_t directory, DirectoryScan* scan) const {
  *scan = {};
  if (watch_.there(directory)) {
    static_cast<void>(scan->Open(watch_.path(directory)));  // keeps the error
  }
}

bool PodLogDirectory::looking() const {
  return pod_scan_.active() || !unseen_.empty() || container_scan_.active();
}

std::size_t PodLogDirectory::Look(NameSink& sink) {
  if (!unseen_.empty()) {
    const std::string uid = std::move(unseen_.back());
    unseen_.pop_back();
    const auto pod = pods_.find(uid);
    if (pod != pods_.end() && pod->second.seen != look_) {  // it may have come again meanwhile
      ForgetPod(uid, sink);
    }
    return 1;
  }
  if (pod_scan_.active()) {
    const std::size_t entries = pod_scan_.Next([&](std::string_view name, bool is_directory) {
      const auto pod = is_directory ? ParsePodDirectory(name) : std::nullopt;
      if (pod.has_value() && !went_.contains(std::string(pod->uid))) {
        AddPod(*pod, sink);
      }
    });
    if (!pod_scan_.active()) {
      EndLookAtPods();
    }
    return entries;
  }
  return container_scan_.Next([&](std::string_view name, bool) {
    if (const auto log = ParseContainerLog(name)) {
      AddContainer(*log, sink);
    }
  });
}

void PodLogDirectory::EndLookAtPods() {
  went_.clear();
  if (pod_scan_.error() != 0) {
    return;  // what was not seen may be there
  }
  for (const auto& [uid, pod] : pods_) {
    if (pod.seen != look_) {
      unseen_.push_back(uid);
    }
  }
}

void PodLogDirectory::PodCame(const PodDirectoryName& name, NameSink& sink) {
  went_.erase(std::string(name.uid));
  AddPod(name, sink);
}

void PodLogDirectory::PodWent(const PodDirectoryName& name, NameSink& sink) {
  const std::string uid(name.uid);
  const auto pod = pods_.find(uid);
  const bool known = pod != pods_.end();
  if (known && (pod->second.name != name.name || pod->second.pod_namespace != name.pod_namespace)) {
    return;
  }
  if (pod_scan_.active()) {
    went_.insert(uid);
  }
  if (known) {
    ForgetPod(uid, sink);
  }
  if (went_.size() > max_pods_) {
    LookAnew(kPods);
  }
}

void PodLogDirectory::AddPod(const PodDirectoryName& name, NameSink& sink) {
  std::string uid(name.uid);
  if (const auto known = pods_.find(uid); known != pods_.end()) {
    Pod& pod = known->second;
    if (pod.name == name.name && pod.pod_namespace == name.pod_namespace) {
      pod.seen = look_;
    }
    return;
  }
  if (pods_.size() >= max_pods_) {
    full_ = true;
    return;
  }
  std::string key = Key(name.pod_namespace, name.name);
  Pod& pod = pods_[uid];
  pod = {.pod_namespace = std::string(name.pod_namespace),
         .name = std::string(name.name),
         .containers = {},
         .seen = look_};
  if (const auto early = early_containers_.find(key); early != early_containers_.end()) {
    pod.containers = std::move(early->second);
    early_containers_.erase(early);
  }
  Tell(uid, sink);
  uids_[std::move(key)] = std::move(uid);
}

void PodLogDirectory::ForgetPod(const std::string& uid, NameSink& sink) {
  const auto pod = pods_.find(uid);
  // Another pod of the same name may have come before this one went (a StatefulSet's).
  const auto named = uids_.find(Key(pod->second.pod_namespace, pod->second.name));
  if (named != uids_.end() && named->second == uid) {
    uids_.erase(named);
  }
  pods_.erase(pod);
  sink.OnPodGone(uid);
  // There is room again for those that found none. Not at each that goes: a look is long.
  if (full_ && pods_.size() < max_pods_ - max_pods_ / 10 && unseen_.empty() &&
      !pod_scan_.active()) {
    LookAnew(kPods);
  }
}

void PodLogDirectory::AddContainer(const ContainerLogName& log, NameSink& sink) {
  const std::string key = Key(log.pod_namespace, log.pod_name);
  const auto uid = uids_.find(key);
  const bool early = uid == uids_.end();
  if (early && early_containers_.size() >= kMaxEarlyPods && !early_containers_.contains(key)) {
    return;
  }
  Containers& containers = early ? early_containers_[key] : pods_[uid->second].containers;
  if (FindContainer(containers, log.container_id) != nullptr) {
    return;
  }
  if (containers.size() >= kMaxContainers) {
    containers.erase(containers.begin());  // the oldest
  }
  containers.push_back({.id = std::string(log.container_id), .name = std::string(log.container)});
  if (!early) {
    Tell(uid->second, sink);
  }
}

// What was told of it stays told: its last events may still come.
void PodLogDirectory::RemoveContainer(const ContainerLogName& log) {
  const std::string key = Key(log.pod_namespace, log.pod_name);
  const auto uid = uids_.find(key);
  const auto early = early_containers_.find(key);
  if (uid == uids_.end() && early == early_containers_.end()) {
    return;
  }
  Containers& containers =
      uid == uids_.end() ? early->second : pods_.find(uid->second)->second.containers;
  if (const PodNames::Container* gone = FindContainer(containers, log.container_id)) {
    containers.erase(containers.begin() + (gone - containers.data()));
  }
  if (uid == uids_.end() && containers.empty()) {
    early_containers_.erase(early);
  }
}

void PodLogDirectory::Tell(const std::string& uid, NameSink& sink) const {
  const Pod& pod = pods_.find(uid)->second;
  sink.OnPod({.uid = uid,
              .pod_namespace = pod.pod_namespace,
              .name = pod.name,
              .from = NamesFrom::kPodLogs,
              .containers = pod.containers});
}

absl::Status PodLogDirectory::Judge() const {
  const std::string& path = watch_.path(kPods);
  if (!watch_.state(kPods).ok()) {
    return watch_.state(kPods);
  }
  if (const int error = pod_scan_.error(); error != 0) {
    return absl::UnavailableError("cannot read " + path + ": " +
                                  std::generic_category().message(error) +
                                  ": names of pods are not all known from there");
  }
  return full_ ? absl::ResourceExhaustedError("more than " + std::to_string(max_pods_) +
                                              " pods in " + path + ": those beyond are not known")
               : absl::OkStatus();
}

void PodLogDirectory::SetState(absl::Status state, NameSink& sink) {
  if (std::exchange(state_told_, true) && state == state_) {
    return;
  }
  state_ = state;
  sink.OnState(state);
}

}  // namespace masflow::internal
