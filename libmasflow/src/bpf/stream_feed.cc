// SPDX-License-Identifier: Apache-2.0
#include "bpf/stream_feed.h"

#include <algorithm>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/missed_runs.h"

namespace masflow::internal {
namespace {

std::uint64_t SkippedRuns(int program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.recursion_misses : 0;
}

}  // namespace

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
  maps_ = MemoryOfMaps(object);
  for (const HookCandidate* chosen : plan_->Chosen()) {
    if (!chosen->run_by_reader) {
      CountMissed(object, *chosen, uncounted);
    }
  }
  return absl::OkStatus();
}

void StreamFeed::CountMissed(bpf_object* object, const HookCandidate& chosen,
                             const std::vector<std::string>& uncounted) {
  const auto descriptor = [&](const std::string& name) {
    return bpf_program__fd(bpf_object__find_program_by_name(object, name.c_str()));
  };
  for (const std::string& name : chosen.programs) {
    if (std::find(uncounted.begin(), uncounted.end(), name) != uncounted.end()) {
      continue;
    }
    Counted& counted = counted_.emplace_back();
    counted.program = descriptor(name);
    for (const HookTwin& pair : chosen.twins) {
      if (pair.first == name) {
        counted.twin = descriptor(pair.twin);
        counted.hook = pair.hook;
      }
    }
  }
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
  for (const Counted& counted : counted_) {
    if (counted.twin < 0) {
      missed += SkippedRuns(counted.program);
      continue;
    }
    const std::uint64_t taken_over = ring_->taken_over(counted.hook);
    const std::uint64_t first = SkippedRuns(counted.program);
    missed += MissedByBoth(taken_over, first, SkippedRuns(counted.twin));
  }
  return missed;
}

}  // namespace masflow::internal
