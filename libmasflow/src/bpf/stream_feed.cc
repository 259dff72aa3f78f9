// SPDX-License-Identifier: Apache-2.0
#include "bpf/stream_feed.h"

#include <algorithm>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace masflow::internal {

StreamFeed::~StreamFeed() = default;

absl::Status StreamFeed::Begin(std::unique_ptr<HookPlan> plan, const HookPlan::OpenObject& open,
                               const HookPlan::FillMaps& fill,
                               const std::vector<std::string>& uncounted) {
  plan_ = std::move(plan);
  bpf_object* object = nullptr;
  absl::Status status = plan_->LoadAndAttach(open, [&](bpf_object* loaded) {
    object = loaded;
    return fill(loaded);
  });
  if (!status.ok()) {
    return status;
  }
  for (const std::string& name : plan_->ActivePrograms()) {
    if (std::find(uncounted.begin(), uncounted.end(), name) == uncounted.end()) {
      counted_programs_.push_back(
          bpf_program__fd(bpf_object__find_program_by_name(object, name.c_str())));
    }
  }
  return absl::OkStatus();
}

absl::Status StreamFeed::MapRing(StreamKind stream, int map_fd, std::size_t bytes,
                                 mf_ring_state* state) {
  absl::StatusOr<std::unique_ptr<RingReader>> ring =
      RingReader::Create(stream, map_fd, bytes, state);
  if (!ring.ok()) {
    return ring.status();
  }
  ring_ = *std::move(ring);
  return absl::OkStatus();
}

void StreamFeed::End() {
  ring_.reset();
  plan_.reset();
}

void StreamFeed::SetBacklog(RecordBatch batch) {
  backlog_ = std::move(batch);
  produced_beside_ += backlog_.records();
}

std::uint64_t StreamFeed::MissedRuns() const {
  std::uint64_t missed = 0;
  for (const int fd : counted_programs_) {
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0) {
      missed += info.recursion_misses;
    }
  }
  return missed;
}

}  // namespace masflow::internal
