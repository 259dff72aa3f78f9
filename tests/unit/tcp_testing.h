// SPDX-License-Identifier: Apache-2.0
//
// TCP events and records, for the tests of their way from the wire to the host.
#ifndef MASFLOW_TESTS_UNIT_TCP_TESTING_H_
#define MASFLOW_TESTS_UNIT_TCP_TESTING_H_

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/tcp_events.h"
#include "masflow/tcp_stream.h"
#include "masflow_bpf/wire.h"
#include "test_support.h"
#include "wire/tcp_encode.h"
#include "wire/tcp_record.h"

namespace masflow::internal {

using AllTcpEvents = ::testing::Types<TcpConnect, TcpAccept, TcpData, TcpClose, TcpOpen, TcpListen>;

inline IpAddress V4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {.is_v6 = false, .bytes = {a, b, c, d}};
}

inline IpAddress V6(std::array<std::uint8_t, 16> bytes) {
  return {.is_v6 = true, .bytes = bytes};
}
inline const IpAddress kV6Loopback = V6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
inline const IpAddress kV6Example =
    V6({0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6});

// Events with every field set, each to a value of its own.
inline Connection FullConnection() {
  return {.id = {.birth = At(101), .tag = 102},
          .local = {.address = kV6Example, .port = 103},
          .remote = {.address = kV6Loopback, .port = 65'535},
          .role = TcpRole::kServer,
          .role_inferred = true,
          .netns = 105,
          .owner = FullProcess(),
          .owner_inferred = true,
          .pre_existing = true};
}

inline SocketUser FullUser() {
  return {.id = {.pid = 106, .start = std::chrono::nanoseconds(107)}, .comm = "us\x80r"};
}

template <class Event>
Event Full();
template <>
inline TcpConnect Full() {
  return {.time = At(111),
          .connection = FullConnection(),
          .tid = 112,
          .outcome = ConnectOutcome::kFailed,
          .error = 113,
          .handshake = std::chrono::nanoseconds(114)};
}
template <>
inline TcpAccept Full() {
  return {.time = At(121),
          .connection = FullConnection(),
          .tid = 122,
          .queued = std::chrono::nanoseconds(123)};
}
// Of an interval and of a call at once, which exclude each other on the wire.
template <>
inline TcpData Full() {
  return {.time = At(1131),
          .connection = FullConnection(),
          .tx_bytes = 132,
          .rx_bytes = 133,
          .tx_total_bytes = 134,
          .rx_total_bytes = 135,
          .span = std::chrono::nanoseconds(136),
          .tid = 137,
          .user = FullUser()};
}
template <>
inline TcpClose Full() {
  return {.time = At(141),
          .connection = FullConnection(),
          .reason = CloseReason::kTimeout,
          .error = 142,
          .closed_first = TcpEnd::kRemote,
          .accepted = false,
          .duration = std::chrono::nanoseconds(143),
          .tx_bytes = 144,
          .rx_bytes = 145,
          .tx_segments = 146,
          .rx_segments = 147,
          .retransmits = 148,
          .smoothed_rtt = std::chrono::microseconds(149),
          .min_rtt = std::chrono::microseconds(150),
          .user = FullUser()};
}
template <>
inline TcpOpen Full() {
  return {.time = At(161), .connection = FullConnection()};
}
template <>
inline TcpListen Full() {
  return {.time = At(171), .connection = FullConnection(), .backlog = 172};
}

// A Full one as it can be on the wire: of an interval.
template <class Event>
Event FullOnTheWire() {
  Event event = Full<Event>();
  if constexpr (std::is_same_v<Event, TcpData>) {
    event.tid = std::nullopt;
  }
  return event;
}

inline std::vector<TcpEvent> OneOfEachTcpEvent() {
  return {FullOnTheWire<TcpConnect>(), FullOnTheWire<TcpAccept>(), FullOnTheWire<TcpData>(),
          FullOnTheWire<TcpClose>(),   FullOnTheWire<TcpOpen>(),   FullOnTheWire<TcpListen>()};
}

inline Bytes EncodeEvent(const TcpEvent& event) {
  return std::visit([](const auto& e) { return EncodeRecord(e); }, event);
}

inline std::vector<Bytes> OneOfEachTcpRecord() {
  std::vector<Bytes> records;
  for (const TcpEvent& event : OneOfEachTcpEvent()) {
    records.push_back(EncodeEvent(event));
  }
  return records;
}

// From a copy of exactly that size, so that ASan sees a read beyond it.
inline std::optional<TcpEvent> DecodeTcp(const Bytes& record) {
  const Bytes exact(record.begin(), record.end());
  TcpDecoder decoder;
  const std::optional<TcpRecordView> view = decoder.Decode(exact);
  if (!view.has_value()) {
    return std::nullopt;
  }
  return std::visit([](const auto& v) -> TcpEvent { return Own(v); }, *view);
}

// The event of that kind; a failure and a default one if it is none.
template <class Event>
Event DecodeTcpAs(const Bytes& record) {
  const std::optional<TcpEvent> event = DecodeTcp(record);
  if (!event.has_value() || !std::holds_alternative<Event>(*event)) {
    ADD_FAILURE() << (event.has_value() ? "of another kind" : "malformed");
    return {};
  }
  return std::get<Event>(*event);
}

template <class Event>
Event TcpRoundTrip(const Event& event) {
  return DecodeTcpAs<Event>(EncodeRecord(event));
}

// A client's connection from 192.0.2.1:40000 to 198.51.100.2:80; its owner is TestProcess(pid).
inline Connection TestConnection(std::uint32_t pid, std::uint32_t ppid = 1) {
  return {.id = {.birth = At(pid), .tag = 7},
          .local = {.address = V4(192, 0, 2, 1), .port = 40'000},
          .remote = {.address = V4(198, 51, 100, 2), .port = 80},
          .role = TcpRole::kClient,
          .netns = 4'026'531'840,
          .owner = TestProcess(pid, ppid)};
}

inline TcpConnect TestConnect(std::uint32_t pid, std::uint32_t ppid = 1) {
  return {.time = At(pid * 100 + 10),
          .connection = TestConnection(pid, ppid),
          .tid = pid,
          .handshake = std::chrono::nanoseconds(5)};
}

inline TcpData TestData(std::uint32_t pid) {
  return {.time = At(pid * 100 + 20),
          .connection = TestConnection(pid),
          .tx_bytes = 10,
          .rx_bytes = 20,
          .tx_total_bytes = 10,
          .rx_total_bytes = 20,
          .span = std::chrono::nanoseconds(10)};
}

inline TcpData TestCall(std::uint32_t pid) {
  return {
      .time = At(pid * 100 + 20), .connection = TestConnection(pid), .tx_bytes = 10, .tid = pid};
}

inline TcpClose TestClose(std::uint32_t pid, std::uint32_t ppid = 1) {
  return {.time = At(pid * 100 + 30),
          .connection = TestConnection(pid, ppid),
          .tx_bytes = 10,
          .rx_bytes = 20};
}

inline TcpOpen TestOpen(std::uint32_t pid) {
  TcpOpen e = {.time = At(5), .connection = TestConnection(pid)};
  e.connection.pre_existing = true;
  return e;
}

inline TcpListen TestListen(std::uint32_t pid) {
  TcpListen e = {.time = At(5), .connection = TestConnection(pid), .backlog = 128};
  e.connection.local = {.address = V4(0, 0, 0, 0), .port = 80};
  e.connection.remote = {};
  e.connection.role = TcpRole::kServer;
  return e;
}

inline TcpStream OpenTcp(Session& session, TcpOptions options = {}) {
  absl::StatusOr<TcpStream> stream = TcpStream::Open(session, std::move(options));
  EXPECT_TRUE(stream.ok()) << stream.status();
  return *std::move(stream);
}

inline StreamStats TcpStats(const Session& session) {
  return session.stats()[StreamKind::kTcp];
}

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_UNIT_TCP_TESTING_H_
