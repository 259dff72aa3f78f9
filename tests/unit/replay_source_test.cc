// SPDX-License-Identifier: Apache-2.0
#include "replay/replay_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>

#include <gtest/gtest.h>

#include "replay_testing.h"
#include "wire/process_encode.h"

namespace masflow::internal {
namespace {

using masflow::testing::FakeSource;
using What = Delivery::What;

constexpr StreamKind kProcess = StreamKind::kProcess;

std::string Execs(std::uint32_t count) {
  return WriteRecording([&](RecordingWriter& writer) {
    for (std::uint32_t pid = 1; pid <= count; ++pid) {
      writer.AddRecord(kProcess, EncodeRecord(TestExec(pid)));
    }
  });
}

std::shared_ptr<RecordSource> Source(const std::string& bytes,
                                     const ProcessOptions& options = kAllProcesses) {
  auto source = MakeReplaySource(MemFile(bytes), "r.mfr");
  EXPECT_TRUE(source.ok()) << source.status();
  EXPECT_TRUE((*source)->Open(options).ok());
  return *source;
}

TEST(ReplaySource, HandsOutWhatTheRecordingSessionGot) {
  const Recorded recorded = Record([](FakeSource& fake, RecordSource& source, RecordSink& sink) {
    ProcessExec running = TestExec(9);
    running.pre_existing = true;
    fake.Push(running);
    source.Drain(10, sink);
    for (std::uint32_t pid = 10; pid < 30; ++pid) {
      fake.Push(TestFork(pid));
      fake.Push(TestExec(pid));
      fake.Push(TestExit(pid));
      source.Drain(7, sink);
    }
    fake.PushRecord(kProcess, Bytes(5));  // malformed
    fake.PushLoss(TestLoss(4));
    DrainAll(source, sink);
  });
  for (const std::size_t max : {1u, 3u, 1000u}) {
    const Replayed replayed = ReplayAll(recorded.bytes, max);
    EXPECT_TRUE(replayed.ended.ok()) << replayed.ended;
    EXPECT_EQ(replayed.log, recorded.log);
    EXPECT_EQ(replayed.counters.produced, 1u + 3 * 20 + 1 + 4);
    EXPECT_EQ(replayed.counters.lost[0], 4u);
  }
}

TEST(ReplaySource, WaitsForAStreamAtItsBeginning) {
  auto source = MakeReplaySource(MemFile(Execs(2)), "r.mfr");
  ASSERT_TRUE(source.ok());
  EXPECT_FALSE(Readable(**source));
  TestSink sink;
  const DrainResult none = (*source)->Drain(10, sink);
  EXPECT_FALSE(none.ended || none.more);
  EXPECT_TRUE(sink.log.empty());
  ASSERT_TRUE((*source)->Open(kAllProcesses).ok());
  EXPECT_TRUE(Readable(**source));
  const DrainResult all = (*source)->Drain(10, sink);
  EXPECT_EQ(all.records, 2u);
  EXPECT_TRUE(all.ended);
}

TEST(ReplaySource, KeepsTheBudgetAndStaysReadable) {
  const auto source = Source(Execs(5));
  TestSink sink;
  for (const std::size_t expected : {2u, 2u, 1u}) {
    EXPECT_TRUE(Readable(*source));
    const DrainResult result = source->Drain(2, sink);
    EXPECT_EQ(result.records, expected);
    EXPECT_EQ(result.more, expected == 2);
    EXPECT_EQ(result.ended, expected == 1);
  }
  EXPECT_TRUE(source->Drain(2, sink).ended);
  EXPECT_EQ(sink.log.size(), 6u);
  EXPECT_EQ(sink.log.back().what, What::kCaughtUp);
}

TEST(ReplaySource, APausedStreamHoldsTheReplay) {
  const auto source = Source(Execs(3));
  TestSink sink;
  sink.react = [](const Delivery&) { return Verdict::kPause; };
  for (std::size_t taken = 1; taken <= 3; ++taken) {
    const DrainResult result = source->Drain(10, sink);
    EXPECT_EQ(result.records, 1u);
    EXPECT_FALSE(result.more || result.ended);
    EXPECT_FALSE(Readable(*source));
    EXPECT_EQ(source->Drain(10, sink).records, 0u);
    source->SetPaused(kProcess, false);
    EXPECT_TRUE(Readable(*source));
  }
  sink.react = nullptr;
  EXPECT_TRUE(source->Drain(10, sink).ended);
}

TEST(ReplaySource, TheSinkMayPauseAndResumeFromWithinDrain) {
  const auto source = Source(Execs(3));
  TestSink sink;
  sink.react = [&](const Delivery& delivery) {
    source->SetPaused(kProcess, delivery.record != EncodeRecord(TestExec(1)));
    return Verdict::kContinue;
  };
  EXPECT_EQ(source->Drain(10, sink).records, 2u);
  EXPECT_FALSE(Readable(*source));
}

TEST(ReplaySource, StopEndsTheTurn) {
  const auto source = Source(Execs(2));
  TestSink sink;
  sink.react = [](const Delivery&) { return Verdict::kStop; };
  const DrainResult result = source->Drain(10, sink);
  EXPECT_EQ(result.records, 1u);
  EXPECT_TRUE(result.more);
  EXPECT_TRUE(Readable(*source));
}

TEST(ReplaySource, CaughtUpStandsWhereItStood) {
  const auto source = Source(WriteRecording([](RecordingWriter& writer) {
    writer.AddRecord(kProcess, EncodeRecord(TestExec(1)));
    writer.AddCaughtUp(kProcess);
    writer.AddRecord(kProcess, EncodeRecord(TestExec(2)));
  }));
  TestSink sink;
  DrainAll(*source, sink);
  std::vector<What> order;
  for (const Delivery& delivery : sink.log) {
    order.push_back(delivery.what);
  }
  EXPECT_EQ(order, (std::vector{What::kRecord, What::kCaughtUp, What::kRecord, What::kCaughtUp}));
}

// The stream holds three records back, and hands them out as it is asked for them.
TEST(ReplaySource, CaughtUpIsRepeatedUntilTheStreamHoldsNothingBack) {
  const auto source = Source(WriteRecording([](RecordingWriter& writer) {
    writer.AddRecord(kProcess, EncodeRecord(TestExec(1)));
    writer.AddCaughtUp(kProcess);
    writer.AddRecord(kProcess, EncodeRecord(TestExec(2)));
  }));
  TestSink sink;
  int held = 3;
  sink.react = [&](const Delivery& delivery) {
    return delivery.what == What::kCaughtUp && --held > 0 ? Verdict::kPause : Verdict::kContinue;
  };
  EXPECT_EQ(source->Drain(10, sink).records, 1u);
  EXPECT_FALSE(Readable(*source));
  source->SetPaused(kProcess, false);
  EXPECT_EQ(source->Drain(10, sink).records, 0u);
  source->SetPaused(kProcess, false);
  const DrainResult last = source->Drain(10, sink);
  EXPECT_EQ(last.records, 1u);
  EXPECT_TRUE(last.ended);
}

TEST(ReplaySource, DoesNotEndWhileTheStreamHoldsRecordsBack) {
  const auto source = Source(Execs(1));
  TestSink sink;
  Verdict answer = Verdict::kPause;
  sink.react = [&](const Delivery& delivery) {
    return delivery.what == What::kCaughtUp ? answer : Verdict::kContinue;
  };
  EXPECT_FALSE(source->Drain(10, sink).ended);
  EXPECT_FALSE(Readable(*source));
  source->SetPaused(kProcess, false);
  answer = Verdict::kStop;
  const DrainResult asked = source->Drain(10, sink);
  EXPECT_FALSE(asked.more || asked.ended);
  EXPECT_FALSE(Readable(*source));  // the sink cares for the next turn
  answer = Verdict::kContinue;
  EXPECT_TRUE(source->Drain(10, sink).ended);
}

TEST(ReplaySource, LossEndsATurn) {
  const auto source = Source(WriteRecording([](RecordingWriter& writer) {
    writer.AddRecord(kProcess, EncodeRecord(TestExec(1)));
    writer.AddLoss(TestLoss(2));
    writer.AddLoss(TestLoss(3));
    writer.AddRecord(kProcess, EncodeRecord(TestExec(2)));
  }));
  TestSink sink;
  const DrainResult result = source->Drain(10, sink);
  EXPECT_EQ(result.records, 1u);
  EXPECT_TRUE(result.more);
  ASSERT_EQ(sink.log.size(), 3u);
  EXPECT_EQ(sink.log[2].loss, TestLoss(3));
  EXPECT_TRUE(source->Drain(10, sink).ended);
  EXPECT_EQ(source->Counters(kProcess).produced, 7u);
}

TEST(ReplaySource, FilteredRecordsAreNotProducedAndDoNotBlockTheHost) {
  ProcessOptions options;
  options.filter.pids = {9999};
  const auto source = Source(Execs(10'000), options);
  TestSink sink;
  const DrainResult first = source->Drain(10, sink);
  EXPECT_EQ(first.records, 0u);
  EXPECT_TRUE(first.more);
  EXPECT_TRUE(Readable(*source));
  EXPECT_TRUE(DrainAll(*source, sink).ended);
  EXPECT_EQ(sink.records(), std::vector<Bytes>{EncodeRecord(TestExec(9999))});
  EXPECT_EQ(source->Counters(kProcess).produced, 1u);
}

TEST(ReplaySource, TreesKnowTheSnapshotWhateverItsOrder) {
  const std::string bytes = WriteRecording([](RecordingWriter& writer) {
    for (const auto& [pid, ppid] : {std::pair{10u, 60u}, {50u, 1u}, {60u, 50u}, {70u, 1u}}) {
      ProcessExec e = TestExec(pid, ppid);
      e.pre_existing = true;
      writer.AddRecord(kProcess, EncodeRecord(e));
    }
    writer.AddCaughtUp(kProcess);
  });
  ProcessOptions options;
  options.snapshot = true;
  options.filter.trees = {50};
  const auto source = Source(bytes, options);
  TestSink sink;
  EXPECT_EQ(DrainAll(*source, sink).records, 3u);
}

TEST(ReplaySource, CgroupsCannotBeFiltered) {
  auto source = MakeReplaySource(MemFile(Execs(1)), "r.mfr");
  ASSERT_TRUE(source.ok());
  ProcessOptions options;
  options.filter.cgroups = {"/kubepods"};
  EXPECT_EQ((*source)->Open(options).code(), absl::StatusCode::kUnimplemented);
  EXPECT_FALSE(Readable(**source));
}

TEST(ReplaySource, ClockFollowsTheRecording) {
  const auto source = Source(WriteRecording([](RecordingWriter& writer) {
    writer.AddRecord(kProcess, EncodeRecord(TestExec(1)));
    writer.AddClock({.monotonic_ns = 50, .realtime_ns = 5000});
    writer.AddRecord(kProcess, EncodeRecord(TestExec(2)));
  }));
  EXPECT_EQ(source->Clock().realtime_ns, 1001);
  TestSink sink;
  std::vector<std::int64_t> seen;
  sink.react = [&](const Delivery&) {
    seen.push_back(source->Clock().realtime_ns);
    return Verdict::kContinue;
  };
  DrainAll(*source, sink);
  EXPECT_EQ(seen, (std::vector<std::int64_t>{1001, 5000, 5000}));
}

TEST(ReplaySource, SupportTellsOfTheRecordedMachine) {
  const SupportReport report = Source(Execs(1))->Support();
  EXPECT_EQ(report.source, "recording r.mfr");
  EXPECT_EQ(report.kernel, "6.1.0-13");
  EXPECT_EQ(report.architecture, "x86_64");
  EXPECT_EQ(report.cgroup_hierarchy, "cgroup v2");
}

TEST(ReplaySource, CloseForgetsTheCountsAndReopenGoesOn) {
  const auto source = Source(Execs(4));
  TestSink sink;
  source->Drain(2, sink);
  EXPECT_EQ(source->Counters(kProcess).produced, 2u);
  source->Close(kProcess);
  EXPECT_EQ(source->Counters(kProcess).produced, 0u);
  EXPECT_EQ(source->Drain(10, sink).records, 0u);
  ASSERT_TRUE(source->Open(kAllProcesses).ok());
  EXPECT_TRUE(Readable(*source));
  EXPECT_EQ(source->Drain(10, sink).records, 2u);
}

TEST(ReplaySource, ARecordingLargerThanItsBuffer) {
  const std::string bytes = Execs(20'000);
  EXPECT_GT(bytes.size(), std::size_t{2} << 20);
  const Replayed replayed = ReplayAll(bytes, 256);
  EXPECT_TRUE(replayed.ended.ok()) << replayed.ended;
  EXPECT_EQ(replayed.counters.produced, 20'000u);
}

TEST(ReplaySource, OpensAFileByName) {
  const ScratchDir dir;
  WriteFile(dir / "r.mfr", Execs(2));
  const auto source = MakeReplaySource(Replay{.path = dir / "r.mfr"});
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ((*source)->Support().source, "recording " + dir / "r.mfr");
  EXPECT_NE(fcntl((*source)->poll_fd(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(ReplaySource, SaysWhyAFileCannotBeOpened) {
  const ScratchDir dir;
  const auto none = MakeReplaySource(Replay{.path = dir / "none"}).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(none.message(),
            "cannot open recording " + (dir / "none") + ": No such file or directory");
  ASSERT_EQ(mkfifo((dir / "fifo").c_str(), 0600), 0);
  for (const std::string& path : {dir / "fifo", dir / "", std::string("/dev/null")}) {
    const auto status = MakeReplaySource(Replay{.path = path}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
}

}  // namespace
}  // namespace masflow::internal
