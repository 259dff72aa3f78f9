// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_PROCESS_FEED_H_
#define MASFLOW_BPF_PROCESS_FEED_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "bpf/environment.h"
#include "bpf/filter_maps.h"
#include "bpf/hook_plan.h"
#include "bpf/ring_reader.h"
#include "masflow/process_stream.h"

struct masflow_process_bpf;

namespace masflow::internal {

// The process object (bpf/process.bpf.c) at work: loaded, attached, and its ring mapped.
// Detaches and unloads when destroyed.
class ProcessFeed {
 public:
  static absl::StatusOr<std::unique_ptr<ProcessFeed>> Open(const Environment& environment,
                                                           const ProcessOptions& options,
                                                           const ForcedMechanisms& forced);
  ~ProcessFeed();

  RingReader& ring() { return *ring_; }
  const RingReader& ring() const { return *ring_; }

  // The snapshot, still to be handed out, in front of the ring.
  std::deque<std::vector<std::byte>>& backlog() { return backlog_; }
  std::uint64_t snapshot_size() const { return snapshot_size_; }

  // Runs of the hooks that the kernel skipped because the same program was already running
  // on that CPU (counted from 5.12). Some of them might not have passed the filter.
  std::uint64_t MissedRuns() const;

  std::vector<HookSupport> Report() const { return plan_->Report(); }

 private:
  struct SkeletonDestroy {
    void operator()(masflow_process_bpf* skeleton) const;
  };

  ProcessFeed(const ProcessOptions& options, FilterMaps filter);
  absl::StatusOr<bpf_object_skeleton*> OpenObject(const Environment& environment);
  absl::Status Start(const Environment& environment, const ForcedMechanisms& forced);
  absl::Status TakeBacklog();

  const ProcessOptions options_;
  const FilterMaps filter_;
  // In this order: links and mappings go before the object.
  std::unique_ptr<masflow_process_bpf, SkeletonDestroy> skeleton_;
  std::unique_ptr<HookPlan> plan_;
  std::unique_ptr<RingReader> ring_;
  std::deque<std::vector<std::byte>> backlog_;
  std::uint64_t snapshot_size_ = 0;
  std::vector<int> counted_programs_;  // descriptors, for MissedRuns
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_PROCESS_FEED_H_
