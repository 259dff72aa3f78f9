// SPDX-License-Identifier: Apache-2.0
#include "workload/attribution.h"

#include <optional>
#include <utility>
#include <variant>

#include "wire/workload_record.h"

namespace masflow::internal {

Attribution::Attribution(WorkloadFilter filter, std::function<void(std::uint64_t, bool)> mute)
    : match_(std::move(filter)), mute_(std::move(mute)) {}

void Attribution::OnNews(std::span<const std::byte> record) {
  const std::optional<WorkloadNews> news = DecodeWorkload(record);
  if (!news.has_value()) {
    return;
  }
  changed_.clear();
  table_.Apply(*news, &changed_);
  cgroups_.store(table_.cgroups(), std::memory_order_relaxed);
  pods_.store(table_.pods(), std::memory_order_relaxed);
  if (!match_.active()) {
    return;
  }
  for (const std::uint64_t cgroup_id : changed_) {
    MuteOrNot(cgroup_id);
  }
  if (const auto* gone = std::get_if<CgroupGone>(&*news)) {
    mute_(gone->id, false);  // makes room
  }
}

// Names can be corrected, so what was muted can be wanted again.
void Attribution::MuteOrNot(std::uint64_t cgroup_id) {
  const WorkloadMatch::Verdict verdict = match_.Judge(table_.Find(cgroup_id).workload);
  mute_(cgroup_id, verdict == WorkloadMatch::Verdict::kNo);
}

WorkloadStats Attribution::stats() const {
  return {.cgroups = cgroups_.load(std::memory_order_relaxed),
          .pods = pods_.load(std::memory_order_relaxed),
          .unknown = unknown_.load(std::memory_order_relaxed)};
}

}  // namespace masflow::internal
