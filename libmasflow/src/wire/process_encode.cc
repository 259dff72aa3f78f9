// SPDX-License-Identifier: Apache-2.0
#include "wire/process_encode.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "masflow_bpf/wire.h"
#include "wire/write_record.h"

namespace masflow::internal {
namespace {

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
  SetFlag(&wire->header, MF_EXEC_NO_PATH, !event.executable.has_value());
  if (!event.executable.has_value()) {
    return {};
  }
  SetFlag(&wire->header, MF_EXEC_PATH_CUT, event.executable_truncated);
  SetFlag(&wire->header, MF_EXEC_UNLINKED, event.executable_unlinked);
  const std::string_view path = UpToNul(*event.executable);
  if (path.empty() || path.front() == '/') {
    return Components(path, wire);
  }
  SetFlag(&wire->header, MF_EXEC_PATH_OFF_TREE, true);
  wire->path_parts = 1;
  return std::string(path.substr(0, MF_PATH_MAX - 1)) + '\0';
}

}  // namespace

std::vector<std::byte> EncodeRecord(const ProcessExec& event) {
  mf_exec wire = {};
  wire.header = WriteHeader(MF_KIND_EXEC, event.time, event.process.id.pid, event.tid);
  wire.process = WriteProcess(event.process);
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
  wire.header = WriteHeader(MF_KIND_EXIT, event.time, event.process.id.pid, event.process.id.pid);
  wire.process = WriteProcess(event.process);
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
  wire.header = WriteHeader(MF_KIND_FORK, event.time, event.process.id.pid, event.process.id.pid);
  wire.process = WriteProcess(event.process);
  wire.parent_tid = event.parent_tid;
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const ProcessExecFailure& event) {
  mf_exec_failed wire = {};
  wire.header = WriteHeader(MF_KIND_EXEC_FAILED, event.time, event.process.id.pid, event.tid);
  wire.process = WriteProcess(event.process);
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
