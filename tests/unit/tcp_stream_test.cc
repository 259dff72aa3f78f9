// SPDX-License-Identifier: Apache-2.0
//
// TcpStream under a session, beside a ProcessStream.
#include "masflow/tcp_stream.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "asio_testing.h"
#include "masflow/asio.h"
#include "tcp_testing.h"

namespace masflow::internal {
namespace {

using boost::system::error_code;

class TcpStreamTest : public AsioTest {
 protected:
  TcpStreamTest() : tcp_(OpenTcp(*session_)) {}
  // The context must outlive the streams.
  ~TcpStreamTest() override { tcp_.reset(); }

  void Push(const TcpEvent& event) {
    std::visit([&](const auto& e) { fake_.Push(e); }, event);
  }
  void CollectTcp() {
    const auto keep = [this](const auto& view) { events_.emplace_back(Own(view)); };
    tcp_->OnConnect(keep);
    tcp_->OnAccept(keep);
    tcp_->OnData(keep);
    tcp_->OnClose(keep);
    tcp_->OnOpen(keep);
    tcp_->OnListen(keep);
  }

  std::optional<TcpStream> tcp_;
  std::vector<TcpEvent> events_;
};

TEST_F(TcpStreamTest, EachKind_GoesToItsCallback) {
  CollectTcp();
  for (const TcpEvent& event : OneOfEachTcpEvent()) {
    Push(event);
  }
  EXPECT_EQ(DrainAll(), 6u);
  EXPECT_EQ(events_, OneOfEachTcpEvent());
}

// No kind stands in for another.
TEST_F(TcpStreamTest, EachKind_WithoutItsCallback_IsUnheard) {
  tcp_->OnAccept([](const TcpAcceptView& e) { EXPECT_EQ(Own(e), Full<TcpAccept>()); });
  for (const TcpEvent& event : OneOfEachTcpEvent()) {
    Push(event);
  }
  DrainAll();
  EXPECT_EQ(TcpStats(*session_).delivered, 1u);
  EXPECT_EQ(TcpStats(*session_).unheard, 5u);
  tcp_->OnAccept(nullptr);
  fake_.Push(Full<TcpAccept>());
  DrainAll();
  EXPECT_EQ(TcpStats(*session_).unheard, 6u);
  ExpectBalanced(TcpStats(*session_));
}

TEST_F(TcpStreamTest, BesideProcesses_EachStreamHasItsOwnEventsAndCounts) {
  CollectTcp();
  CollectExecs();
  fake_.Push(TestConnect(5));
  PushExecs(fake_, 1, 3);
  fake_.Push(TestClose(5));
  fake_.PushRecord(StreamKind::kTcp, EncodeRecord(TestExec(1)));
  fake_.PushLoss({.stream = StreamKind::kTcp, .reason = LossReason::kTableFull, .count = 2});
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 3));
  EXPECT_EQ(events_, (std::vector<TcpEvent>{TestConnect(5), TestClose(5)}));
  const StreamStats tcp = TcpStats(*session_);
  EXPECT_EQ(tcp.produced, 5u);
  EXPECT_EQ(tcp.delivered, 2u);
  EXPECT_EQ(tcp.malformed, 1u) << "a process record";
  EXPECT_EQ(tcp.lost[static_cast<std::size_t>(LossReason::kTableFull)], 2u);
  ExpectBalanced(tcp);
  EXPECT_EQ(ProcessStats(*session_).produced, 3u);
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(TcpStreamTest, Destroyed_ProcessesGoOnAndItCanBeOpenedAgain) {
  CollectTcp();
  CollectExecs();
  EXPECT_EQ(TcpStream::Open(*session_).status().code(), absl::StatusCode::kAlreadyExists);
  tcp_.reset();
  PushExecs(fake_, 1, 1);
  DrainAll();
  tcp_ = OpenTcp(*session_);
  CollectTcp();
  fake_.Push(TestConnect(5));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 1));
  EXPECT_EQ(events_, std::vector<TcpEvent>{TestConnect(5)});
}

TEST_F(TcpStreamTest, Callback_MayDestroyTheOtherStream) {
  CollectExecs();
  tcp_->OnConnect([this](const TcpConnectView&) { processes_.reset(); });
  PushExecs(fake_, 1, 1);
  fake_.Push(TestConnect(5));
  DrainAll();
  PushExecs(fake_, 2, 2);
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 1));
}

TEST_F(TcpStreamTest, AsyncNext_GetsEachKindInOrder) {
  Drive();
  for (const TcpEvent& event : OneOfEachTcpEvent()) {
    driver_->AsyncNext(*tcp_, [this](error_code error, TcpEvent next) {
      EXPECT_FALSE(error);
      events_.push_back(std::move(next));
    });
    Push(event);
    Poll();
  }
  EXPECT_EQ(events_, OneOfEachTcpEvent());
}

// A stream from which nobody takes an event holds up no other one.
TEST_F(TcpStreamTest, AsyncNext_OfBothStreams_EachWaitsForItsOwn) {
  Drive();
  std::vector<ProcessEvent> execs;
  const auto next_exec = [&] {
    driver_->AsyncNext(*processes_, [&](error_code, ProcessEvent e) { execs.push_back(e); });
    Poll();
  };
  const auto next_tcp = [&] {
    driver_->AsyncNext(*tcp_, [this](error_code, TcpEvent e) { events_.push_back(e); });
    Poll();
  };
  next_exec();
  next_tcp();
  PushExecs(fake_, 1, 2);
  fake_.Push(TestConnect(5));
  fake_.Push(TestClose(5));
  Poll();
  EXPECT_EQ(execs, std::vector<ProcessEvent>{TestExec(1)});
  EXPECT_EQ(events_, std::vector<TcpEvent>{TestConnect(5)});
  next_tcp();
  EXPECT_EQ(events_, (std::vector<TcpEvent>{TestConnect(5), TestClose(5)}));
  next_exec();
  EXPECT_EQ(execs, (std::vector<ProcessEvent>{TestExec(1), TestExec(2)}));
}

TEST_F(TcpStreamTest, AsyncNext_AtTheEnd_IsEof) {
  Drive();
  error_code got;
  driver_->AsyncNext(*tcp_, [&](error_code error, TcpEvent) { got = error; });
  fake_.End();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(got, asio::error::eof);
}

TEST(TcpStream, Open_OptionOutOfRange_SaysWhich) {
  const FakeSource fake;
  Session session = NewSession(fake);
  struct Case {
    TcpOptions options;
    const char* says;
  };
  const std::vector<std::uint16_t> many(1025, 80);
  for (const Case& c : std::vector<Case>{
           {{.max_connections = 63}, "max_connections"},
           {{.max_connections = (1u << 22) + 1}, "max_connections"},
           {{.data_interval = std::chrono::milliseconds(9)}, "data_interval"},
           {{.data_interval = std::chrono::milliseconds(3'600'001)}, "data_interval"},
           {{.ring_bytes = 5000}, "ring_bytes"},
           {{.filter = {.ports = many}}, "1,024"},
           {{.filter = {.local_ports = many}}, "1,024"},
           {{.filter = {.remote_ports = many}}, "1,024"},
           {{.filter = {.addresses = std::vector<std::string>(1025, "::1")}}, "1,024"},
           {{.filter = {.addresses = {"10.0.0.1/8"}}}, "addresses: \"10.0.0.1/8\" has bits"},
           {{.filter = {.process = {.comms = {""}}}}, "comms"}}) {
    const absl::Status status = TcpStream::Open(session, c.options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.says;
    EXPECT_NE(status.message().find(c.says), absl::string_view::npos) << status;
  }
}

TEST(TcpStream, Open_AtTheEdgesOfTheRanges_Works) {
  for (const TcpOptions& options :
       {TcpOptions{.data_interval = std::chrono::milliseconds(10), .max_connections = 64},
        TcpOptions{.data_interval = std::chrono::hours(1), .max_connections = 1u << 22},
        TcpOptions{.filter = {.ports = std::vector<std::uint16_t>(1024, 80)}}}) {
    const FakeSource fake;
    Session session = NewSession(fake);
    EXPECT_TRUE(TcpStream::Open(session, options).ok());
  }
}

}  // namespace
}  // namespace masflow::internal
