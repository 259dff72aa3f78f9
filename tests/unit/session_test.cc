// SPDX-License-Identifier: Apache-2.0
#include "masflow/session.h"

#include <chrono>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "test_support.h"

namespace masflow::internal {
namespace {

using std::chrono::microseconds;

absl::StatusCode CreateWithLatency(microseconds latency) {
  const FakeSource fake;
  return Session::Create({.source = fake.source(), .latency = latency}).status().code();
}

TEST(SessionCreate, Latency_OutOfRange_IsInvalid) {
  EXPECT_EQ(CreateWithLatency(microseconds(0)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateWithLatency(microseconds(-1)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateWithLatency(microseconds(99)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CreateWithLatency(microseconds(100)), absl::StatusCode::kOk);
  EXPECT_EQ(CreateWithLatency(microseconds(1'000'000)), absl::StatusCode::kOk);
  EXPECT_EQ(CreateWithLatency(microseconds(1'000'001)), absl::StatusCode::kInvalidArgument);
}

TEST(SessionCreate, CustomSource_Null_IsInvalid) {
  EXPECT_EQ(Session::Create({.source = CustomSource{}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(SessionCreate, Replay_NoSuchFile_IsNotFound) {
  EXPECT_EQ(Session::Create({.source = Replay{"/no/such/file"}}).status().code(),
            absl::StatusCode::kNotFound);
}

absl::StatusCode OpenWith(ProcessOptions options) {
  const FakeSource fake;
  Session session = NewSession(fake);
  return ProcessStream::Open(session, std::move(options)).status().code();
}

TEST(ProcessStreamOpen, Options_OutOfRange_AreInvalid) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kOk = absl::StatusCode::kOk;
  EXPECT_EQ(OpenWith({.args_limit = 0}), kOk);
  EXPECT_EQ(OpenWith({.args_limit = 16383}), kOk);
  EXPECT_EQ(OpenWith({.args_limit = 16384}), kInvalid);
  EXPECT_EQ(OpenWith({.ring_bytes = 0}), kInvalid);
  EXPECT_EQ(OpenWith({.ring_bytes = 2048}), kInvalid);
  EXPECT_EQ(OpenWith({.ring_bytes = 4096}), kOk);
  EXPECT_EQ(OpenWith({.ring_bytes = 4097}), kInvalid);
  EXPECT_EQ(OpenWith({.ring_bytes = 12288}), kInvalid);
  EXPECT_EQ(OpenWith({.ring_bytes = std::size_t{1} << 30}), kOk);
  EXPECT_EQ(OpenWith({.ring_bytes = std::size_t{1} << 31}), kInvalid);
}

TEST(ProcessStreamOpen, Filter_OutOfRange_IsInvalid) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kOk = absl::StatusCode::kOk;
  EXPECT_EQ(OpenWith({.filter = {.comms = {""}}}), kInvalid);
  EXPECT_EQ(OpenWith({.filter = {.comms = {"ok", std::string(16, 'c')}}}), kInvalid);
  EXPECT_EQ(OpenWith({.filter = {.comms = {std::string(15, 'c')}}}), kOk);
  const std::vector<std::uint32_t> many(1025, 1);
  EXPECT_EQ(OpenWith({.filter = {.pids = many}}), kInvalid);
  EXPECT_EQ(OpenWith({.filter = {.trees = many}}), kInvalid);
  EXPECT_EQ(OpenWith({.filter = {.uids = many}}), kInvalid);
  EXPECT_EQ(OpenWith({.filter = {.comms = std::vector<std::string>(1025, "c")}}), kInvalid);
  EXPECT_EQ(OpenWith({.filter = {.cgroups = std::vector<std::string>(1025, "/c")}}), kInvalid);
  EXPECT_EQ(OpenWith({.filter = {.pids = std::vector<std::uint32_t>(1024, 1)}}), kOk);
}

TEST(ProcessStreamOpen, AfterARefusal_Works) {
  const FakeSource fake;
  Session session = NewSession(fake);
  EXPECT_FALSE(ProcessStream::Open(session, {.ring_bytes = 1}).ok());
  EXPECT_TRUE(ProcessStream::Open(session).ok());
}

using SessionTest = FakeSessionTest;

TEST_F(SessionTest, Open_Twice_AlreadyExists) {
  EXPECT_EQ(ProcessStream::Open(*session_).status().code(), absl::StatusCode::kAlreadyExists);
  CollectExecs();
  fake_.Push(TestExec(1));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 1)) << "the first one is not affected";
}

TEST_F(SessionTest, Open_AfterTheFirstIsGone_Works) {
  fake_.Push(TestExec(1));
  DrainAll();
  processes_.reset();
  processes_ = OpenProcesses(*session_);
  CollectExecs();
  PushExecs(fake_, 2, 3);
  DrainAll();
  EXPECT_EQ(pids_, PidRange(2, 3));
  EXPECT_EQ(ProcessStats(*session_).produced, 2u) << "counted since the stream was opened";
}

TEST_F(SessionTest, Open_AfterStop_FailedPrecondition) {
  session_->Stop();
  EXPECT_EQ(ProcessStream::Open(*session_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SessionTest, Open_AfterTheSourceEnded_FailedPrecondition) {
  fake_.End();
  DrainAll();
  EXPECT_EQ(ProcessStream::Open(*session_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SessionTest, Drain_Budget_IsKept) {
  CollectExecs();
  PushExecs(fake_, 1, 10);
  for (const std::size_t expected : {4u, 4u, 2u}) {
    const DrainResult result = session_->Drain(4);
    EXPECT_EQ(result.records, expected);
    EXPECT_EQ(result.more, expected == 4);
    EXPECT_FALSE(result.ended);
  }
  EXPECT_EQ(pids_, PidRange(1, 10));
}

TEST_F(SessionTest, Drain_Zero_TakesAndLosesNothing) {
  CollectExecs();
  PushExecs(fake_, 1, 2);
  const DrainResult result = session_->Drain(0);
  EXPECT_EQ(result.records, 0u);
  EXPECT_TRUE(result.more);
  EXPECT_TRUE(Readable(session_->poll_fd()));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 2));
}

TEST_F(SessionTest, PollFd_IsReadableWhileThereIsMore) {
  DrainAll();
  EXPECT_FALSE(Readable(session_->poll_fd()));
  PushExecs(fake_, 1, 5);
  const int fd = session_->poll_fd();
  bool more = true;
  for (int turns = 0; more && turns < 10; ++turns) {
    EXPECT_TRUE(Readable(fd));
    EXPECT_TRUE(Readable(fd)) << "level-triggered";
    more = session_->Drain(2).more;
  }
  EXPECT_FALSE(more);
  EXPECT_FALSE(Readable(fd));
  fake_.Push(TestExec(6));
  EXPECT_TRUE(Readable(fd));
  EXPECT_EQ(session_->poll_fd(), fd);
}

TEST_F(SessionTest, PollFd_AfterTheEnd_StaysReadable) {
  session_->Stop();
  for (int turns = 0; turns < 3; ++turns) {
    EXPECT_TRUE(Readable(session_->poll_fd()));
    EXPECT_TRUE(session_->Drain(1).ended);
  }
}

TEST_F(SessionTest, Stop_RecordsLeft_NoneIsDelivered) {
  CollectExecs();
  PushExecs(fake_, 1, 5);
  session_->Drain(2);
  session_->Stop();
  session_->Stop();
  const DrainResult result = session_->Drain(10);
  EXPECT_TRUE(result.ended);
  EXPECT_FALSE(result.more);
  EXPECT_EQ(result.records, 0u);
  EXPECT_EQ(pids_, PidRange(1, 2));
}

TEST_F(SessionTest, Stop_Stats_StayAsTheyWere) {
  CollectExecs();
  PushExecs(fake_, 1, 3);
  fake_.Push(TestExit(3));
  fake_.PushLoss(TestLoss(4));
  DrainAll();
  session_->Stop();
  const StreamStats stats = ProcessStats(*session_);
  EXPECT_EQ(stats.produced, 8u);
  EXPECT_EQ(stats.delivered, 3u);
  EXPECT_EQ(stats.unheard, 1u);
  EXPECT_EQ(stats.lost_total(), 4u);
  ExpectBalanced(stats);
}

TEST_F(SessionTest, Stop_FromACallback_IsTheLastOne) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    if (e.process.id.pid == 2) {
      session_->Stop();
      session_->Stop();
    }
  });
  session_->OnLoss([](const Loss&) { FAIL() << "a callback after Stop"; });
  PushExecs(fake_, 1, 5);
  fake_.PushLoss(TestLoss(1));
  const DrainResult result = session_->Drain(10);
  EXPECT_TRUE(result.ended);
  EXPECT_FALSE(result.more);
  EXPECT_EQ(result.records, 2u);
  EXPECT_EQ(pids_, PidRange(1, 2));
  EXPECT_EQ(ProcessStats(*session_).delivered, 2u);
}

TEST_F(SessionTest, Loss_InBand_AfterTheRecordsOfTheTurn) {
  std::vector<std::string> seen;
  processes_->OnExec(
      [&](const ProcessExecView& e) { seen.push_back(std::to_string(e.process.id.pid)); });
  session_->OnLoss([&](const Loss& loss) {
    EXPECT_EQ(loss, TestLoss(loss.count));
    seen.push_back("lost " + std::to_string(loss.count));
  });
  fake_.Push(TestExec(1));
  fake_.PushLoss(TestLoss(7));
  fake_.Push(TestExec(2));
  DrainAll();
  fake_.Push(TestExec(3));
  fake_.PushLoss(TestLoss(8));
  fake_.PushLoss(TestLoss(9));
  DrainAll();
  EXPECT_EQ(seen, (std::vector<std::string>{"1", "2", "lost 7", "3", "lost 8", "lost 9"}));
  EXPECT_EQ(ProcessStats(*session_).lost_total(), 24u);
}

TEST_F(SessionTest, Loss_CallbackReplacedAndRemoved_OnlyTheLastOneIsCalled) {
  int first = 0;
  int second = 0;
  session_->OnLoss([&](const Loss&) { ++first; });
  session_->OnLoss([&](const Loss&) { ++second; });
  fake_.PushLoss(TestLoss(1));
  DrainAll();
  session_->OnLoss(nullptr);
  fake_.PushLoss(TestLoss(1));
  DrainAll();
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
  EXPECT_EQ(ProcessStats(*session_).lost_total(), 2u);
}

TEST_F(SessionTest, Stats_EveryFate_AddsUpToProduced) {
  CollectExecs();
  PushExecs(fake_, 1, 6);
  fake_.Push(TestExit(1));
  fake_.Push(TestFork(2));
  fake_.Push(ProcessExecFailure{});
  const std::vector<std::byte> junk(5, std::byte{0xff});
  fake_.PushRecord(StreamKind::kProcess, junk);
  for (std::size_t reason = 0; reason < kLossReasons; ++reason) {
    Loss loss = TestLoss(10 + reason);
    loss.reason = static_cast<LossReason>(reason);
    fake_.PushLoss(loss);
  }
  DrainAll();
  const StreamStats stats = ProcessStats(*session_);
  EXPECT_EQ(stats.delivered, 6u);
  EXPECT_EQ(stats.unheard, 3u);
  EXPECT_EQ(stats.malformed, 1u);
  EXPECT_EQ(stats.lost, (std::array<std::uint64_t, kLossReasons>{10, 11, 12, 13}));
  EXPECT_EQ(stats.produced, 56u);
  ExpectBalanced(stats);
}

TEST_F(SessionTest, End_OfTheSource_EndsAfterItsLastRecord) {
  CollectExecs();
  PushExecs(fake_, 1, 3);
  fake_.End();
  EXPECT_FALSE(session_->Drain(2).ended);
  EXPECT_TRUE(session_->Drain(2).ended);
  EXPECT_EQ(pids_, PidRange(1, 3));
  EXPECT_TRUE(session_->status().ok());
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(SessionTest, Wait_WithoutAThread_ReturnsAtOnce) {
  session_->Wait();
}

TEST_F(SessionTest, ToWallTime_IsTheSourcesClock) {
  EXPECT_EQ(session_->ToWallTime(At(5)).time_since_epoch().count(), 1'767'225'600'000'000'005);
}

TEST_F(SessionTest, ToWallTime_OfADamagedRecord_IsSafe) {
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(session_->ToWallTime(At(kMax)).time_since_epoch().count(), kMax);
  EXPECT_LT(session_->ToWallTime(At(kMin)), session_->ToWallTime(At(0)));
}

TEST_F(SessionTest, Support_NamesTheSource) {
  EXPECT_EQ(session_->support().source, "fake");
}

}  // namespace
}  // namespace masflow::internal
