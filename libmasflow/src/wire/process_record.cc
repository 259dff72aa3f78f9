// SPDX-License-Identifier: Apache-2.0
#include "wire/process_record.h"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <utility>

#include "wire/read_record.h"

namespace masflow::internal {
namespace {

using Bytes = RecordSpan;

// Takes `size` bytes off the front of *rest; false if there are not so many.
bool TakeText(Bytes* rest, std::size_t size, std::string_view* text) {
  if (rest->size() < size) {
    return false;
  }
  *text = {reinterpret_cast<const char*>(rest->data()), size};
  *rest = rest->subspan(size);
  return true;
}

ProcessRecordHead::Role RoleOf(const mf_header& header) {
  using Role = ProcessRecordHead::Role;
  switch (header.kind) {
    case MF_KIND_EXEC:
      return (header.flags & MF_EXEC_SNAPSHOT) != 0 ? Role::kSnapshot : Role::kAnnounces;
    case MF_KIND_EXIT:
    case MF_KIND_FORK:
      return Role::kAnnounces;
    default:
      return Role::kMentions;
  }
}

}  // namespace

std::optional<ProcessRecordHead> PeekProcessRecord(Bytes record) {
  struct {
    mf_header header;
    mf_process process;
  } fixed;
  if (!CopyFront(record, &fixed)) {
    return std::nullopt;
  }
  ProcessRecordHead head{.process = Id(fixed.header.pid, fixed.process.start_ns),
                         .time = Time(fixed.header),
                         .role = RoleOf(fixed.header)};
  mf_exit exit;
  if (fixed.header.kind == MF_KIND_EXIT && CopyFront(record, &exit)) {
    // Unsigned, for a damaged record may hold any numbers.
    head.started = KernelTime(std::chrono::nanoseconds(exit.header.ktime_ns - exit.duration_ns));
  }
  return head;
}

std::optional<ProcessRecordView> ProcessDecoder::Decode(Bytes record) {
  mf_header header;
  if (!CopyFront(record, &header)) {
    return std::nullopt;
  }
  switch (header.kind) {
    case MF_KIND_EXEC:
      return DecodeExec(record);
    case MF_KIND_EXIT:
      return DecodeExit(record);
    case MF_KIND_FORK:
      return DecodeFork(record);
    case MF_KIND_EXEC_FAILED:
      return DecodeExecFailure(record);
    default:
      return std::nullopt;
  }
}

std::optional<ProcessRecordView> ProcessDecoder::DecodeExec(Bytes record) {
  mf_exec wire;
  if (!ReadFixed(record, &wire)) {
    return std::nullopt;
  }
  Bytes rest = record.subspan(sizeof(wire));
  const auto has = [&](std::uint16_t flag) { return (wire.header.flags & flag) != 0; };
  ProcessExecView e;
  std::string_view components;
  std::string_view args;
  if (!TakeText(&rest, wire.filename_len, &e.filename) ||
      !TakeText(&rest, wire.path_len, &components) || !TakeText(&rest, wire.args_len, &args) ||
      !rest.empty() || wire.args_len > wire.args_total) {
    return std::nullopt;
  }
  e.time = Time(wire.header);
  e.process = ReadProcess(wire.header, wire.process, &comm_);
  e.tid = wire.header.tid;
  e.euid = wire.euid;
  e.egid = wire.egid;
  e.filename_truncated = has(MF_EXEC_FILENAME_CUT);
  if (!has(MF_EXEC_NO_PATH)) {
    std::string_view path;
    const bool off_tree = has(MF_EXEC_PATH_OFF_TREE);
    if (!JoinPath(components, wire.path_parts, off_tree, &path)) {
      return std::nullopt;
    }
    e.executable = path;
    e.executable_truncated = has(MF_EXEC_PATH_CUT) || (off_tree && wire.path_parts > 1);
    e.executable_unlinked = has(MF_EXEC_UNLINKED);
  }
  if (!has(MF_EXEC_NO_ARGS)) {
    e.args = args;
    e.args_total_bytes = wire.args_total;
  }
  e.pre_existing = has(MF_EXEC_SNAPSHOT);
  return e;
}

// The kernel walks from the file up to the root, so the components come last one first.
// Off the tree that is a bare name, or a path out of its mount (a directory moved out of a
// bind mount): its last component is the root of the file system, which has no name.
bool ProcessDecoder::JoinPath(std::string_view components, std::size_t parts, bool off_tree,
                              std::string_view* path) {
  if (components.size() > MF_PATH_MAX) {
    return false;
  }
  const bool bare_name = off_tree && parts == 1;
  std::size_t begin = path_.size();
  std::size_t seen = 0;
  while (!components.empty()) {
    const std::size_t end = components.find('\0');
    if (end == std::string_view::npos) {
      return false;
    }
    ++seen;
    if (const bool root = off_tree && !bare_name && seen == parts; !root) {
      begin -= end;
      std::memcpy(path_.data() + begin, components.data(), end);
      if (!bare_name) {
        path_[--begin] = '/';
      }
    }
    components.remove_prefix(end + 1);
  }
  if (seen != parts || (off_tree && seen == 0)) {
    return false;
  }
  *path = {path_.data() + begin, path_.size() - begin};
  return true;
}

std::optional<ProcessRecordView> ProcessDecoder::DecodeExit(Bytes record) {
  mf_exit wire;
  if (!ReadWhole(record, &wire)) {
    return std::nullopt;
  }
  ProcessExitView e;
  e.time = Time(wire.header);
  e.process = ReadProcess(wire.header, wire.process, &comm_);
  if (const std::uint32_t signal = wire.status & 0x7f; signal != 0) {
    e.signal = static_cast<std::uint8_t>(signal);
    e.core_dumped = (wire.status & 0x80) != 0;
  } else {
    e.exit_code = static_cast<std::uint8_t>(wire.status >> 8);
  }
  e.duration = std::chrono::nanoseconds(wire.duration_ns);
  return e;
}

std::optional<ProcessRecordView> ProcessDecoder::DecodeFork(Bytes record) {
  mf_fork wire;
  if (!ReadWhole(record, &wire)) {
    return std::nullopt;
  }
  ProcessForkView e;
  e.time = Time(wire.header);
  e.process = ReadProcess(wire.header, wire.process, &comm_);
  e.parent_tid = wire.parent_tid;
  return e;
}

std::optional<ProcessRecordView> ProcessDecoder::DecodeExecFailure(Bytes record) {
  mf_exec_failed wire;
  if (!ReadFixed(record, &wire)) {
    return std::nullopt;
  }
  Bytes rest = record.subspan(sizeof(wire));
  std::string_view filename;
  if (!TakeText(&rest, wire.filename_len, &filename) || !rest.empty()) {
    return std::nullopt;
  }
  ProcessExecFailureView e;
  e.time = Time(wire.header);
  e.process = ReadProcess(wire.header, wire.process, &comm_);
  e.tid = wire.header.tid;
  e.error = static_cast<int>(wire.error);
  if ((wire.header.flags & MF_EXEC_FAILED_NO_FILENAME) == 0) {
    e.filename = filename;
    e.filename_truncated = (wire.header.flags & MF_EXEC_FAILED_FILENAME_CUT) != 0;
  }
  return e;
}

}  // namespace masflow::internal
