// SPDX-License-Identifier: Apache-2.0
#include "workload/pod_log_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include "workload/pod_log_names.h"

namespace masflow::internal {
namespace {

constexpr std::uint32_t kEntries = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t kItself = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
constexpr std::size_t kMaxEarlyPods = 10'000;
constexpr std::size_t kMaxContainers = 1024;  // of a pod

std::string Key(std::string_view pod_namespace, std::string_view name) {
  return std::string(pod_namespace) + "/" + std::string(name);
}

struct DirClose {
  void operator()(DIR* directory) const { closedir(directory); }
};

bool IsDirectory(DIR* directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type == DT_DIR;
  }
  struct stat info {};
  return fstatat(dirfd(directory), entry.d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISDIR(info.st_mode);
}

// errno, or 0.
int ForEachEntry(const std::string& path,
                 const std::function<void(std::string_view name, bool is_directory)>& found) {
  const std::unique_ptr<DIR, DirClose> directory(opendir(path.c_str()));
  if (directory == nullptr) {
    return errno;
  }
  while (const dirent* const entry = readdir(directory.get())) {
    found(entry->d_name, IsDirectory(directory.get(), *entry));
  }
  return 0;
}

std::string Parent(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

absl::Status Unreadable(int error, const std::string& path) {
  const std::string why = std::generic_category().message(error);
  return error == EACCES || error == EPERM
             ? absl::PermissionDeniedError("cannot read " + path + ": " + why +
                                           ": names of pods are not known from there")
             : absl::UnavailableError("cannot watch " + path + ": " + why +
                                      ": names of pods are not known from there");
}

}  // namespace

PodLogDirectory::PodLogDirectory(UniqueFd inotify, std::string pods, std::string containers,
                                 std::size_t max_pods)
    : inotify_(std::move(inotify)),
      max_pods_(max_pods),
      pods_directory_{.path = WithoutSlash(std::move(pods))},
      containers_directory_{.path = WithoutSlash(std::move(containers))} {}

absl::StatusOr<std::unique_ptr<PodLogDirectory>> PodLogDirectory::Open(std::string pods,
                                                                       std::string containers,
                                                                       std::size_t max_pods) {
  UniqueFd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) {
    return absl::ErrnoToStatus(errno, "cannot watch " + pods + " (inotify)");
  }
  std::unique_ptr<PodLogDirectory> directory(
      new PodLogDirectory(std::move(inotify), std::move(pods), std::move(containers), max_pods));
  // So that the descriptor tells of what comes before the first Update().
  directory->state_ = directory->Watch(&directory->pods_directory_);
  static_cast<void>(directory->Watch(&directory->containers_directory_));
  return directory;
}

void PodLogDirectory::Update(NameSink& sink) {
  ReadEvents(sink);
  if (std::exchange(rescan_, false)) {
    Rescan(sink);
  }
}

void PodLogDirectory::ReadEvents(NameSink& sink) {
  alignas(inotify_event) std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) {
      return;  // EAGAIN
    }
    for (ssize_t at = 0; at < size;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* const name = buffer.data() + at + sizeof(event);
      TakeEvent(event.wd, event.mask, std::string_view(name, strnlen(name, event.len)), sink);
      at += static_cast<ssize_t>(sizeof(event) + event.len);
    }
  }
}

void PodLogDirectory::TakeEvent(int watch, unsigned mask, std::string_view name, NameSink& sink) {
  const bool of_pods = pods_directory_.there && watch == pods_directory_.watch;
  const bool of_containers = containers_directory_.there && watch == containers_directory_.watch;
  if ((mask & IN_Q_OVERFLOW) != 0 || (mask & kItself) != 0 || (!of_pods && !of_containers)) {
    rescan_ = true;  // also where it was a directory above that has changed
    return;
  }
  if (rescan_) {
    return;  // that will tell
  }
  const bool came = (mask & (IN_CREATE | IN_MOVED_TO)) != 0;
  if (of_pods && (mask & IN_ISDIR) != 0) {  // not set for a link
    came ? AddPod(name, sink) : RemovePod(name, sink);
  } else if (of_containers && came) {
    AddContainer(name, sink);
  }
}

absl::Status PodLogDirectory::Watch(Watched* directory) {
  directory->there = false;
  if (directory->path.empty()) {
    return absl::OkStatus();
  }
  std::string path = directory->path;
  for (;;) {
    const bool itself = path == directory->path;
    const int watch = inotify_add_watch(inotify_.get(), path.c_str(),
                                        kEntries | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    if (watch >= 0) {
      directory->watch = watch;
      directory->there = itself;
      return itself ? absl::OkStatus()
                    : absl::NotFoundError("there is no " + directory->path +
                                          ": names of pods are not known from there (yet)");
    }
    if ((errno != ENOENT && errno != ENOTDIR) || path == "/" || path == ".") {
      return Unreadable(errno, path);
    }
    path = Parent(path);
  }
}

void PodLogDirectory::Rescan(NameSink& sink) {
  full_ = false;
  absl::Status state = Watch(&pods_directory_);
  static_cast<void>(Watch(&containers_directory_));  // may be missing: then names of containers are
  state.Update(ScanPods(sink));
  ScanContainers(sink);
  if (state.ok() && full_) {
    state = absl::ResourceExhaustedError("more than " + std::to_string(max_pods_) + " pods in " +
                                         pods_directory_.path + ": those beyond are not known");
  }
  SetState(std::move(state), sink);
}

absl::Status PodLogDirectory::ScanPods(NameSink& sink) {
  absl::flat_hash_set<std::string> seen;
  int error = 0;
  if (pods_directory_.there) {
    error = ForEachEntry(pods_directory_.path, [&](std::string_view name, bool is_directory) {
      const auto pod = is_directory ? ParsePodDirectory(name) : std::nullopt;
      if (pod.has_value()) {
        AddPod(name, sink);
        seen.insert(std::string(pod->uid));
      }
    });
  }
  std::vector<std::string> gone;
  for (const auto& [uid, pod] : pods_) {
    if (!seen.contains(uid)) {
      gone.push_back(pod.pod_namespace + "_" + pod.name + "_" + uid);
    }
  }
  for (const std::string& entry : gone) {
    RemovePod(entry, sink);
  }
  return error == 0 ? absl::OkStatus() : Unreadable(error, pods_directory_.path);
}

void PodLogDirectory::ScanContainers(NameSink& sink) {
  if (containers_directory_.there) {
    static_cast<void>(ForEachEntry(containers_directory_.path,
                                   [&](std::string_view name, bool) { AddContainer(name, sink); }));
  }
}

void PodLogDirectory::AddPod(std::string_view entry, NameSink& sink) {
  const std::optional<PodDirectoryName> name = ParsePodDirectory(entry);
  if (!name.has_value() || pods_.contains(std::string(name->uid))) {
    return;
  }
  if (pods_.size() >= max_pods_) {
    full_ = true;
    return;
  }
  std::string key = Key(name->pod_namespace, name->name);
  PodNames pod{.uid = std::string(name->uid),
               .pod_namespace = std::string(name->pod_namespace),
               .name = std::string(name->name),
               .from = NamesFrom::kPodLogs};
  if (const auto early = early_containers_.find(key); early != early_containers_.end()) {
    pod.containers = std::move(early->second);
    early_containers_.erase(early);
  }
  uids_[std::move(key)] = pod.uid;
  sink.OnPod(pods_[pod.uid] = pod);
}

void PodLogDirectory::RemovePod(std::string_view entry, NameSink& sink) {
  const std::optional<PodDirectoryName> name = ParsePodDirectory(entry);
  if (!name.has_value()) {
    return;
  }
  const std::string uid(name->uid);
  if (pods_.erase(uid) == 0) {
    return;
  }
  // Another pod of the same name may have come before this one went (a StatefulSet's).
  const auto named = uids_.find(Key(name->pod_namespace, name->name));
  if (named != uids_.end() && named->second == uid) {
    uids_.erase(named);
  }
  sink.OnPodGone(uid);
}

void PodLogDirectory::AddContainer(std::string_view entry, NameSink& sink) {
  const std::optional<ContainerLogName> log = ParseContainerLog(entry);
  if (!log.has_value()) {
    return;
  }
  const std::string key = Key(log->pod_namespace, log->pod_name);
  const auto uid = uids_.find(key);
  const bool early = uid == uids_.end();
  if (early && early_containers_.size() >= kMaxEarlyPods && !early_containers_.contains(key)) {
    return;
  }
  std::vector<PodNames::Container>& containers =
      early ? early_containers_[key] : pods_[uid->second].containers;
  const auto known =
      std::find_if(containers.begin(), containers.end(),
                   [&](const PodNames::Container& c) { return c.id == log->container_id; });
  if (known != containers.end() || containers.size() >= kMaxContainers) {
    return;
  }
  containers.push_back({.id = std::string(log->container_id), .name = std::string(log->container)});
  if (!early) {
    sink.OnPod(pods_[uid->second]);
  }
}

void PodLogDirectory::SetState(absl::Status state, NameSink& sink) {
  if (std::exchange(state_told_, true) && state == state_) {
    return;
  }
  state_ = state;
  sink.OnState(state);
}

}  // namespace masflow::internal
