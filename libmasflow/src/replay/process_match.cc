// SPDX-License-Identifier: Apache-2.0
#include "replay/process_match.h"

#include <string_view>
#include <vector>

#include "wire/read_record.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kEndedMembers = 1 << 16;

}  // namespace

ProcessMatch::ProcessMatch(const ProcessFilter& filter)
    : by_pid_(!filter.pids.empty() || !filter.trees.empty()),
      by_tree_(!filter.trees.empty()),
      pids_(filter.pids.begin(), filter.pids.end()),
      roots_(filter.trees.begin(), filter.trees.end()),
      uids_(filter.uids.begin(), filter.uids.end()),
      comms_(filter.comms.begin(), filter.comms.end()) {}

void ProcessMatch::NoteRunning(RecordBytes record) {
  RecordHead head;
  if (CopyFront(record, &head) && head.header.kind == MF_KIND_EXEC &&
      (head.header.flags & MF_EXEC_SNAPSHOT) != 0) {
    running_.emplace(Id(head.process.ppid, head.process.parent_start_ns),
                     Id(head.header.pid, head.process.start_ns));
  }
}

void ProcessMatch::JoinRunning() {
  std::vector<ProcessId> joining;
  for (const auto& [parent, child] : running_) {
    if (roots_.contains(parent.pid)) {
      joining.push_back(child);
    }
  }
  while (!joining.empty()) {
    const ProcessId id = joining.back();
    joining.pop_back();
    if (members_.insert(id).second) {
      const auto [begin, end] = running_.equal_range(id);
      for (auto it = begin; it != end; ++it) {
        joining.push_back(it->second);
      }
    }
  }
  running_.clear();
}

void ProcessMatch::Follow(const RecordHead& head) {
  if (!by_tree_) {
    return;
  }
  const auto& [header, process] = head;
  if (!roots_.contains(header.pid) && InTree(process.ppid, process.parent_start_ns)) {
    members_.insert(Id(header.pid, process.start_ns));
  }
  if (header.kind == MF_KIND_EXIT) {
    NoteEnd(head);
  }
}

void ProcessMatch::NoteEnd(const RecordHead& head) {
  const ProcessId id = Id(head.header.pid, head.process.start_ns);
  if (roots_.erase(id.pid) != 0) {
    members_.insert(id);
  }
  if (!members_.contains(id)) {
    return;
  }
  ended_.push_back(id);
  if (ended_.size() > kEndedMembers) {
    members_.erase(ended_.front());
    ended_.pop_front();
  }
}

bool ProcessMatch::Passes(const RecordHead& head) const {
  return (!by_pid_ || Listed(head.header.pid, head.process.start_ns)) && PassesButPid(head.process);
}

bool ProcessMatch::PassesByParent(const RecordHead& head) const {
  return (!by_pid_ || Listed(head.process.ppid, head.process.parent_start_ns)) &&
         PassesButPid(head.process);
}

bool ProcessMatch::Listed(std::uint32_t pid, std::uint64_t start_ns) const {
  return pids_.contains(pid) || InTree(pid, start_ns);
}

bool ProcessMatch::InTree(std::uint32_t pid, std::uint64_t start_ns) const {
  return roots_.contains(pid) || members_.contains(Id(pid, start_ns));
}

bool ProcessMatch::PassesButPid(const mf_process& process) const {
  const std::string_view comm(process.comm, strnlen(process.comm, sizeof(process.comm)));
  return (uids_.empty() || uids_.contains(process.uid)) &&
         (comms_.empty() || comms_.contains(comm));
}

}  // namespace masflow::internal
