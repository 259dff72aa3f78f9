// SPDX-License-Identifier: Apache-2.0
//
// What well-formed TCP records decode to, and that what is encoded comes back.
#include "wire/tcp_record.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tcp_testing.h"
#include "wire_testing.h"

namespace masflow::internal {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// The process of wire_testing.h, from 192.0.2.1:40000 to 198.51.100.2:80.
mf_tcp_base WireBase(std::uint16_t kind) {
  mf_tcp_base wire = {};
  wire.header = WireHeader(kind);
  wire.process = WireProcess();
  wire.tcp.birth_ns = 2001;
  wire.tcp.tag = 2002;
  wire.tcp.netns = 2003;
  constexpr std::uint8_t kLocal[] = {192, 0, 2, 1};
  constexpr std::uint8_t kRemote[] = {198, 51, 100, 2};
  std::copy(std::begin(kLocal), std::end(kLocal), wire.tcp.local);
  std::copy(std::begin(kRemote), std::end(kRemote), wire.tcp.remote);
  wire.tcp.local_port = 40'000;
  wire.tcp.remote_port = 80;
  wire.tcp.family = MF_FAMILY_IPV4;
  wire.tcp.role = MF_ROLE_CLIENT;
  wire.tcp.pad = 0xdead;
  return wire;
}

Connection ExpectedConnection() {
  return {.id = {.birth = At(2001), .tag = 2002},
          .local = {.address = V4(192, 0, 2, 1), .port = 40'000},
          .remote = {.address = V4(198, 51, 100, 2), .port = 80},
          .role = TcpRole::kClient,
          .netns = 2003,
          .owner = Process{.id = {.pid = 1002, .start = nanoseconds(1004)},
                           .parent = {.pid = 1007, .start = nanoseconds(1005)},
                           .uid = 1008,
                           .gid = 1009,
                           .cgroup_id = 1006,
                           .comm = "comm"}};
}

template <class Record>
Record Wire(std::uint16_t kind) {
  Record wire = {};
  wire.base = WireBase(kind);
  wire.base.header.size = sizeof(wire);
  return wire;
}

template <class Record>
Bytes AsBytes(const Record& wire) {
  Bytes bytes(sizeof(wire));
  std::memcpy(bytes.data(), &wire, sizeof(wire));
  return bytes;
}

mf_tcp_connect WireConnect() {
  auto wire = Wire<mf_tcp_connect>(MF_KIND_TCP_CONNECT);
  wire.duration_ns = 2004;
  wire.outcome = MF_CONNECT_FAILED;
  wire.error = 111;
  return wire;
}

mf_tcp_data WireData(std::uint32_t reason) {
  auto wire = Wire<mf_tcp_data>(MF_KIND_TCP_DATA);
  wire.tx_bytes = 2005;
  wire.rx_bytes = 2006;
  wire.tx_total = 2007;
  wire.rx_total = 2008;
  wire.since_ns = 901;  // 100 before the record
  wire.reason = reason;
  wire.tid = 2009;
  return wire;
}

mf_user WireUser() {
  return {.start_ns = 2010, .pid = 2011, .pad = 0xdead, .comm = {'u', 's', '\0', 'x'}};
}
const SocketUser kExpectedUser = {.id = {.pid = 2011, .start = nanoseconds(2010)}, .comm = "us"};

mf_tcp_close WireClose() {
  auto wire = Wire<mf_tcp_close>(MF_KIND_TCP_CLOSE);
  wire.counters = {.tx_bytes = 2012,
                   .rx_bytes = 2013,
                   .segs_out = 2014,
                   .segs_in = 2015,
                   .retrans = 2016,
                   .pad = 0xdead};
  wire.duration_ns = 2017;
  wire.srtt_us = 2018;
  wire.min_rtt_us = 2019;
  wire.error = 104;
  wire.reason = MF_CLOSE_REMOTE_RESET;
  wire.first = MF_FIRST_REMOTE;
  wire.accepted = 1;
  wire.user = WireUser();
  return wire;
}

TEST(TcpRecord, Connect_EachField_Decodes) {
  const TcpConnect expected = {.time = At(1001),
                               .connection = ExpectedConnection(),
                               .tid = 1003,
                               .outcome = ConnectOutcome::kFailed,
                               .error = 111,
                               .handshake = nanoseconds(2004)};
  EXPECT_EQ(DecodeTcpAs<TcpConnect>(AsBytes(WireConnect())), expected);
}

TEST(TcpRecord, Accept_EachField_Decodes) {
  auto wire = Wire<mf_tcp_accept>(MF_KIND_TCP_ACCEPT);
  wire.queued_ns = 2020;
  const TcpAccept expected = {.time = At(1001),
                              .connection = ExpectedConnection(),
                              .tid = 1003,
                              .queued = nanoseconds(2020)};
  EXPECT_EQ(DecodeTcpAs<TcpAccept>(AsBytes(wire)), expected);
}

TEST(TcpRecord, Data_OfAnInterval_HasTotalsAndSpan) {
  const TcpData expected = {.time = At(1001),
                            .connection = ExpectedConnection(),
                            .tx_bytes = 2005,
                            .rx_bytes = 2006,
                            .tx_total_bytes = 2007,
                            .rx_total_bytes = 2008,
                            .span = nanoseconds(100)};
  EXPECT_EQ(DecodeTcpAs<TcpData>(AsBytes(WireData(MF_DATA_INTERVAL))), expected);
  EXPECT_EQ(DecodeTcpAs<TcpData>(AsBytes(WireData(MF_DATA_LAST))), expected);
}

TEST(TcpRecord, Data_OfACall_HasAThreadAndAUser) {
  mf_tcp_data wire = WireData(MF_DATA_CALL);
  wire.user = WireUser();
  const TcpData expected = {.time = At(1001),
                            .connection = ExpectedConnection(),
                            .tx_bytes = 2005,
                            .rx_bytes = 2006,
                            .tid = 2009,
                            .user = kExpectedUser};
  EXPECT_EQ(DecodeTcpAs<TcpData>(AsBytes(wire)), expected);
}

TEST(TcpRecord, Close_EachField_Decodes) {
  const TcpClose expected = {.time = At(1001),
                             .connection = ExpectedConnection(),
                             .reason = CloseReason::kRemoteReset,
                             .error = 104,
                             .closed_first = TcpEnd::kRemote,
                             .accepted = true,
                             .duration = nanoseconds(2017),
                             .tx_bytes = 2012,
                             .rx_bytes = 2013,
                             .tx_segments = 2014,
                             .rx_segments = 2015,
                             .retransmits = 2016,
                             .smoothed_rtt = microseconds(2018),
                             .min_rtt = microseconds(2019),
                             .user = kExpectedUser};
  EXPECT_EQ(DecodeTcpAs<TcpClose>(AsBytes(WireClose())), expected);
}

TEST(TcpRecord, OpenAndListen_EachField_Decode) {
  auto open = Wire<mf_tcp_open>(MF_KIND_TCP_OPEN);
  open.state = 8;
  EXPECT_EQ(DecodeTcpAs<TcpOpen>(AsBytes(open)),
            (TcpOpen{.time = At(1001), .connection = ExpectedConnection()}));
  auto listen = Wire<mf_tcp_listen>(MF_KIND_TCP_LISTEN);
  listen.backlog = 2021;
  EXPECT_EQ(DecodeTcpAs<TcpListen>(AsBytes(listen)),
            (TcpListen{.time = At(1001), .connection = ExpectedConnection(), .backlog = 2021}));
}

TEST(TcpRecord, WhatWasNotSeen_IsAbsent) {
  mf_tcp_connect connect = WireConnect();
  connect.duration_ns = 0;
  EXPECT_EQ(DecodeTcpAs<TcpConnect>(AsBytes(connect)).handshake, std::nullopt);
  EXPECT_EQ(DecodeTcpAs<TcpAccept>(AsBytes(Wire<mf_tcp_accept>(MF_KIND_TCP_ACCEPT))).queued,
            std::nullopt);
  const TcpClose close = DecodeTcpAs<TcpClose>(AsBytes(Wire<mf_tcp_close>(MF_KIND_TCP_CLOSE)));
  EXPECT_EQ(close.closed_first, std::nullopt);
  EXPECT_EQ(close.duration, std::nullopt);
  EXPECT_EQ(close.smoothed_rtt, std::nullopt);
  EXPECT_EQ(close.min_rtt, std::nullopt);
  EXPECT_EQ(close.user, std::nullopt);
  EXPECT_FALSE(close.accepted);
}

// One record with a change, as TcpConnect: all kinds begin the same.
template <class Change>
TcpConnect Changed(Change&& change) {
  mf_tcp_connect wire = WireConnect();
  change(wire);
  return DecodeTcpAs<TcpConnect>(AsBytes(wire));
}

TEST(TcpRecord, EachFlag_SetsItsFieldOnly) {
  const auto with = [](std::uint16_t flag) {
    return Changed([&](mf_tcp_connect& wire) { wire.base.header.flags = flag; }).connection;
  };
  Connection expected = ExpectedConnection();
  EXPECT_EQ(with(0), expected);
  EXPECT_EQ(with(0x8000), expected) << "one that nobody knows yet";
  expected.owner_inferred = true;
  EXPECT_EQ(with(MF_TCP_OWNER_INFERRED), expected);
  expected = ExpectedConnection();
  expected.role_inferred = true;
  EXPECT_EQ(with(MF_TCP_ROLE_INFERRED), expected);
  expected = ExpectedConnection();
  expected.pre_existing = true;
  EXPECT_EQ(with(MF_TCP_PRE_EXISTING), expected);
  expected = ExpectedConnection();
  expected.owner = std::nullopt;
  EXPECT_EQ(with(MF_TCP_NO_OWNER), expected);
}

TEST(TcpRecord, EachRole_Decodes) {
  const std::vector<std::pair<std::uint8_t, std::optional<TcpRole>>> roles = {
      {MF_ROLE_UNKNOWN, std::nullopt},
      {MF_ROLE_CLIENT, TcpRole::kClient},
      {MF_ROLE_SERVER, TcpRole::kServer}};
  for (const auto& [wire_role, role] : roles) {
    EXPECT_EQ(
        Changed([r = wire_role](mf_tcp_connect& wire) { wire.base.tcp.role = r; }).connection.role,
        role);
  }
}

TEST(TcpRecord, Ipv6_EachByte_Decodes) {
  const Connection c = Changed([](mf_tcp_connect& wire) {
                         wire.base.tcp.family = MF_FAMILY_IPV6;
                         for (std::uint8_t i = 0; i < MF_ADDRESS_LEN; ++i) {
                           wire.base.tcp.local[i] = i;
                           wire.base.tcp.remote[i] = static_cast<std::uint8_t>(0xf0 + i);
                         }
                       }).connection;
  EXPECT_EQ(ToString(c.local), "[1:203:405:607:809:a0b:c0d:e0f]:40000");
  EXPECT_EQ(ToString(c.remote), "[f0f1:f2f3:f4f5:f6f7:f8f9:fafb:fcfd:feff]:80");
}

TEST(TcpRecord, Comm_FullWithoutNul_IsCutAtItsField) {
  mf_tcp_close wire = WireClose();
  const std::string_view comm = "0123456789abcdef";
  comm.copy(wire.base.process.comm, MF_COMM_LEN);
  comm.copy(wire.user.comm, MF_COMM_LEN);
  const TcpClose e = DecodeTcpAs<TcpClose>(AsBytes(wire));
  EXPECT_EQ(e.connection.owner->comm, comm);
  EXPECT_EQ(e.user->comm, comm);
}

TEST(TcpRecord, Decoder_UsedAgain_KeepsNothingOfTheFormer) {
  TcpDecoder decoder;
  ASSERT_TRUE(decoder.Decode(AsBytes(WireClose())).has_value());
  mf_tcp_close wire = {};
  wire.base.header = {.kind = MF_KIND_TCP_CLOSE,
                      .flags = MF_TCP_NO_OWNER,
                      .size = sizeof(wire),
                      .ktime_ns = 0,
                      .pid = 0,
                      .tid = 0};
  wire.base.tcp.family = MF_FAMILY_IPV4;
  const Bytes empty = AsBytes(wire);
  const auto view = decoder.Decode(empty);
  ASSERT_TRUE(view.has_value());
  TcpClose expected;
  expected.accepted = false;
  EXPECT_EQ(Own(std::get<TcpCloseView>(*view)), expected);
}

TEST(TcpRecord, Unaligned_Decodes) {
  for (const Bytes& record : OneOfEachTcpRecord()) {
    Bytes shifted(1);
    shifted.insert(shifted.end(), record.begin(), record.end());
    TcpDecoder decoder;
    EXPECT_TRUE(decoder.Decode(std::span(shifted).subspan(1)).has_value());
  }
}

template <class Event>
class TcpEncodeTest : public ::testing::Test {};
TYPED_TEST_SUITE(TcpEncodeTest, AllTcpEvents);

TYPED_TEST(TcpEncodeTest, Full_ComesBackAsItWas) {
  TypeParam event = FullOnTheWire<TypeParam>();
  EXPECT_EQ(TcpRoundTrip(event), event);
  event.connection.local.address = V4(192, 0, 2, 1);
  event.connection.remote.address = V4(198, 51, 100, 2);
  event.connection.owner_inferred = event.connection.role_inferred = false;
  event.connection.role = std::nullopt;
  EXPECT_EQ(TcpRoundTrip(event), event);
}

TYPED_TEST(TcpEncodeTest, WithoutOwner_HasNoThreadEither) {
  TypeParam event = FullOnTheWire<TypeParam>();
  event.connection.owner = std::nullopt;
  TypeParam expected = event;
  if constexpr (std::is_same_v<TypeParam, TcpConnect> || std::is_same_v<TypeParam, TcpAccept>) {
    expected.tid = 0;
  }
  EXPECT_EQ(TcpRoundTrip(event), expected);
  const Bytes record = EncodeRecord(event);
  mf_tcp_base base;
  std::memcpy(&base, record.data(), sizeof(base));
  EXPECT_EQ(base.header.pid, 0u);
  EXPECT_EQ(base.header.tid, 0u);
  EXPECT_EQ(base.process.start_ns, 0u);
}

TYPED_TEST(TcpEncodeTest, Default_Decodes) {
  TypeParam expected;
  if constexpr (std::is_same_v<TypeParam, TcpData>) {
    expected.tx_total_bytes = expected.rx_total_bytes = 0;
    expected.span = nanoseconds(0);
  }
  EXPECT_EQ(TcpRoundTrip(TypeParam()), expected);
}

TEST(TcpEncode, Data_OfACall_HasNoTotals) {
  TcpData expected = Full<TcpData>();
  expected.tx_total_bytes = expected.rx_total_bytes = std::nullopt;
  expected.span = std::nullopt;
  EXPECT_EQ(TcpRoundTrip(Full<TcpData>()), expected);
}

TEST(TcpEncode, Close_WhatIsAbsent_StaysSo) {
  TcpClose event = Full<TcpClose>();
  event.closed_first = std::nullopt;
  event.accepted = true;
  event.duration = std::nullopt;
  event.smoothed_rtt = event.min_rtt = std::nullopt;
  event.user = std::nullopt;
  EXPECT_EQ(TcpRoundTrip(event), event);
}

// A connect that failed before it was given an address.
TEST(TcpEncode, OneEndWithoutAnAddress_IsOfTheFamilyOfTheOther) {
  TcpConnect event = Full<TcpConnect>();
  event.connection.local = {};
  EXPECT_EQ(TcpRoundTrip(event).connection.local, (Endpoint{.address = V6({})}));
}

TEST(TcpEncode, NamesOfProcesses_AreCutToWhatTheKernelKeeps) {
  TcpClose event = Full<TcpClose>();
  event.connection.owner->comm = "a-name-of-more-than-15-bytes";
  event.user->comm = std::string("a\0b", 3);
  EXPECT_EQ(TcpRoundTrip(event).connection.owner->comm, "a-name-of-more-");
  EXPECT_EQ(TcpRoundTrip(event).user->comm, "a");
}

}  // namespace
}  // namespace masflow::internal
