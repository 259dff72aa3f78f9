// SPDX-License-Identifier: Apache-2.0
#include "process/snapshot_join.h"

#include <algorithm>
#include <chrono>
#include <unordered_set>
#include <utility>

namespace masflow::internal {
namespace {

using Role = ProcessRecordHead::Role;

// A record can overtake an older one of another CPU between the reading of the clock and
// the sending: by microseconds, or by what an interrupt in between takes.
constexpr std::chrono::milliseconds kMaxDisorder{10};

}  // namespace

std::size_t SnapshotJoin::Add(const ProcessRecordHead& head, std::span<const std::byte> record) {
  std::size_t superfluous = 0;
  if (head.role == Role::kSnapshot) {
    newest_entry_ = std::max(newest_entry_, head.time);
  } else if (!decided_) {
    if (head.role != Role::kMentions) {
      superfluous = std::erase_if(held_, [&](const Held& held) {
        return held.head.role == Role::kSnapshot && held.head.process == head.process &&
               held.head.time >= head.time;
      });
    }
    if (head.time > newest_entry_ && head.time - newest_entry_ > kMaxDisorder) {
      superfluous += CaughtUp();
    }
  }
  const auto place =
      std::upper_bound(held_.begin(), held_.end(), head.time,
                       [](KernelTime time, const Held& held) { return time < held.head.time; });
  held_.insert(place, Held{head, {record.begin(), record.end()}});
  return superfluous;
}

std::size_t SnapshotJoin::CaughtUp() {
  if (decided_) {
    return 0;
  }
  decided_ = true;
  std::unordered_set<ProcessId> known;
  for (const Held& held : held_) {
    if (held.head.role != Role::kMentions && !held.head.started.has_value()) {
      known.insert(held.head.process);
    }
  }
  return std::erase_if(held_, [&](const Held& held) {
    return held.head.started.has_value() && *held.head.started < newest_entry_ &&
           known.count(held.head.process) == 0;
  });
}

std::vector<std::byte> SnapshotJoin::Pop() {
  std::vector<std::byte> record = std::move(held_.front().record);
  held_.pop_front();
  return record;
}

}  // namespace masflow::internal
