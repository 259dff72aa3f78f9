// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_PROCESS_FEED_H_
#define MASFLOW_BPF_PROCESS_FEED_H_

#include <memory>

#include <absl/status/statusor.h>

#include "bpf/environment.h"
#include "bpf/filter_maps.h"
#include "bpf/stream_feed.h"
#include "masflow/process_stream.h"

struct bpf_object_skeleton;
struct masflow_process_bpf;

namespace masflow::internal {

// bpf/process.bpf.c. The snapshot is its first backlog.
class ProcessFeed final : public StreamFeed {
 public:
  static absl::StatusOr<std::unique_ptr<StreamFeed>> Open(const Environment& environment,
                                                          const ProcessOptions& options,
                                                          const ForcedMechanisms& forced,
                                                          int muted_cgroups);
  ~ProcessFeed() override;

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
  std::unique_ptr<masflow_process_bpf, SkeletonDestroy> skeleton_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_PROCESS_FEED_H_
