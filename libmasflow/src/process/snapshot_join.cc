// SPDX-License-Identifier: Apache-2.0
#include "process/snapshot_join.h"

#include <algorithm>
#include <utility>

namespace masflow::internal {

std::size_t SnapshotJoin::Add(const ProcessId& process, KernelTime time, bool snapshot,
                              std::span<const std::byte> record) {
  std::size_t superfluous = 0;
  if (snapshot) {
    newest_entry_ = std::max(newest_entry_, time);
  } else if (!decided_) {
    superfluous = std::erase_if(held_, [&](const Held& held) {
      return held.snapshot && held.process == process && held.time >= time;
    });
    decided_ = time > newest_entry_;
  }
  const auto place = std::upper_bound(held_.begin(), held_.end(), time,
                                      [](KernelTime t, const Held& held) { return t < held.time; });
  held_.insert(place, Held{process, time, snapshot, {record.begin(), record.end()}});
  return superfluous;
}

std::vector<std::byte> SnapshotJoin::Pop() {
  std::vector<std::byte> record = std::move(held_.front().record);
  held_.pop_front();
  return record;
}

}  // namespace masflow::internal
