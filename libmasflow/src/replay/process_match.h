// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_PROCESS_MATCH_H_
#define MASFLOW_REPLAY_PROCESS_MATCH_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "core/record_source.h"
#include "masflow/events.h"
#include "masflow/process_stream.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

// Every record begins so.
struct RecordHead {
  mf_header header;
  mf_process process;
};

// What bpf/filter.bpf.h does in the kernel, done to recorded records: all of ProcessFilter
// but cgroups.
//
// A tree starts at a pid. Below it processes are told apart by their identity, and a
// process joins by its fork or by any other record that names a member as its parent:
// a recording need not hold the forks.
class ProcessMatch {
 public:
  explicit ProcessMatch(const ProcessFilter& filter);

  bool lets_all_pass() const { return !by_pid_ && uids_.empty() && comms_.empty(); }

  // Where trees are followed, the process records of the snapshot, before any of the
  // following: they come by pid, which is not the order of descent. Joined at the end of
  // them all.
  bool follows_trees() const { return by_tree_; }
  void NoteRunning(RecordBytes record);
  void JoinRunning();

  // Each record that names a process, in order, before it is judged. Of the other streams
  // too: their records may come after the end of their process, for rings are emptied one
  // after the other.
  void Follow(const RecordHead& head);

  // The process of the record passes, by its pid and by all else.
  bool Passes(const RecordHead& head) const;
  // Its parent does by its pid, and the process by all else.
  bool PassesByParent(const RecordHead& head) const;

 private:
  bool Listed(std::uint32_t pid, std::uint64_t start_ns) const;
  bool InTree(std::uint32_t pid, std::uint64_t start_ns) const;
  bool PassesButPid(const mf_process& process) const;
  void NoteEnd(const RecordHead& head);

  const bool by_pid_;  // or by tree
  const bool by_tree_;
  std::unordered_set<std::uint32_t> pids_;
  std::unordered_set<std::uint32_t> roots_;  // those that have not ended
  std::unordered_set<ProcessId> members_;    // below them, and roots that have ended
  std::deque<ProcessId> ended_;              // members for a while yet
  std::unordered_set<std::uint32_t> uids_;
  std::set<std::string, std::less<>> comms_;
  std::unordered_multimap<ProcessId, ProcessId> running_;  // parent to child, until joined
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_PROCESS_MATCH_H_
