// SPDX-License-Identifier: Apache-2.0
//
// Recorder and replay under a whole session: what the host of a recording sees is what
// the host of its replay sees.
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/next_operation.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/testing/fake_source.h"
#include "replay_testing.h"

namespace masflow::internal {
namespace {

using masflow::testing::FakeSource;

struct Seen {
  std::vector<ProcessEvent> events;
  std::vector<WallTime> dates;
  std::vector<Loss> losses;
  StreamStats stats;
};

// All that comes before the session is idle or ends.
Seen Watch(Session& session, ProcessStream& stream, const std::function<void()>& produce = {}) {
  Seen seen;
  const auto keep = [&](const auto& view) {
    seen.events.emplace_back(Own(view));
    seen.dates.push_back(session.ToWallTime(view.time));
  };
  stream.OnExec(keep);
  stream.OnExit(keep);
  stream.OnFork(keep);
  stream.OnExecFailure(keep);
  session.OnLoss([&](const Loss& loss) { seen.losses.push_back(loss); });
  if (produce) {
    produce();
  }
  for (int turns = 0; turns < 10'000; ++turns) {
    const DrainResult result = session.Drain(8);
    if (result.ended || (!result.more && produce)) {
      break;
    }
  }
  session.Stop();
  seen.stats = session.stats()[StreamKind::kProcess];
  return seen;
}

ProcessExec Running(std::uint32_t pid) {
  ProcessExec e = TestExec(pid);
  e.pre_existing = true;
  return e;
}

// A snapshot with one process that ended before it was found, and everything else.
void Produce(FakeSource& fake) {
  for (std::uint32_t pid = 10; pid < 14; ++pid) {
    fake.Push(Running(pid));
  }
  ProcessExit early = TestExit(12);
  early.time = At(1100);
  fake.Push(early);
  for (std::uint32_t pid = 20; pid < 60; ++pid) {
    fake.Push(TestFork(pid));
    fake.Push(TestExec(pid));
    fake.Push(TestExit(pid));
  }
  fake.Push(ProcessExecFailure{.time = At(6100), .process = TestProcess(61, 1), .error = 2});
  fake.PushLoss(TestLoss(9));
}

Seen RecordSession(const std::string& path) {
  FakeSource fake;
  auto session = Session::Create({.source = fake.source(), .record_to = path});
  EXPECT_TRUE(session.ok()) << session.status();
  auto stream = ProcessStream::Open(*session, kAllProcesses);
  EXPECT_TRUE(stream.ok()) << stream.status();
  const Seen seen = Watch(*session, *stream, [&] { Produce(fake); });
  EXPECT_TRUE(session->status().ok()) << session->status();
  return seen;
}

void ExpectBalanced(const StreamStats& stats) {
  EXPECT_EQ(stats.produced,
            stats.delivered + stats.unheard + stats.merged + stats.malformed + stats.lost_total());
}

TEST(ReplaySession, TheHostOfAReplaySeesWhatTheHostOfTheRecordingSaw) {
  const ScratchDir dir;
  const Seen recorded = RecordSession(dir / "r.mfr");
  // Process 12 was gone before the snapshot: neither its entry nor its end is delivered.
  EXPECT_EQ(recorded.events.size(), 4u - 1 + 3 * 40 + 1);
  EXPECT_EQ(recorded.stats.merged, 2u);

  auto session = Session::Create({.source = Replay{dir / "r.mfr"}});
  ASSERT_TRUE(session.ok()) << session.status();
  auto stream = ProcessStream::Open(*session, kAllProcesses);
  ASSERT_TRUE(stream.ok()) << stream.status();
  const Seen replayed = Watch(*session, *stream);
  EXPECT_TRUE(session->status().ok()) << session->status();
  EXPECT_EQ(replayed.events, recorded.events);
  EXPECT_EQ(replayed.dates, recorded.dates);
  EXPECT_EQ(replayed.losses, recorded.losses);
  EXPECT_EQ(replayed.stats.produced, recorded.stats.produced);
  EXPECT_EQ(replayed.stats.delivered, recorded.stats.delivered);
  EXPECT_EQ(replayed.stats.merged, recorded.stats.merged);
  EXPECT_EQ(replayed.stats.lost, recorded.stats.lost);
  ExpectBalanced(replayed.stats);
}

TEST(ReplaySession, AReplayCanBeRecorded) {
  const ScratchDir dir;
  RecordSession(dir / "a.mfr");
  {
    auto session = Session::Create({.source = Replay{dir / "a.mfr"}, .record_to = dir / "b.mfr"});
    ASSERT_TRUE(session.ok()) << session.status();
    auto stream = ProcessStream::Open(*session, kAllProcesses);
    ASSERT_TRUE(stream.ok()) << stream.status();
    Watch(*session, *stream);
  }
  EXPECT_TRUE(ReadFile(dir / "a.mfr") == ReadFile(dir / "b.mfr"));
}

TEST(ReplaySession, ACutRecordingDeliversWhatIsWholeAndSaysSo) {
  const ScratchDir dir;
  const Seen recorded = RecordSession(dir / "r.mfr");
  const std::string bytes = ReadFile(dir / "r.mfr");
  for (const std::size_t size : {bytes.size() / 50, bytes.size() / 2, bytes.size() - 1}) {
    WriteFile(dir / "cut.mfr", bytes.substr(0, size));
    auto session = Session::Create({.source = Replay{dir / "cut.mfr"}});
    ASSERT_TRUE(session.ok()) << session.status();
    auto stream = ProcessStream::Open(*session, kAllProcesses);
    ASSERT_TRUE(stream.ok()) << stream.status();
    const Seen replayed = Watch(*session, *stream);
    EXPECT_EQ(session->status().code(), absl::StatusCode::kDataLoss);
    EXPECT_GT(replayed.events.size(), 0u);
    EXPECT_LE(replayed.events.size(), recorded.events.size());
    ExpectBalanced(replayed.stats);
  }
}

TEST(ReplaySession, ErrorsComeFromCreate) {
  const ScratchDir dir;
  WriteFile(dir / "text", "no recording");
  EXPECT_EQ(Session::Create({.source = Replay{dir / "none"}}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(Session::Create({.source = Replay{dir / "text"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  RecordSession(dir / "r.mfr");
  EXPECT_EQ(Session::Create({.source = Replay{dir / "r.mfr"}, .record_to = dir / "r.mfr"})
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

// One event at a time, each asked for only after the last one came, and not at once.
class Puller {
 public:
  explicit Puller(ProcessStream& stream) : stream_(stream) {}

  void Ask() { stream_.StartNext(std::make_unique<Operation>(*this)); }

  bool asking = false;
  bool ended = false;
  std::vector<ProcessEvent> events;

 private:
  class Operation final : public NextOperation<ProcessEvent> {
   public:
    explicit Operation(Puller& puller) : puller_(puller) { puller_.asking = true; }
    void Complete(ProcessEvent event) override {
      puller_.asking = false;
      puller_.events.push_back(std::move(event));
    }
    void Fail(Failure) override {
      puller_.asking = false;
      puller_.ended = true;
    }

   private:
    Puller& puller_;
  };

  ProcessStream& stream_;
};

TEST(ReplaySession, PullingOneByOneMissesNothingAndNeverSpins) {
  const ScratchDir dir;
  const Seen recorded = RecordSession(dir / "r.mfr");
  auto session = Session::Create({.source = Replay{dir / "r.mfr"}});
  ASSERT_TRUE(session.ok()) << session.status();
  auto stream = ProcessStream::Open(*session, kAllProcesses);
  ASSERT_TRUE(stream.ok()) << stream.status();
  Puller puller(*stream);
  for (int i = 0; i < 1000 && !puller.ended; ++i) {
    puller.Ask();
    for (int turns = 0; turns < 20 && puller.asking; ++turns) {
      session->Drain(8);
    }
    ASSERT_FALSE(puller.asking);
    DrainResult idle;
    for (int turns = 0; turns < 5; ++turns) {
      idle = session->Drain(8);  // the host is not ready for the next one
    }
    EXPECT_FALSE(idle.more);
  }
  EXPECT_TRUE(puller.ended);
  EXPECT_EQ(puller.events, recorded.events);
  const StreamStats stats = session->stats()[StreamKind::kProcess];
  EXPECT_EQ(stats.unheard, 0u);
  ExpectBalanced(stats);
}

// Between two asks a stream that has handed out its snapshot may take no more.
TEST(ReplaySession, PullingKeepsWhatComesWhileNobodyAsks) {
  FakeSource fake;
  auto session = Session::Create({.source = fake.source()});
  ASSERT_TRUE(session.ok()) << session.status();
  auto stream = ProcessStream::Open(*session, kAllProcesses);
  ASSERT_TRUE(stream.ok()) << stream.status();
  Puller puller(*stream);
  puller.Ask();
  fake.Push(Running(1));
  for (int turns = 0; turns < 5; ++turns) {
    session->Drain(8);
  }
  ASSERT_EQ(puller.events.size(), 1u);
  fake.Push(TestExit(1));
  fake.End();
  session->Drain(8);
  puller.Ask();
  for (int turns = 0; turns < 5; ++turns) {
    session->Drain(8);
  }
  EXPECT_EQ(puller.events.size(), 2u);
  EXPECT_EQ(session->stats()[StreamKind::kProcess].unheard, 0u);
}

}  // namespace
}  // namespace masflow::internal
