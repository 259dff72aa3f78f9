// SPDX-License-Identifier: Apache-2.0
#include "replay/record_filter.h"

#include <chrono>
#include <cstring>
#include <vector>

namespace masflow::internal {
namespace {

struct Head {
  mf_header header;
  mf_process process;
};

bool ReadHead(RecordBytes record, Head* head) {
  if (record.size() < sizeof(*head)) {
    return false;
  }
  std::memcpy(head, record.data(), sizeof(*head));
  return head->header.kind >= MF_KIND_EXEC && head->header.kind <= MF_KIND_EXEC_FAILED;
}

ProcessId Id(std::uint32_t pid, std::uint64_t start_ns) {
  return {pid, std::chrono::nanoseconds(start_ns)};
}

}  // namespace

RecordFilter::RecordFilter(const ProcessOptions& options)
    : forks_(options.forks),
      failed_execs_(options.failed_execs),
      snapshot_(options.snapshot),
      by_pid_(!options.filter.pids.empty() || !options.filter.trees.empty()),
      by_tree_(!options.filter.trees.empty()),
      pids_(options.filter.pids.begin(), options.filter.pids.end()),
      roots_(options.filter.trees.begin(), options.filter.trees.end()),
      uids_(options.filter.uids.begin(), options.filter.uids.end()),
      comms_(options.filter.comms.begin(), options.filter.comms.end()) {}

void RecordFilter::NoteRunning(RecordBytes record) {
  Head head;
  if (ReadHead(record, &head) && head.header.kind == MF_KIND_EXEC &&
      (head.header.flags & MF_EXEC_SNAPSHOT) != 0) {
    running_.emplace(Id(head.process.ppid, head.process.parent_start_ns),
                     Id(head.header.pid, head.process.start_ns));
  }
}

void RecordFilter::JoinRunning() {
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

bool RecordFilter::Passes(RecordBytes record) {
  Head head;
  if (!ReadHead(record, &head)) {
    return true;
  }
  const auto& [header, process] = head;
  if (by_tree_) {
    FollowTrees(header, process);
  }
  const bool passes =
      Wanted(header) &&
      (!by_pid_ || Listed(header.pid, process.start_ns) ||
       (header.kind == MF_KIND_FORK && Listed(process.ppid, process.parent_start_ns))) &&
      PassesButPid(process);
  if (header.kind == MF_KIND_EXIT && by_tree_) {
    roots_.erase(header.pid);
    members_.erase(Id(header.pid, process.start_ns));
  }
  return passes;
}

bool RecordFilter::Wanted(const mf_header& header) const {
  switch (header.kind) {
    case MF_KIND_EXEC:
      return snapshot_ || (header.flags & MF_EXEC_SNAPSHOT) == 0;
    case MF_KIND_FORK:
      return forks_;
    case MF_KIND_EXEC_FAILED:
      return failed_execs_;
    default:
      return true;
  }
}

bool RecordFilter::Listed(std::uint32_t pid, std::uint64_t start_ns) const {
  return pids_.contains(pid) || InTree(pid, start_ns);
}

bool RecordFilter::InTree(std::uint32_t pid, std::uint64_t start_ns) const {
  return roots_.contains(pid) || members_.contains(Id(pid, start_ns));
}

bool RecordFilter::PassesButPid(const mf_process& process) const {
  const std::string_view comm(process.comm, strnlen(process.comm, sizeof(process.comm)));
  return (uids_.empty() || uids_.contains(process.uid)) &&
         (comms_.empty() || comms_.contains(comm));
}

void RecordFilter::FollowTrees(const mf_header& header, const mf_process& process) {
  if (!roots_.contains(header.pid) && InTree(process.ppid, process.parent_start_ns)) {
    members_.insert(Id(header.pid, process.start_ns));
  }
}

}  // namespace masflow::internal
