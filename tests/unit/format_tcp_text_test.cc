// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <time.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "masflow/format.h"

namespace masflow {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kAt{std::chrono::nanoseconds(1'769'862'896'123'456'789)};

class FormatTcpText : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("TZ", "UTC", 1);
    tzset();
  }

  template <class Event>
  static Event Of(TcpRole role = TcpRole::kClient) {
    Event e;
    e.connection.local = {.address = {.bytes = {10, 0, 0, 7}}, .port = 40000};
    e.connection.remote = {.address = {.bytes = {192, 0, 2, 1}}, .port = 443};
    e.connection.role = role;
    e.connection.owner = ProcessView{.id = {.pid = 12345}, .comm = "curl"};
    if constexpr (requires { e.tid = 0u; }) {
      e.tid = 12345;
    }
    return e;
  }

  template <class Event>
  static std::string Text(const Event& event, TextStyle style = {}) {
    std::string out;
    AppendText(event, kAt, style, &out);
    return out;
  }

  // From the details' column on.
  template <class Event>
  static std::string Details(const Event& event) {
    return Text(event).substr(57);
  }
};

TEST_F(FormatTcpText, Connect) {
  auto e = Of<TcpConnectView>();
  e.handshake = 1'204us;
  EXPECT_EQ(Text(e),
            "12:34:56.123456 TCP Connect       12345 curl             "
            "10.0.0.7:40000 -> 192.0.2.1:443  in 1.204ms");
  e.tid = 12346;
  e.handshake.reset();
  EXPECT_EQ(Details(e), "10.0.0.7:40000 -> 192.0.2.1:443  connected  tid=12346");
}

TEST_F(FormatTcpText, Connect_Failed) {
  auto e = Of<TcpConnectView>();
  e.outcome = ConnectOutcome::kFailed;
  e.error = ECONNREFUSED;
  e.handshake = 85us;
  EXPECT_EQ(Details(e), "10.0.0.7:40000 -> 192.0.2.1:443  failed: ECONNREFUSED after 85.000us");
  EXPECT_NE(Text(e, {.color = true}).find("\x1b[31mTCP Connect"), std::string::npos);
  e.connection.local = {};
  e.error = ENETUNREACH;
  e.handshake.reset();
  EXPECT_EQ(Details(e), "- -> 192.0.2.1:443  failed: ENETUNREACH");
  e.connection.local.address.is_v6 = true;
  e.error = 4000;
  EXPECT_EQ(Details(e), "- -> 192.0.2.1:443  failed: errno 4000");
}

TEST_F(FormatTcpText, Connect_Abandoned) {
  auto e = Of<TcpConnectView>();
  e.outcome = ConnectOutcome::kAbandoned;
  e.handshake = 2s;
  EXPECT_EQ(Details(e), "10.0.0.7:40000 -> 192.0.2.1:443  given up after 2.000s");
}

TEST_F(FormatTcpText, Accept_SourceIsTheOtherEnd) {
  auto e = Of<TcpAcceptView>(TcpRole::kServer);
  e.queued = 12us;
  EXPECT_EQ(Details(e), "192.0.2.1:443 -> 10.0.0.7:40000  queued 12.000us");
  e.queued.reset();
  e.connection.owner_inferred = true;
  EXPECT_EQ(Details(e), "192.0.2.1:443 -> 10.0.0.7:40000  accepted (owner inferred)");
}

TEST_F(FormatTcpText, Data) {
  auto e = Of<TcpDataView>();
  e.tx_bytes = 1024;
  EXPECT_EQ(Details(e), "10.0.0.7:40000 -> 192.0.2.1:443  tx=1024 rx=0 bytes");
  e.tid = 12346;
  EXPECT_EQ(Details(e), "10.0.0.7:40000 -> 192.0.2.1:443  tx=1024 rx=0 bytes  tid=12346");
  e.user = SocketUserView{.id = {.pid = 12346}, .comm = "a b"};
  EXPECT_EQ(Details(e), "10.0.0.7:40000 -> 192.0.2.1:443  tx=1024 rx=0 bytes by 12346('a b')");
}

TEST_F(FormatTcpText, Close) {
  auto e = Of<TcpCloseView>();
  e.closed_first = TcpEnd::kLocal;
  e.tx_bytes = 1024;
  e.tx_segments = 5;
  e.rx_segments = 4;
  e.duration = 3'200us;
  e.smoothed_rtt = 45us;
  EXPECT_EQ(Details(e),
            "10.0.0.7:40000 -> 192.0.2.1:443  fin by local, tx=1024 rx=0 bytes in 3.200ms, "
            "segments 5/4, retransmits 0, rtt 45.000us");
}

struct ReasonCase {
  CloseReason reason;
  int error;
  std::optional<TcpEnd> first;
  std::string_view text;
};

constexpr ReasonCase kReasons[] = {
    {CloseReason::kFin, 0, TcpEnd::kRemote, "fin by remote,"},
    {CloseReason::kFin, 0, {}, "fin,"},
    {CloseReason::kRemoteReset, ECONNRESET, TcpEnd::kRemote, "remote reset ECONNRESET,"},
    {CloseReason::kRemoteReset, 0, TcpEnd::kLocal, "remote reset after fin by local,"},
    {CloseReason::kLocalReset, 0, TcpEnd::kLocal, "local reset,"},
    {CloseReason::kLocalReset, 0, TcpEnd::kRemote, "local reset after fin by remote,"},
    {CloseReason::kTimeout, ETIMEDOUT, {}, "timeout ETIMEDOUT,"},
    {CloseReason::kError, ECONNABORTED, {}, "error ECONNABORTED,"},
    {CloseReason::kError, ECONNABORTED, TcpEnd::kLocal, "error ECONNABORTED after fin by local,"},
};

TEST_F(FormatTcpText, Close_Reasons) {
  for (const ReasonCase& c : kReasons) {
    auto e = Of<TcpCloseView>();
    e.reason = c.reason;
    e.error = c.error;
    e.closed_first = c.first;
    EXPECT_NE(Details(e).find("  " + std::string(c.text)), std::string::npos) << Details(e);
  }
}

TEST_F(FormatTcpText, Close_WhatWasNotSeen) {
  auto e = Of<TcpCloseView>(TcpRole::kServer);
  e.connection.owner.reset();
  e.accepted = false;
  EXPECT_EQ(Text(e),
            "12:34:56.123456 TCP Close             - -                "
            "192.0.2.1:443 -> 10.0.0.7:40000  fin, tx=0 rx=0 bytes, segments 0/0, retransmits 0 "
            "(not accepted)");
  e = Of<TcpCloseView>();
  e.connection.role.reset();
  e.connection.pre_existing = true;
  e.user = SocketUserView{.id = {.pid = 7}, .comm = "x"};
  EXPECT_EQ(Details(e),
            "10.0.0.7:40000 -> 192.0.2.1:443  fin, tx=0 rx=0 bytes (since the start), "
            "segments 0/0, retransmits 0, last used by 7(x) (role unknown)");
}

TEST_F(FormatTcpText, Open) {
  auto e = Of<TcpOpenView>(TcpRole::kServer);
  e.connection.role_inferred = true;
  EXPECT_EQ(Details(e), "192.0.2.1:443 -> 10.0.0.7:40000  server (role inferred)");
  e = Of<TcpOpenView>();
  EXPECT_EQ(Details(e), "10.0.0.7:40000 -> 192.0.2.1:443  client");
}

TEST_F(FormatTcpText, Listen_OneEnd) {
  auto e = Of<TcpListenView>(TcpRole::kServer);
  e.connection.local = {.address = {.is_v6 = true}, .port = 80};
  e.connection.remote = {};
  e.backlog = 128;
  EXPECT_EQ(Details(e), "[::]:80  backlog=128");
  e.connection.pre_existing = true;
  EXPECT_EQ(Details(e), "[::]:80  backlog=128 (was open)");
}

TEST_F(FormatTcpText, HostileName_IsEscaped) {
  auto e = Of<TcpDataView>();
  e.connection.owner->comm = "\x1b[2J\n";
  e.user = SocketUserView{.comm = "\r) by"};
  const std::string line = Text(e);
  EXPECT_NE(line.find("\\x1B[2J\\n"), std::string::npos) << line;
  EXPECT_NE(line.find("by 0($'\\r) by')"), std::string::npos) << line;
}

}  // namespace
}  // namespace masflow
