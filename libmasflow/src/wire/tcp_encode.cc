// SPDX-License-Identifier: Apache-2.0
#include "wire/tcp_encode.h"

#include <chrono>
#include <cstdint>
#include <optional>

#include "masflow_bpf/wire.h"
#include "wire/write_connection.h"
#include "wire/write_record.h"

namespace masflow::internal {
namespace {

constexpr std::uint32_t kEstablished = 1;  // TCP_ESTABLISHED of the kernel

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
  wire.base = WriteConnection(MF_KIND_TCP_CONNECT, event.time, event.connection, event.tid);
  wire.duration_ns = NanosecondsOrZero(event.handshake);
  wire.outcome = static_cast<std::uint32_t>(event.outcome);
  wire.error = static_cast<std::uint32_t>(event.error);
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpAccept& event) {
  mf_tcp_accept wire = {};
  wire.base = WriteConnection(MF_KIND_TCP_ACCEPT, event.time, event.connection, event.tid);
  wire.queued_ns = NanosecondsOrZero(event.queued);
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpData& event) {
  mf_tcp_data wire = {};
  wire.base = WriteConnection(MF_KIND_TCP_DATA, event.time, event.connection);
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
  wire.base = WriteConnection(MF_KIND_TCP_CLOSE, event.time, event.connection);
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
  wire.base = WriteConnection(MF_KIND_TCP_OPEN, event.time, event.connection);
  wire.state = kEstablished;
  return Assemble(wire);
}

std::vector<std::byte> EncodeRecord(const TcpListen& event) {
  mf_tcp_listen wire = {};
  wire.base = WriteConnection(MF_KIND_TCP_LISTEN, event.time, event.connection);
  wire.backlog = event.backlog;
  return Assemble(wire);
}

}  // namespace masflow::internal
