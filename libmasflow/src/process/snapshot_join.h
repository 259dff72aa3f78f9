// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_PROCESS_SNAPSHOT_JOIN_H_
#define MASFLOW_PROCESS_SNAPSHOT_JOIN_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "masflow/events.h"
#include "wire/process_record.h"

namespace masflow::internal {

// Joins the snapshot of what already runs to the live records, without gap or double.
//
// The hooks are attached first and the snapshot is taken then, so both may tell of one
// process. A live record of a process that is older than its snapshot entry has
// announced it already (it started, or ended, in between): the entry is dropped. The end
// of a process that was gone before the snapshot could find it is dropped too: to the
// host it has never been. The rest is delivered in order of time. That is decided as
// soon as a live record is clearly younger than the whole snapshot, or the stream has
// caught up; from then on the joiner only holds what is still to be delivered.
class SnapshotJoin {
 public:
  // Any record, in the order in which the source hands them out: first the snapshot.
  // Returns the number of records that it makes superfluous.
  std::size_t Add(const ProcessRecordHead& head, std::span<const std::byte> record);
  // No live record is older than the snapshot any more. Returns as Add.
  std::size_t CaughtUp();

  // Nothing to join and nothing held: records may pass by.
  bool idle() const { return decided_ && held_.empty(); }
  // The oldest held record may be delivered.
  bool ready() const { return decided_ && !held_.empty(); }
  // Takes the oldest held record. Only if ready().
  std::vector<std::byte> Pop();

 private:
  struct Held {
    ProcessRecordHead head;
    std::vector<std::byte> record;
  };

  std::deque<Held> held_;  // by time
  KernelTime newest_entry_{};
  bool decided_ = false;
};

}  // namespace masflow::internal

#endif  // MASFLOW_PROCESS_SNAPSHOT_JOIN_H_
