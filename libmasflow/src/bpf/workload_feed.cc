// SPDX-License-Identifier: Apache-2.0
#include "bpf/workload_feed.h"

#include <cstddef>
#include <functional>
#include <utility>

#include <bpf/bpf.h>

#include "wire/workload_record.h"

namespace masflow::internal {
namespace {

constexpr std::uint32_t kMutedEntries = 65'536;  // MF_FILTER_MUTED of bpf/filter.bpf.h
constexpr std::size_t kCgroupState = 0;
constexpr std::size_t kPodLogState = 1;

// What the log directory tells, on its way.
class Forward final : public NameSink {
 public:
  Forward(RecordSink& sink, std::function<void(absl::Status)> on_state)
      : sink_(sink), on_state_(std::move(on_state)) {}

  void OnPod(PodNames pod) override { Tell(std::move(pod)); }
  void OnPodGone(const std::string& uid) override {
    Tell(PodGone{.from = NamesFrom::kPodLogs, .uid = uid});
  }
  void OnService(ServiceNames service) override { Tell(std::move(service)); }
  void OnServiceGone(const std::string& service_namespace, const std::string& name) override {
    Tell(ServiceGone{.service_namespace = service_namespace, .name = name});
  }
  void OnState(const absl::Status& state) override { on_state_(state); }

 private:
  void Tell(const WorkloadNews& news) { sink_.OnWorkload(EncodeWorkload(news)); }

  RecordSink& sink_;
  const std::function<void(absl::Status)> on_state_;
};

}  // namespace

WorkloadFeed::WorkloadFeed(WorkloadOptions options) : options_(std::move(options)) {
  states_.push_back({.source = "cgroups", .state = absl::UnavailableError("no stream was opened")});
  if (!options_.pod_logs.empty()) {
    states_.push_back({.source = "pod logs " + options_.pod_logs, .state = absl::OkStatus()});
  }
}

WorkloadFeed::~WorkloadFeed() {
  for (const std::shared_ptr<NameSource>& source : options_.sources) {
    if (source != nullptr) {
      source->Stop();  // before the queues go
    }
  }
}

absl::StatusOr<std::unique_ptr<WorkloadFeed>> WorkloadFeed::Create(WorkloadOptions options) {
  std::unique_ptr<WorkloadFeed> feed(new WorkloadFeed(std::move(options)));
  if (!feed->options_.pod_logs.empty()) {
    feed->OpenPodLogs();
  }
  if (absl::Status status = feed->StartSources(); !status.ok()) {
    return status;
  }
  return feed;
}

absl::Status WorkloadFeed::StartSources() {
  for (const std::shared_ptr<NameSource>& source : options_.sources) {
    if (source == nullptr) {
      return absl::InvalidArgumentError("WorkloadOptions::sources holds a null pointer");
    }
    queues_.push_back(std::make_unique<NameQueue>());
    if (absl::Status status = source->Start(queues_.back().get()); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

void WorkloadFeed::OpenPodLogs() {
  absl::StatusOr<std::unique_ptr<PodLogDirectory>> opened =
      PodLogDirectory::Open(options_.pod_logs, options_.container_logs);
  if (!opened.ok()) {
    SetState(kPodLogState, opened.status());
    return;
  }
  pod_logs_ = *std::move(opened);
  SetState(kPodLogState, pod_logs_->state());
}

void WorkloadFeed::Attach(const Environment& environment) {
  if (std::exchange(attached_, true)) {
    return;
  }
  absl::StatusOr<std::unique_ptr<CgroupFeed>> cgroups = CgroupFeed::Open(environment);
  SetState(kCgroupState, cgroups.status());
  if (!cgroups.ok()) {
    return;
  }
  cgroups_ = *std::move(cgroups);
  if (!options_.filter.empty()) {
    // Where there is no memory for it, the filter works without the kernel's help.
    muted_.Reset(bpf_map_create(BPF_MAP_TYPE_HASH, "filter_muted", sizeof(std::uint64_t),
                                sizeof(std::uint8_t), kMutedEntries, nullptr));
  }
}

void WorkloadFeed::Detach() {
  cgroups_.reset();
  muted_.Reset();
  attached_ = false;
}

int WorkloadFeed::fd() const {
  return pod_logs_ == nullptr ? -1 : pod_logs_->fd();
}

// The names first: the kubelet makes the directory of a pod before the cgroups of its containers.
bool WorkloadFeed::Update(RecordSink& sink) {
  bool more = false;
  if (pod_logs_ != nullptr) {
    Forward forward(sink, [this](absl::Status state) { SetState(kPodLogState, std::move(state)); });
    more = pod_logs_->Update(forward);
  }
  for (const std::unique_ptr<NameQueue>& queue : queues_) {
    queue->HandOut(sink);
  }
  if (cgroups_ != nullptr) {
    cgroups_->Update(sink);
  }
  return more;
}

void WorkloadFeed::SetMuted(std::uint64_t cgroup_id, bool muted) const {
  constexpr std::uint8_t kListed = 1;
  if (!muted_.valid()) {
    return;
  }
  if (muted) {
    bpf_map_update_elem(muted_.get(), &cgroup_id, &kListed, BPF_ANY);  // full: it goes on coming
  } else {
    bpf_map_delete_elem(muted_.get(), &cgroup_id);
  }
}

void WorkloadFeed::SetState(std::size_t index, absl::Status state) {
  std::lock_guard lock(states_lock_);
  states_[index].state = std::move(state);
}

std::vector<MapMemory> WorkloadFeed::Maps() const {
  std::vector<MapMemory> maps;
  if (cgroups_ != nullptr) {
    maps = cgroups_->Maps();
  }
  if (muted_.valid()) {
    maps.push_back(MemoryOfMap(muted_.get()));
  }
  return maps;
}

std::uint64_t WorkloadFeed::NameFailures() const {
  std::uint64_t failures = 0;
  for (const std::unique_ptr<NameQueue>& queue : queues_) {
    failures += queue->failures();
  }
  return failures;
}

std::vector<NameSourceState> WorkloadFeed::Report() const {
  std::vector<NameSourceState> report;
  {
    std::lock_guard lock(states_lock_);
    report = states_;
  }
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    report.push_back({.source = options_.sources[i]->name(), .state = queues_[i]->state()});
  }
  return report;
}

}  // namespace masflow::internal
