// SPDX-License-Identifier: Apache-2.0
#include "wire/tcp_encode.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "masflow_bpf/wire.h"
#include "wire/write_record.h"

namespace masflow::internal {
namespace {

constexpr std::uint32_t kEstablished = 1;  // TCP_ESTABLISHED of the kernel

void WriteAddress(const IpAddress& address, __u8 (&wire)[MF_ADDRESS_LEN]) {
  const std::size_t size = address.is_v6 ? address.bytes.size() : 4;
  std::copy_n(address.bytes.begin(), size, wire);
}

mf_tcp WriteTcp(const Connection& connection) {
  mf_tcp wire = {};
  wire.birth_ns = Nanoseconds(connection.id.birth.time_since_epoch());
  wire.tag = connection.id.tag;
  wire.netns = connection.netns;
  WriteAddress(connection.local.address, wire.local);
  WriteAddress(connection.remote.address, wire.remote);
  wire.local_port = connection.local.port;
  wire.remote_port = connection.remote.port;
  // Both ends are of one family; an address that is not given is 0.0.0.0.
  wire.family = connection.local.address.is_v6 || connection.remote.address.is_v6 ? MF_FAMILY_IPV6
                                                                                  : MF_FAMILY_IPV4;
  wire.role = connection.role.has_value() ? static_cast<std::uint8_t>(*connection.role)
                                          : std::uint8_t{MF_ROLE_UNKNOWN};
  return wire;
}

// `tid`: that became the owner; absent where the event does not tell it.
mf_tcp_base Base(std::uint16_t kind, KernelTime time, const Connection& connection,
                 std::optional<std::uint32_t> tid = std::nullopt) {
  mf_tcp_base wire = {};
  if (connection.owner.has_value()) {
    const std::uint32_t pid = connection.owner->id.pid;
    wire.header = WriteHeader(kind, time, pid, tid.value_or(pid));
    wire.process = WriteProcess(*connection.owner);
  } else {
    wire.header = WriteHeader(kind, time, 0, 0);
  }
  SetFlag(&wire.header, MF_TCP_NO_OWNER, !connection.owner.has_value());
  SetFlag(&wire.header, MF_TCP_OWNER_INFERRED, connection.owner_inferred);
  SetFlag(&wire.header, MF_TCP_ROLE_INFERRED, connection.role_inferred);
  SetFlag(&wire.header, MF_TCP_PRE_EXISTING, connection.pre_existing);
  wire.tcp = WriteTcp(connection);
  return wire;
}

std::uint64_t NanosecondsOrZero(const std::optional<std::chrono::nanoseconds>& d) {
  return Nanoseconds(d.value_or(std::chrono::nanoseconds(0)));
}

std::uint32_t MicrosecondsOrZero(const std::optional<std::chrono::microseconds>& d) {
  return static_cast<std::uint32_t>(d.value_or(std::chrono::microseconds(0)).count());
}

mf_user WriteUser(const std::optional<SocketUser>& user) {
  mf_user wire = {};
  if (user.has_value()) {
    wire.start_ns = Nanoseconds(user->id.start);
    wire.pid = user->id.pid;
    WriteComm(user->comm, wire.comm);
  }
  return wire;
}

}  // namespace

std::vector<std::byte> EncodeRecord(const TcpConnect& event) {
  mf_tcp_connect wire = {};
  wire.base = Base(MF_KIND_TCP_CONNECT, event.time, event.connection, event.tid);
  wire.duration_ns = NanosecondsOrZero(event.handshake);
  wire.outcome = static_cast<std::uint32_t>(event.outcome);
  wire.error = static_cast<std::uint32_t>(event.error);
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpAccept& event) {
  mf_tcp_accept wire = {};
  wire.base = Base(MF_KIND_TCP_ACCEPT, event.time, event.connection, event.tid);
  wire.queued_ns = NanosecondsOrZero(event.queued);
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpData& event) {
  mf_tcp_data wire = {};
  wire.base = Base(MF_KIND_TCP_DATA, event.time, event.connection);
  wire.tx_bytes = event.tx_bytes;
  wire.rx_bytes = event.rx_bytes;
  if (event.tid.has_value()) {
    wire.reason = MF_DATA_CALL;
    wire.tid = *event.tid;
  } else {
    wire.reason = MF_DATA_INTERVAL;
    wire.tx_total = event.tx_total_bytes.value_or(0);
    wire.rx_total = event.rx_total_bytes.value_or(0);
    wire.since_ns = wire.base.header.ktime_ns - NanosecondsOrZero(event.span);
  }
  wire.user = WriteUser(event.user);
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpClose& event) {
  mf_tcp_close wire = {};
  wire.base = Base(MF_KIND_TCP_CLOSE, event.time, event.connection);
  wire.counters = {.tx_bytes = event.tx_bytes,
                   .rx_bytes = event.rx_bytes,
                   .segs_out = event.tx_segments,
                   .segs_in = event.rx_segments,
                   .retrans = event.retransmits,
                   .pad = 0};
  wire.duration_ns = NanosecondsOrZero(event.duration);
  wire.srtt_us = MicrosecondsOrZero(event.smoothed_rtt);
  wire.min_rtt_us = MicrosecondsOrZero(event.min_rtt);
  wire.error = static_cast<std::uint32_t>(event.error);
  wire.reason = static_cast<std::uint8_t>(event.reason);
  wire.first = event.closed_first.has_value() ? static_cast<std::uint8_t>(*event.closed_first)
                                              : std::uint8_t{MF_FIRST_UNKNOWN};
  wire.accepted = event.accepted ? 1 : 0;
  wire.user = WriteUser(event.user);
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpOpen& event) {
  mf_tcp_open wire = {};
  wire.base = Base(MF_KIND_TCP_OPEN, event.time, event.connection);
  wire.state = kEstablished;
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpListen& event) {
  mf_tcp_listen wire = {};
  wire.base = Base(MF_KIND_TCP_LISTEN, event.time, event.connection);
  wire.backlog = event.backlog;
  return Assemble(wire);
}

}  // namespace masflow::internal
