// SPDX-License-Identifier: Apache-2.0
#include "wire/process_encode.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "masflow_bpf/wire.h"

namespace masflow::internal {
namespace {

std::uint64_t Nanoseconds(std::chrono::nanoseconds d) {
  return static_cast<std::uint64_t>(d.count());
}

std::string_view UpToNul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

mf_header Header(std::uint16_t kind, KernelTime time, const Process& process, std::uint32_t tid) {
  return {.kind = kind,
          .flags = 0,
          .size = 0,
          .ktime_ns = Nanoseconds(time.time_since_epoch()),
          .pid = process.id.pid,
          .tid = tid};
}

mf_process WireProcess(const Process& process) {
  mf_process wire = {.start_ns = Nanoseconds(process.id.start),
                     .parent_start_ns = Nanoseconds(process.parent.start),
                     .cgroup_id = process.cgroup_id,
                     .ppid = process.parent.pid,
                     .uid = process.uid,
                     .gid = process.gid,
                     .pad = 0,
                     .comm = {}};
  const std::string_view comm = UpToNul(process.comm);
  comm.copy(wire.comm, MF_COMM_LEN - 1);
  return wire;
}

// `tail` in one piece, after the fixed part; fills in the record's size.
template <class Record>
std::vector<std::byte> Assemble(Record record, std::string_view tail = {}) {
  std::vector<std::byte> bytes(sizeof(record) + tail.size());
  record.header.size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &record, sizeof(record));
  if (!tail.empty()) {
    std::memcpy(bytes.data() + sizeof(record), tail.data(), tail.size());
  }
  return bytes;
}

// Last component first, as the kernel walks it.
std::string Components(std::string_view path, mf_exec* wire) {
  std::string components;
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view part = path.substr(slash + 1);  // slash may be npos, which is -1
    path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
    if (part.empty()) {
      continue;
    }
    if (wire->path_parts == MF_PATH_PARTS_MAX ||
        components.size() + part.size() + 1 > MF_PATH_MAX) {
      wire->header.flags |= MF_EXEC_PATH_CUT;
      break;
    }
    components.append(part).push_back('\0');
    wire->path_parts += 1;
  }
  return components;
}

std::string Path(const ProcessExec& event, mf_exec* wire) {
  const auto flag = [&](bool is_set, std::uint16_t bit) {
    wire->header.flags = static_cast<std::uint16_t>(wire->header.flags | (is_set ? bit : 0));
  };
  flag(!event.executable.has_value(), MF_EXEC_NO_PATH);
  if (!event.executable.has_value()) {
    return {};
  }
  flag(event.executable_truncated, MF_EXEC_PATH_CUT);
  flag(event.executable_unlinked, MF_EXEC_UNLINKED);
  const std::string_view path = UpToNul(*event.executable);
  if (path.empty() || path.front() == '/') {
    return Components(path, wire);
  }
  flag(true, MF_EXEC_PATH_OFF_TREE);
  wire->path_parts = 1;
  return std::string(path.substr(0, MF_PATH_MAX - 1)) + '\0';
}

}  // namespace

std::vector<std::byte> EncodeRecord(const ProcessExec& event) {
  mf_exec wire = {};
  wire.header = Header(MF_KIND_EXEC, event.time, event.process, event.tid);
  wire.process = WireProcess(event.process);
  wire.euid = event.euid;
  wire.egid = event.egid;
  std::string tail = event.filename.substr(0, MF_FILENAME_MAX - 1);
  wire.filename_len = static_cast<std::uint16_t>(tail.size());
  if (event.filename_truncated || tail.size() < event.filename.size()) {
    wire.header.flags |= MF_EXEC_FILENAME_CUT;
  }
  if (event.pre_existing) {
    wire.header.flags |= MF_EXEC_SNAPSHOT;
  }
  const std::string path = Path(event, &wire);
  wire.path_len = static_cast<std::uint16_t>(path.size());
  tail += path;
  if (event.args.has_value()) {
    const std::string_view args = std::string_view(*event.args).substr(0, MF_ARGS_MAX);
    wire.args_len = static_cast<std::uint32_t>(args.size());
    wire.args_total =
        std::max(event.args_total_bytes, static_cast<std::uint32_t>(event.args->size()));
    tail += args;
  } else {
    wire.header.flags |= MF_EXEC_NO_ARGS;
  }
  return Assemble(wire, tail);
}

std::vector<std::byte> EncodeRecord(const ProcessExit& event) {
  mf_exit wire = {};
  // The tid is that of the last thread; the event does not tell it.
  wire.header = Header(MF_KIND_EXIT, event.time, event.process, event.process.id.pid);
  wire.process = WireProcess(event.process);
  wire.duration_ns = Nanoseconds(event.duration);
  if (event.signal.has_value()) {
    wire.status = (*event.signal & 0x7fu) | (event.core_dumped ? 0x80u : 0u);
  } else {
    wire.status = static_cast<std::uint32_t>(event.exit_code.value_or(0)) << 8;
  }
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const ProcessFork& event) {
  mf_fork wire = {};
  wire.header = Header(MF_KIND_FORK, event.time, event.process, event.process.id.pid);
  wire.process = WireProcess(event.process);
  wire.parent_tid = event.parent_tid;
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const ProcessExecFailure& event) {
  mf_exec_failed wire = {};
  wire.header = Header(MF_KIND_EXEC_FAILED, event.time, event.process, event.tid);
  wire.process = WireProcess(event.process);
  wire.error = static_cast<std::uint32_t>(event.error);
  if (!event.filename.has_value()) {
    wire.header.flags |= MF_EXEC_FAILED_NO_FILENAME;
    return Assemble(wire);
  }
  const std::string_view name =
      std::string_view(*event.filename).substr(0, MF_FAILED_FILENAME_MAX - 1);
  wire.filename_len = static_cast<std::uint16_t>(name.size());
  if (event.filename_truncated || name.size() < event.filename->size()) {
    wire.header.flags |= MF_EXEC_FAILED_FILENAME_CUT;
  }
  return Assemble(wire, name);
}

}  // namespace masflow::internal
