// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_CGROUP_FEED_H_
#define MASFLOW_BPF_CGROUP_FEED_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "bpf/environment.h"
#include "bpf/map_memory.h"
#include "core/record_source.h"

struct masflow_workload_bpf;
struct ring_buffer;

namespace masflow::internal {

// bpf/workload.bpf.c: all cgroups of the hierarchy, as records of masflow_bpf/wire_cgroup.h.
class CgroupFeed {
 public:
  // Attaches. Errors are of use for a report only: without it ids have no paths.
  static absl::StatusOr<std::unique_ptr<CgroupFeed>> Open(const Environment& environment);
  ~CgroupFeed();
  CgroupFeed(const CgroupFeed&) = delete;
  CgroupFeed& operator=(const CgroupFeed&) = delete;

  // Hands out what has come and gone since the last call; in the first one, and after records
  // were lost, all there is. So a cgroup is told before what a record in a stream's ring says
  // of it, if that record was there when this call began.
  void Update(RecordSink& sink);

  std::vector<MapMemory> Maps() const;

 private:
  struct SkeletonDestroy {
    void operator()(masflow_workload_bpf* skeleton) const;
  };
  struct RingFree {
    void operator()(ring_buffer* ring) const;
  };

  explicit CgroupFeed(CgroupHierarchy hierarchy);
  absl::Status Start();
  std::uint64_t lost() const;
  void Walk(RecordSink& sink) const;
  static int OnSample(void* self, void* data, std::size_t size);

  const CgroupHierarchy hierarchy_;
  std::unique_ptr<masflow_workload_bpf, SkeletonDestroy> skeleton_;
  std::unique_ptr<ring_buffer, RingFree> ring_;
  RecordSink* sink_ = nullptr;  // of the Update in progress
  bool walked_ = false;
  std::uint64_t lost_seen_ = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_CGROUP_FEED_H_
