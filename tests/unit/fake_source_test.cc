// SPDX-License-Identifier: Apache-2.0
#include "masflow/testing/fake_source.h"

#include <fcntl.h>

#include <string>
#include <thread>
#include <type_traits>

#include <gtest/gtest.h>

#include "replay_testing.h"
#include "tcp_testing.h"
#include "wire/process_encode.h"
#include "wire/process_record.h"

namespace masflow::internal {
namespace {

using masflow::testing::FakeSource;
using What = Delivery::What;

constexpr StreamKind kProcess = StreamKind::kProcess;

// The event that comes out of the wire form of `event`.
template <class Event>
Event RoundTrip(const Event& event) {
  const Bytes bytes = EncodeRecord(event);
  ProcessDecoder decoder;
  const auto view = decoder.Decode(bytes);
  if (!view.has_value()) {
    ADD_FAILURE() << "malformed";
    return {};
  }
  return std::visit(
      [](const auto& v) {
        if constexpr (std::is_same_v<decltype(Own(v)), Event>) {
          return Own(v);
        } else {
          ADD_FAILURE() << "of another kind";
          return Event{};
        }
      },
      *view);
}

TEST(ProcessEncode, ExecComesBackAsItWas) {
  ProcessExec e = TestExec(42, 7);
  e.tid = 43;
  e.euid = 0;
  e.egid = 5;
  e.filename = "./ls";
  e.filename_truncated = true;
  e.executable_unlinked = true;
  e.args_total_bytes = 9;
  EXPECT_EQ(RoundTrip(e), e);
  e.executable = "memfd:a/b";
  EXPECT_EQ(RoundTrip(e), e);
  e.executable = "/a";
  e.executable_truncated = true;
  e.args = "";
  e.args_total_bytes = 0;
  EXPECT_EQ(RoundTrip(e), e);
  e.executable = std::nullopt;
  e.executable_truncated = e.executable_unlinked = false;
  e.args = std::nullopt;
  e.filename = "";
  e.filename_truncated = false;
  e.pre_existing = true;
  EXPECT_EQ(RoundTrip(e), e);
  EXPECT_EQ(RoundTrip(ProcessExec{}), ProcessExec{});
}

TEST(ProcessEncode, ExecIsCutToWhatTheKernelCouldSend) {
  ProcessExec e = TestExec(42);
  e.process.comm = "a-name-of-more-than-15-bytes";
  e.filename = std::string(5000, 'f');
  e.executable = "";
  for (int i = 0; i < 60; ++i) {
    *e.executable += "/d" + std::to_string(i);
  }
  e.args = std::string(20000, 'a');
  e.args_total_bytes = 0;
  const ProcessExec back = RoundTrip(e);
  EXPECT_EQ(back.process.comm, "a-name-of-more-");
  EXPECT_EQ(back.filename, std::string(4095, 'f'));
  EXPECT_TRUE(back.filename_truncated);
  EXPECT_EQ(back.executable->substr(0, 8), "/d12/d13");
  EXPECT_TRUE(back.executable->ends_with("/d59"));
  EXPECT_TRUE(back.executable_truncated);
  EXPECT_EQ(back.args, std::string(16383, 'a'));
  EXPECT_EQ(back.args_total_bytes, 20000u);
  EXPECT_TRUE(back.args_truncated());
}

TEST(ProcessEncode, LongPathsAreCutFromTheFront) {
  ProcessExec e = TestExec(42);
  for (int i = 0; i < 30; ++i) {
    *e.executable += "/" + std::string(200, 'x');
  }
  const ProcessExec back = RoundTrip(e);
  EXPECT_TRUE(back.executable_truncated);
  EXPECT_TRUE(e.executable->ends_with(*back.executable));
  e.executable = std::string(5000, 'x');  // off the tree
  EXPECT_EQ(RoundTrip(e).executable, std::string(4095, 'x'));
}

TEST(ProcessEncode, ExitComesBackAsItWas) {
  ProcessExit e = TestExit(42);
  e.exit_code = std::uint8_t{255};
  EXPECT_EQ(RoundTrip(e), e);
  e.exit_code = std::nullopt;
  e.signal = std::uint8_t{11};
  EXPECT_EQ(RoundTrip(e), e);
  e.core_dumped = true;
  EXPECT_EQ(RoundTrip(e), e);
}

TEST(ProcessEncode, ForkAndExecFailureComeBackAsTheyWere) {
  EXPECT_EQ(RoundTrip(TestFork(42, 7)), TestFork(42, 7));
  ProcessExecFailure e = {.time = At(9), .process = TestProcess(42, 7), .tid = 43, .error = 2};
  EXPECT_EQ(RoundTrip(e), e);
  e.filename = "";
  EXPECT_EQ(RoundTrip(e), e);
  e.filename = "/no/such";
  e.filename_truncated = true;
  EXPECT_EQ(RoundTrip(e), e);
  e.filename = std::string(600, 'f');
  EXPECT_EQ(RoundTrip(e).filename, std::string(511, 'f'));
}

class FakeSourceTest : public ::testing::Test {
 protected:
  void Open() { ASSERT_TRUE(source_.Open(kAllProcesses).ok()); }

  FakeSource fake_;
  const std::shared_ptr<RecordSource> keep_ = fake_.source().source;
  RecordSource& source_ = *keep_;
  TestSink sink_;
};

TEST_F(FakeSourceTest, HandsOutInOrderAndThenSaysCaughtUp) {
  Open();
  fake_.Push(TestExec(1));
  fake_.Push(TestFork(2));
  fake_.Push(TestExit(1));
  EXPECT_TRUE(Readable(source_));
  const DrainResult result = source_.Drain(10, sink_);
  EXPECT_EQ(result.records, 3u);
  EXPECT_FALSE(result.more);
  EXPECT_FALSE(result.ended);
  EXPECT_FALSE(Readable(source_));
  EXPECT_EQ(sink_.records(),
            (std::vector<Bytes>{EncodeRecord(TestExec(1)), EncodeRecord(TestFork(2)),
                                EncodeRecord(TestExit(1))}));
  EXPECT_EQ(sink_.log.back().what, What::kCaughtUp);
  EXPECT_EQ(source_.Counters(kProcess).produced, 3u);
}

TEST_F(FakeSourceTest, TcpEventsAreOfTheirOwnStream) {
  ASSERT_TRUE(source_.Open(TcpOptions{}).ok());
  fake_.Push(TestExec(1));
  for (const TcpEvent& event : OneOfEachTcpEvent()) {
    std::visit([this](const auto& e) { fake_.Push(e); }, event);
  }
  EXPECT_EQ(source_.Drain(10, sink_).records, 6u);
  EXPECT_EQ(sink_.records(), OneOfEachTcpRecord());
  EXPECT_EQ(sink_.log.front().stream, StreamKind::kTcp);
  EXPECT_EQ(sink_.log.back().what, What::kCaughtUp);
  EXPECT_EQ(source_.Counters(StreamKind::kTcp).produced, 6u);
  EXPECT_EQ(source_.Counters(kProcess).produced, 0u) << "not open yet";
}

TEST_F(FakeSourceTest, SaysCaughtUpOnceAfterOpenAlsoWithoutARecord) {
  Open();
  EXPECT_TRUE(Readable(source_));
  source_.Drain(10, sink_);
  source_.Drain(10, sink_);
  EXPECT_EQ(sink_.log, (std::vector<Delivery>{{.what = What::kCaughtUp}}));
}

TEST_F(FakeSourceTest, KeepsTheBudget) {
  Open();
  for (std::uint32_t pid = 1; pid <= 5; ++pid) {
    fake_.Push(TestExec(pid));
  }
  for (const std::size_t expected : {2u, 2u, 1u}) {
    EXPECT_TRUE(Readable(source_));
    const DrainResult result = source_.Drain(2, sink_);
    EXPECT_EQ(result.records, expected);
    EXPECT_EQ(result.more, expected == 2);
  }
  EXPECT_EQ(sink_.Count(What::kCaughtUp), 1u);
}

TEST_F(FakeSourceTest, WhatIsPushedBeforeOpenWaitsForIt) {
  fake_.Push(TestExec(1));
  fake_.PushLoss(TestLoss(3));
  EXPECT_FALSE(Readable(source_));
  EXPECT_EQ(source_.Drain(10, sink_).records, 0u);
  EXPECT_TRUE(sink_.log.empty());
  EXPECT_EQ(source_.Counters(kProcess).produced, 0u);
  Open();
  EXPECT_EQ(source_.Drain(10, sink_).records, 1u);
  EXPECT_EQ(sink_.log.back().what, What::kLoss);
  EXPECT_EQ(source_.Counters(kProcess).produced, 4u);
}

TEST_F(FakeSourceTest, PauseHoldsTheStreamWithoutWakingAnyone) {
  Open();
  fake_.Push(TestExec(1));
  fake_.Push(TestExec(2));
  sink_.react = [](const Delivery&) { return Verdict::kPause; };
  EXPECT_EQ(source_.Drain(10, sink_).records, 1u);
  EXPECT_FALSE(Readable(source_));
  fake_.Push(TestExec(3));
  EXPECT_FALSE(Readable(source_));
  EXPECT_EQ(source_.Drain(10, sink_).records, 0u);
  source_.SetPaused(kProcess, false);
  EXPECT_TRUE(Readable(source_));
  EXPECT_EQ(source_.Drain(10, sink_).records, 1u);
  EXPECT_EQ(sink_.log.size(), 2u);
}

TEST_F(FakeSourceTest, StopEndsTheTurn) {
  Open();
  fake_.Push(TestExec(1));
  fake_.Push(TestExec(2));
  sink_.react = [](const Delivery&) { return Verdict::kStop; };
  const DrainResult result = source_.Drain(10, sink_);
  EXPECT_EQ(result.records, 1u);
  EXPECT_TRUE(result.more);
  EXPECT_TRUE(Readable(source_));
}

TEST_F(FakeSourceTest, CaughtUpIsRepeatedUntilTheStreamHoldsNothingBack) {
  Open();
  fake_.End();
  int left = 3;
  sink_.react = [&](const Delivery&) { return --left > 0 ? Verdict::kStop : Verdict::kContinue; };
  for (int i = 0; i < 2; ++i) {
    const DrainResult asked = source_.Drain(10, sink_);
    EXPECT_FALSE(asked.more || asked.ended);
    EXPECT_FALSE(Readable(source_));  // the sink cares for the next turn
  }
  EXPECT_TRUE(source_.Drain(10, sink_).ended);
}

TEST_F(FakeSourceTest, LossIsCountedAndComesLast) {
  Open();
  fake_.PushLoss(TestLoss(3));
  fake_.Push(TestExec(1));
  EXPECT_TRUE(Readable(source_));
  source_.Drain(10, sink_);
  ASSERT_EQ(sink_.log.size(), 3u);
  EXPECT_EQ(sink_.log.back().loss, TestLoss(3));
  EXPECT_EQ(source_.Counters(kProcess).produced, 4u);
  EXPECT_EQ(source_.Counters(kProcess).lost[0], 3u);
  source_.Drain(10, sink_);
  EXPECT_EQ(sink_.Count(What::kLoss), 1u);
}

TEST_F(FakeSourceTest, EndsOnceAllIsDrained) {
  Open();
  fake_.Push(TestExec(1));
  fake_.Push(TestExec(2));
  fake_.End();
  EXPECT_FALSE(source_.Drain(1, sink_).ended);
  EXPECT_TRUE(source_.Drain(1, sink_).ended);
  EXPECT_TRUE(source_.EndStatus().ok());
}

TEST_F(FakeSourceTest, DoesNotEndWhileARecordWaitsForItsStream) {
  fake_.Push(TestExec(1));
  fake_.End();
  EXPECT_FALSE(source_.Drain(10, sink_).ended);
  Open();
  EXPECT_TRUE(source_.Drain(10, sink_).ended);
  EXPECT_EQ(sink_.records().size(), 1u);
}

TEST_F(FakeSourceTest, EndsWithoutAStreamIfNothingWasPushed) {
  fake_.End();
  EXPECT_TRUE(Readable(source_));
  EXPECT_TRUE(source_.Drain(10, sink_).ended);
}

TEST_F(FakeSourceTest, CloseDropsWhatIsLeft) {
  Open();
  fake_.Push(TestExec(1));
  source_.Close(kProcess);
  EXPECT_EQ(source_.Counters(kProcess).produced, 0u);
  Open();
  EXPECT_EQ(source_.Drain(10, sink_).records, 0u);
}

TEST_F(FakeSourceTest, CallbacksMayPush) {
  Open();
  fake_.Push(TestExec(1));
  sink_.react = [&](const Delivery& delivery) {
    if (delivery.record == EncodeRecord(TestExec(1))) {
      fake_.Push(TestExec(2));
    }
    return Verdict::kContinue;
  };
  EXPECT_EQ(source_.Drain(10, sink_).records, 2u);
}

TEST_F(FakeSourceTest, PassesOnBytesThatAreNoRecord) {
  Open();
  const Bytes junk(3, std::byte{0xff});
  fake_.PushRecord(kProcess, junk);
  source_.Drain(10, sink_);
  EXPECT_EQ(sink_.records(), std::vector<Bytes>{junk});
}

TEST_F(FakeSourceTest, WakeMakesItReadableUntilTheNextDrain) {
  Open();
  source_.Drain(10, sink_);
  EXPECT_FALSE(Readable(source_));
  source_.Wake();
  EXPECT_TRUE(Readable(source_));
  source_.Drain(10, sink_);
  EXPECT_FALSE(Readable(source_));
  EXPECT_NE(fcntl(source_.poll_fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(FakeSourceTest, ClockStandsStill) {
  EXPECT_EQ(source_.Clock().monotonic_ns, 0);
  EXPECT_EQ(source_.Clock().realtime_ns, 1'767'225'600'000'000'000);
}

TEST_F(FakeSourceTest, AnyThreadMayPush) {
  Open();
  constexpr std::uint32_t kEach = 2000;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([this] {
      for (std::uint32_t pid = 1; pid <= kEach; ++pid) {
        fake_.Push(TestExit(pid));
      }
    });
  }
  while (sink_.records().size() < kEach) {
    source_.Drain(500, sink_);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  DrainAll(source_, sink_);
  EXPECT_EQ(sink_.records().size(), 3 * kEach);
}

}  // namespace
}  // namespace masflow::internal
