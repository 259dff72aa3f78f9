// SPDX-License-Identifier: Apache-2.0
#include "bpf/cgroup_feed.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/cgroup_walk.h"
#include "bpf/libbpf_log.h"
#include "bpf/skeleton.h"
#include "masflow_bpf/wire.h"
#include "workload.skel.h"

namespace masflow::internal {

void CgroupFeed::SkeletonDestroy::operator()(masflow_workload_bpf* skeleton) const {
  masflow_workload_bpf__destroy(skeleton);
}

void CgroupFeed::RingFree::operator()(ring_buffer* ring) const {
  ring_buffer__free(ring);
}

CgroupFeed::CgroupFeed(CgroupHierarchy hierarchy) : hierarchy_(std::move(hierarchy)) {}
CgroupFeed::~CgroupFeed() = default;

absl::StatusOr<std::unique_ptr<CgroupFeed>> CgroupFeed::Open(const Environment& environment) {
  std::unique_ptr<CgroupFeed> feed(new CgroupFeed(environment.cgroups()));
  if (absl::Status status = feed->Start(); !status.ok()) {
    return status;
  }
  return feed;
}

std::vector<MapMemory> CgroupFeed::Maps() const {
  return MemoryOfMaps(skeleton_->obj);
}

absl::Status CgroupFeed::Start() {
  LibbpfLog log;
  skeleton_.reset(OpenSkeleton(masflow_workload_bpf__create_skeleton));
  if (skeleton_ == nullptr) {
    return log.Attach(ErrnoStatus(errno, "cannot open the workload object"));
  }
  skeleton_->rodata->hierarchy_id = hierarchy_.number;
  if (const int error = -masflow_workload_bpf__load(skeleton_.get()); error != 0) {
    return log.Attach(ErrnoStatus(error, "cannot load the programs that follow cgroups"));
  }
  if (absl::Status status = CheckData(*skeleton_->skeleton); !status.ok()) {
    return status;
  }
  if (const int error = -masflow_workload_bpf__attach(skeleton_.get()); error != 0) {
    return log.Attach(ErrnoStatus(error, "cannot attach to cgroup_mkdir and cgroup_rmdir"));
  }
  ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.cgroup_ring), &CgroupFeed::OnSample,
                               this, nullptr));
  return ring_ != nullptr ? absl::OkStatus()
                          : ErrnoStatus(errno, "cannot map the ring buffer of the cgroups");
}

std::uint64_t CgroupFeed::lost() const {
  return __atomic_load_n(&skeleton_->bss->cgroup_state.lost, __ATOMIC_RELAXED);
}

void CgroupFeed::Update(RecordSink& sink) {
  // Before the ring: what is gone since is told to be gone after it was found.
  if (const std::uint64_t now_lost = lost(); !walked_ || now_lost != lost_seen_) {
    walked_ = true;
    lost_seen_ = now_lost;
    Walk(sink);
  }
  sink_ = &sink;
  ring_buffer__consume(ring_.get());
}

void CgroupFeed::Walk(RecordSink& sink) const {
  std::vector<std::byte> record;
  WalkCgroups(hierarchy_.mount, hierarchy_.root, [&](std::uint64_t id, std::string_view path) {
    const std::string_view kept = path.substr(0, MF_CGROUP_PATH_MAX);
    mf_cgroup head{};
    head.header.kind = MF_KIND_CGROUP_MADE;
    head.header.size = static_cast<__u32>(sizeof(head) + kept.size());
    head.id = id;
    head.path_len = static_cast<__u32>(kept.size());
    record.resize(head.header.size);
    std::memcpy(record.data(), &head, sizeof(head));
    std::memcpy(record.data() + sizeof(head), kept.data(), kept.size());
    sink.OnWorkload(record);
  });
}

int CgroupFeed::OnSample(void* self, void* data, std::size_t size) {
  static_cast<CgroupFeed*>(self)->sink_->OnWorkload(
      RecordBytes(static_cast<const std::byte*>(data), size));
  return 0;
}

}  // namespace masflow::internal
