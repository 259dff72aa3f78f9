// SPDX-License-Identifier: Apache-2.0
//
// What the encoders share.
#ifndef MASFLOW_WIRE_WRITE_RECORD_H_
#define MASFLOW_WIRE_WRITE_RECORD_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "masflow/events.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

inline std::uint64_t Nanoseconds(std::chrono::nanoseconds d) {
  return static_cast<std::uint64_t>(d.count());
}

inline std::string_view UpToNul(std::string_view text) {
  return text.substr(0, text.find('\0'));
}

// A name of a process as the kernel keeps it: cut at a NUL and at 15 bytes. `wire` is zeros.
inline void WriteComm(std::string_view comm, char (&wire)[MF_COMM_LEN]) {
  UpToNul(comm).copy(wire, MF_COMM_LEN - 1);
}

inline mf_header WriteHeader(std::uint16_t kind, KernelTime time, std::uint32_t pid,
                             std::uint32_t tid) {
  return {.kind = kind,
          .flags = 0,
          .size = 0,
          .ktime_ns = Nanoseconds(time.time_since_epoch()),
          .pid = pid,
          .tid = tid};
}

inline mf_process WriteProcess(const Process& process) {
  mf_process wire = {.start_ns = Nanoseconds(process.id.start),
                     .parent_start_ns = Nanoseconds(process.parent.start),
                     .cgroup_id = process.cgroup_id,
                     .ppid = process.parent.pid,
                     .uid = process.uid,
                     .gid = process.gid,
                     .pad = 0,
                     .comm = {}};
  WriteComm(process.comm, wire.comm);
  return wire;
}

inline void SetFlag(mf_header* header, std::uint16_t flag, bool is_set) {
  header->flags = static_cast<std::uint16_t>(header->flags | (is_set ? flag : 0));
}

// `tail` in one piece, after the fixed part; fills in the record's size.
template <class Record>
std::vector<std::byte> Assemble(const Record& record, std::string_view tail = {}) {
  std::vector<std::byte> bytes(sizeof(record) + tail.size());
  std::memcpy(bytes.data(), &record, sizeof(record));
  if (!tail.empty()) {
    std::memcpy(bytes.data() + sizeof(record), tail.data(), tail.size());
  }
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data() + offsetof(mf_header, size), &size, sizeof(size));
  return bytes;
}

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_WRITE_RECORD_H_
