// SPDX-License-Identifier: Apache-2.0
#include "bpf/stream_feed.h"

#include <algorithm>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/missed_runs.h"

namespace masflow::internal {
namespace {

// Zeros if the kernel does not tell.
bpf_prog_info InfoOf(int program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info : bpf_prog_info{};
}

std::uint64_t SkippedRuns(int program) {
  return InfoOf(program).recursion_misses;
}

int DescriptorOf(bpf_object* object, const std::string& program) {
  return bpf_program__fd(bpf_object__find_program_by_name(object, program.c_str()));
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
      NoteAttached(object, *chosen);
      CountMissed(object, *chosen, uncounted);
    }
  }
  return absl::OkStatus();
}

void StreamFeed::NoteAttached(bpf_object* object, const HookCandidate& chosen) {
  for (const std::string& name : chosen.AllPrograms()) {
    attached_.push_back({name, DescriptorOf(object, name)});
  }
}

void StreamFeed::AddCosts(std::vector<ProgramCost>* costs) const {
  for (const Attached& attached : attached_) {
    const bpf_prog_info info = InfoOf(attached.program);
    costs->push_back({.stream = plan_->stream(),
                      .program = attached.name,
                      .runs = info.run_cnt,
                      .run_time = std::chrono::nanoseconds(info.run_time_ns)});
  }
}

void StreamFeed::CountMissed(bpf_object* object, const HookCandidate& chosen,
                             const std::vector<std::string>& uncounted) {
  for (const std::string& name : chosen.programs) {
    if (std::find(uncounted.begin(), uncounted.end(), name) != uncounted.end()) {
      continue;
    }
    Counted& counted = counted_.emplace_back();
    counted.program = DescriptorOf(object, name);
    for (const HookTwin& pair : chosen.twins) {
      if (pair.first == name) {
        counted.twin = DescriptorOf(object, pair.twin);
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
