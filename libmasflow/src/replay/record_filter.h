// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_RECORD_FILTER_H_
#define MASFLOW_REPLAY_RECORD_FILTER_H_

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/record_source.h"
#include "masflow/events.h"
#include "masflow/process_stream.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

// What bpf/filter.bpf.h and the switches of bpf/process.bpf.c do in the kernel, done to
// recorded records: all of ProcessOptions but filter.cgroups, args_limit, ring_bytes.
//
// A tree starts at a pid. Below it processes are told apart by their identity, and a
// process joins by its fork or by any other record that names a member as its parent:
// a recording need not hold the forks.
class RecordFilter {
 public:
  explicit RecordFilter(const ProcessOptions& options);

  // Where trees are followed, the records of the snapshot, before any of Passes(): they
  // come by pid, which is not the order of descent. Joined at the end of them all.
  bool follows_trees() const { return by_tree_; }
  void NoteRunning(RecordBytes record);
  void JoinRunning();

  // Each record of the stream once, in order. One that is too short or of unknown kind
  // passes: it is for the decoder to count.
  bool Passes(RecordBytes record);

 private:
  bool Wanted(const mf_header& header) const;
  bool Listed(std::uint32_t pid, std::uint64_t start_ns) const;
  bool InTree(std::uint32_t pid, std::uint64_t start_ns) const;
  bool PassesButPid(const mf_process& process) const;
  void FollowTrees(const mf_header& header, const mf_process& process);

  const bool forks_;
  const bool failed_execs_;
  const bool snapshot_;
  const bool by_pid_;  // or by tree
  const bool by_tree_;
  std::unordered_set<std::uint32_t> pids_;
  std::unordered_set<std::uint32_t> roots_;  // those that have not ended
  std::unordered_set<ProcessId> members_;    // below them
  std::unordered_set<std::uint32_t> uids_;
  std::set<std::string, std::less<>> comms_;
  std::unordered_multimap<ProcessId, ProcessId> running_;  // parent to child, until joined
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_RECORD_FILTER_H_
