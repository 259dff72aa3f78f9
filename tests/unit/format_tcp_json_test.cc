// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "masflow/format.h"

namespace masflow {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr WallTime kAt{nanoseconds(1'769'862'896'123'456'789)};

template <class Event>
Event Of(TcpRole role = TcpRole::kClient) {
  Event e;
  e.connection.id = {KernelTime(0x1A2Bns), 0xC0FFEE};
  e.connection.local = {.address = {.bytes = {10, 0, 0, 7}}, .port = 40000};
  e.connection.remote = {.address = {.bytes = {192, 0, 2, 1}}, .port = 443};
  e.connection.role = role;
  e.connection.netns = 4026531840;
  e.connection.owner = ProcessView{.id = {.pid = 12345, .start = 5s},
                                   .parent = {.pid = 1200, .start = 7ns},
                                   .uid = 1000,
                                   .gid = 100,
                                   .cgroup_id = 4711,
                                   .comm = "curl"};
  return e;
}

template <class Event>
std::string Json(const Event& event) {
  std::string out;
  AppendJson(event, kAt, &out);
  return out;
}

bool Has(const std::string& line, std::string_view text) {
  return line.find(text) != std::string::npos;
}

constexpr std::string_view kExtras =
    R"("masflow.comm":"curl","masflow.gid":100,"masflow.cgroup_id":4711,)"
    R"("masflow.process_start_ns":5000000000,"masflow.parent_start_ns":7})";

TEST(FormatTcpJson, Connect) {
  auto e = Of<TcpConnectView>();
  e.tid = 12346;
  e.handshake = 1'204us;
  EXPECT_EQ(Json(e),
            R"({"timestamp":"2026-01-31T12:34:56.123456789Z","event.name":"tcp.connect",)"
            R"("process.pid":12345,"process.parent_pid":1200,"process.real_user.id":1000,)"
            R"("source.address":"10.0.0.7","source.port":40000,)"
            R"("destination.address":"192.0.2.1","destination.port":443,)"
            R"("network.transport":"tcp","network.type":"ipv4",)"
            R"("masflow.connection_id":"1a2b-c0ffee","masflow.role":"client",)"
            R"("masflow.netns":4026531840,"masflow.tid":12346,"masflow.outcome":"connected",)"
            R"("masflow.handshake_ns":1204000,)" +
                std::string(kExtras));
}

TEST(FormatTcpJson, Connect_FailedBeforeItHadAnAddress) {
  auto e = Of<TcpConnectView>();
  e.connection.local = {.address = {.is_v6 = true}};
  e.connection.remote.address.is_v6 = true;
  e.outcome = ConnectOutcome::kFailed;
  e.error = ENETUNREACH;
  const std::string line = Json(e);
  EXPECT_FALSE(Has(line, "source.")) << line;
  EXPECT_FALSE(Has(line, "handshake")) << line;
  EXPECT_TRUE(Has(line, R"("network.type":"ipv6","error.type":"ENETUNREACH","masflow.errno":101,)"))
      << line;
  EXPECT_TRUE(Has(line, R"("masflow.outcome":"failed",)")) << line;
}

TEST(FormatTcpJson, Connect_Abandoned_IsNoError) {
  auto e = Of<TcpConnectView>();
  e.outcome = ConnectOutcome::kAbandoned;
  EXPECT_TRUE(Has(Json(e), R"("masflow.outcome":"abandoned",)"));
  EXPECT_FALSE(Has(Json(e), "error"));
}

TEST(FormatTcpJson, Accept) {
  auto e = Of<TcpAcceptView>(TcpRole::kServer);
  e.tid = 1;
  e.queued = 12us;
  e.connection.owner_inferred = true;
  const std::string line = Json(e);
  EXPECT_TRUE(Has(line, R"("source.address":"192.0.2.1","source.port":443,)")) << line;
  EXPECT_TRUE(Has(line, R"("masflow.role":"server","masflow.owner_inferred":true,)")) << line;
  EXPECT_TRUE(Has(line, R"("masflow.tid":1,"masflow.queued_ns":12000,)")) << line;
}

TEST(FormatTcpJson, Data_ByInterval) {
  auto e = Of<TcpDataView>();
  e.tx_bytes = 1;
  e.rx_bytes = std::numeric_limits<std::uint64_t>::max();
  e.tx_total_bytes = 3;
  e.rx_total_bytes = 4;
  e.span = 1s;
  EXPECT_TRUE(Has(Json(e), R"("masflow.netns":4026531840,"masflow.tx_bytes":1,)"
                           R"("masflow.rx_bytes":18446744073709551615,)"
                           R"("masflow.tx_total_bytes":3,"masflow.rx_total_bytes":4,)"
                           R"("masflow.span_ns":1000000000,"masflow.comm":"curl")"))
      << Json(e);
}

TEST(FormatTcpJson, Data_ByCallOfAnother) {
  auto e = Of<TcpDataView>();
  e.tid = 77;
  e.user = SocketUserView{.id = {.pid = 76, .start = 9ns}, .comm = "a\nb"};
  EXPECT_TRUE(Has(Json(e), R"("masflow.tid":77,"masflow.tx_bytes":0,"masflow.rx_bytes":0,)"
                           R"("masflow.user_pid":76,"masflow.user_start_ns":9,)"
                           R"("masflow.user_comm":"a\nb","masflow.comm":"curl")"))
      << Json(e);
}

TEST(FormatTcpJson, Close) {
  auto e = Of<TcpCloseView>();
  e.reason = CloseReason::kRemoteReset;
  e.error = ECONNRESET;
  e.closed_first = TcpEnd::kRemote;
  e.accepted = false;
  e.duration = 3'200us;
  e.tx_bytes = 1024;
  e.rx_bytes = 2;
  e.tx_segments = 5;
  e.rx_segments = 4;
  e.retransmits = 3;
  e.smoothed_rtt = 45us;
  e.min_rtt = 31us;
  EXPECT_TRUE(Has(Json(e), R"("error.type":"ECONNRESET","masflow.errno":104,)")) << Json(e);
  EXPECT_TRUE(Has(Json(e),
                  R"("masflow.close_reason":"remote reset","masflow.closed_first":"remote",)"
                  R"("masflow.accepted":false,"masflow.duration_ns":3200000,)"
                  R"("masflow.tx_bytes":1024,"masflow.rx_bytes":2,"masflow.tx_segments":5,)"
                  R"("masflow.rx_segments":4,"masflow.retransmits":3,)"
                  R"("masflow.smoothed_rtt_us":45,"masflow.min_rtt_us":31,)"))
      << Json(e);
}

TEST(FormatTcpJson, Close_AbsentStaysAbsent) {
  auto e = Of<TcpCloseView>();
  e.connection.owner.reset();
  e.connection.role.reset();
  const std::string line = Json(e);
  for (const std::string_view key :
       {"null", "process", "role", "inferred", "pre_existing", "errno", "error.type", "accepted",
        "duration", "first", "rtt", "user", "comm", "tid", "true", "false"}) {
    EXPECT_FALSE(Has(line, key)) << key << ' ' << line;
  }
}

TEST(FormatTcpJson, Open) {
  auto e = Of<TcpOpenView>(TcpRole::kServer);
  e.connection.role_inferred = true;
  e.connection.pre_existing = true;
  EXPECT_TRUE(Has(Json(e), R"("masflow.role":"server","masflow.role_inferred":true,)"
                           R"("masflow.pre_existing":true,"masflow.netns":4026531840,)" +
                               std::string(kExtras)))
      << Json(e);
}

TEST(FormatTcpJson, Listen_HasOneEnd) {
  auto e = Of<TcpListenView>(TcpRole::kServer);
  e.connection.local = {.address = {.is_v6 = true}, .port = 80};
  e.connection.remote = {};
  e.backlog = 128;
  const std::string line = Json(e);
  EXPECT_FALSE(Has(line, "source.")) << line;
  EXPECT_TRUE(Has(line, R"("destination.address":"::","destination.port":80,)"
                        R"("network.transport":"tcp","network.type":"ipv6",)"))
      << line;
  EXPECT_TRUE(Has(line, R"("masflow.backlog":128,"masflow.comm":"curl")")) << line;
}

}  // namespace
}  // namespace masflow
