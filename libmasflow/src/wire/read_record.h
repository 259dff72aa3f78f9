// SPDX-License-Identifier: Apache-2.0
//
// What the decoders share.
#ifndef MASFLOW_WIRE_READ_RECORD_H_
#define MASFLOW_WIRE_READ_RECORD_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>

#include "masflow/events.h"
#include "masflow/tcp_events.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

using RecordSpan = std::span<const std::byte>;
using CommBuffer = std::array<char, MF_COMM_LEN>;

// Records lie unaligned in recordings, so what has a place in them is copied, never cast.
template <class Fixed>
bool CopyFront(RecordSpan record, Fixed* fixed) {
  if (record.size() < sizeof(Fixed)) {
    return false;
  }
  std::memcpy(fixed, record.data(), sizeof(Fixed));
  return true;
}

// The fixed part of a record, whose header has to tell its size; bytes may trail it.
template <class Record>
bool ReadFixed(RecordSpan record, Record* wire) {
  mf_header header;
  return CopyFront(record, &header) && header.size == record.size() && CopyFront(record, wire);
}

// A record without trailing bytes.
template <class Record>
bool ReadWhole(RecordSpan record, Record* wire) {
  return record.size() == sizeof(Record) && ReadFixed(record, wire);
}

inline KernelTime Time(const mf_header& header) {
  return KernelTime(std::chrono::nanoseconds(header.ktime_ns));
}

inline ProcessId Id(std::uint32_t pid, std::uint64_t start_ns) {
  return {pid, std::chrono::nanoseconds(start_ns)};
}

// `buffer` receives the text that the result points to.
inline std::string_view ReadComm(const char (&comm)[MF_COMM_LEN], CommBuffer* buffer) {
  std::memcpy(buffer->data(), comm, buffer->size());
  return {buffer->data(), strnlen(buffer->data(), buffer->size())};
}

inline ProcessView ReadProcess(const mf_header& header, const mf_process& wire, CommBuffer* comm) {
  return {.id = Id(header.pid, wire.start_ns),
          .parent = Id(wire.ppid, wire.parent_start_ns),
          .uid = wire.uid,
          .gid = wire.gid,
          .cgroup_id = wire.cgroup_id,
          .comm = ReadComm(wire.comm, comm)};
}

// One of the two addresses of `tcp`. False: bytes behind an IPv4 address.
inline bool ReadAddress(const mf_tcp& tcp, const __u8 (&wire)[MF_ADDRESS_LEN], IpAddress* address) {
  constexpr std::ptrdiff_t kV4Bytes = 4;
  address->is_v6 = tcp.family == MF_FAMILY_IPV6;
  std::copy(std::begin(wire), std::end(wire), address->bytes.begin());
  return address->is_v6 || std::all_of(std::begin(wire) + kV4Bytes, std::end(wire),
                                       [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_READ_RECORD_H_
