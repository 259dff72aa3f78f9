// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_WORKLOAD_FEED_H_
#define MASFLOW_BPF_WORKLOAD_FEED_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "bpf/cgroup_feed.h"
#include "bpf/environment.h"
#include "bpf/map_memory.h"
#include "bpf/name_queue.h"
#include "core/record_source.h"
#include "core/unique_fd.h"
#include "masflow/workload.h"
#include "workload/pod_log_directory.h"

namespace masflow::internal {

// What a session knows of workloads: cgroups from the kernel, names from the log directory and
// from the host's sources. One that does not work is reported and missed, no more: events go on
// without it. By one thread at a time, but for Report().
class WorkloadFeed {
 public:
  // Starts the sources of names. Errors: INVALID_ARGUMENT, one of them is null or refuses.
  static absl::StatusOr<std::unique_ptr<WorkloadFeed>> Create(WorkloadOptions options);
  ~WorkloadFeed();
  WorkloadFeed(const WorkloadFeed&) = delete;
  WorkloadFeed& operator=(const WorkloadFeed&) = delete;

  // Before the first stream's hooks are attached, so that no event names a cgroup that is not
  // followed. Idempotent.
  void Attach(const Environment& environment);
  // After the last stream was closed. It can be attached again.
  void Detach();

  // Readable when names are to be taken; -1: never.
  int fd() const;
  // What is known so far and was not handed out yet: all of cgroups, of names a bounded part. True:
  // there are more names, for the next call.
  bool Update(RecordSink& sink);

  // The map of the cgroups of which nothing is wanted, for the objects of the streams; -1: there
  // is no filter, or no map for it.
  int muted_cgroups() const { return muted_.get(); }
  void SetMuted(std::uint64_t cgroup_id, bool muted) const;

  // Not while it is attached or detached.
  std::vector<MapMemory> Maps() const;
  // Any thread.
  std::vector<NameSourceState> Report() const;
  // Of the host's sources, so far.
  std::uint64_t NameFailures() const;

 private:
  explicit WorkloadFeed(WorkloadOptions options);
  absl::Status StartSources();
  void OpenPodLogs();
  void SetState(std::size_t index, absl::Status state);

  const WorkloadOptions options_;
  UniqueFd muted_;
  bool attached_ = false;
  std::unique_ptr<CgroupFeed> cgroups_;
  std::unique_ptr<PodLogDirectory> pod_logs_;
  std::vector<std::unique_ptr<NameQueue>> queues_;  // one for each of the sources

  mutable std::mutex states_lock_;
  std::vector<NameSourceState> states_;  // of the cgroups, the log directory
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_WORKLOAD_FEED_H_
