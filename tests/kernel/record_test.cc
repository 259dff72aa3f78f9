// SPDX-License-Identifier: Apache-2.0
//
// A recording of the running kernel, replayed.
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using RecordTest = KernelTest;

std::vector<ProcessEvent> ReplayAll(const std::string& path, const ProcessOptions& options,
                                    std::vector<Loss>* losses, SessionStats* stats) {
  std::vector<ProcessEvent> events;
  absl::StatusOr<Session> session = Session::Create({.source = Replay{path}});
  EXPECT_TRUE(session.ok()) << session.status();
  if (!session.ok()) {
    return events;
  }
  absl::StatusOr<ProcessStream> stream = ProcessStream::Open(*session, options);
  EXPECT_TRUE(stream.ok()) << stream.status();
  if (!stream.ok()) {
    return events;
  }
  const auto keep = [&](const auto& view) { events.emplace_back(Own(view)); };
  stream->OnExec(keep);
  stream->OnExit(keep);
  stream->OnFork(keep);
  stream->OnExecFailure(keep);
  session->OnLoss([&](const Loss& loss) { losses->push_back(loss); });
  while (!session->Drain(256).ended) {
  }
  EXPECT_TRUE(session->status().ok()) << session->status();
  *stats = session->stats();
  return events;
}

void MakeEvents(Live& live) {
  Child shell = Spawn({"/bin/sh", "-c",
                       "for i in 1 2 3 4 5; do /bin/true; (exit $i); done; exec 2>&-; "
                       "/nonexistent/program; kill -9 $$"});
  shell.Wait();
  EXPECT_NE(live.Await<ProcessExit>(shell.pid()), nullptr);
}

TEST_F(RecordTest, ReplaysTheSameEvents) {
  TempDir dir;
  const std::string path = dir / "trace.mfr";
  ProcessOptions options{.forks = true, .failed_execs = true, .snapshot = true};
  std::vector<ProcessEvent> recorded;
  {
    auto live = Live::Open({.process = options, .record_to = path});
    ASSERT_NE(live, nullptr);
    MakeEvents(*live);
    live->session().Stop();
    recorded.assign(live->events().begin(), live->events().end());
  }
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);

  std::vector<Loss> losses;
  SessionStats stats;
  const std::vector<ProcessEvent> replayed = ReplayAll(path, options, &losses, &stats);
  ASSERT_EQ(replayed.size(), recorded.size());
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    EXPECT_TRUE(replayed[i] == recorded[i]) << "event " << i;
  }
  EXPECT_TRUE(losses.empty());
  EXPECT_TRUE(AddsUp(stats[StreamKind::kProcess])) << Describe(stats[StreamKind::kProcess]);
}

// A loss is recorded where it was noticed, with its count.
TEST_F(RecordTest, ReplaysTheSameLosses) {
  TempDir dir;
  const std::string path = dir / "trace.mfr";
  ProcessOptions options{.ring_bytes = 4096};
  options.filter.trees = {static_cast<std::uint32_t>(getpid())};
  std::vector<ProcessEvent> recorded;
  std::vector<Loss> recorded_losses;
  StreamStats recorded_stats;
  {
    auto live = Live::Open({.process = options, .record_to = path});
    ASSERT_NE(live, nullptr);
    for (int i = 0; i < 3; ++i) {
      Child shell =
          Spawn({"/bin/sh", "-c", "i=0; while [ $i -lt 30 ]; do /bin/true; i=$((i+1)); done"});
      shell.Wait();
      live->FallAsleep();
    }
    EXPECT_TRUE(live->Settle());
    recorded_stats = live->stats();
    live->session().Stop();
    recorded.assign(live->events().begin(), live->events().end());
    recorded_losses = live->losses();
  }
  ASSERT_FALSE(recorded_losses.empty());
  std::vector<Loss> losses;
  SessionStats stats;
  options.filter = {};
  EXPECT_EQ(ReplayAll(path, options, &losses, &stats), recorded);
  EXPECT_EQ(losses, recorded_losses);
  const StreamStats replayed_stats = stats[StreamKind::kProcess];
  EXPECT_EQ(replayed_stats.produced, recorded_stats.produced);
  EXPECT_EQ(replayed_stats.delivered, recorded_stats.delivered);
  EXPECT_EQ(replayed_stats.lost, recorded_stats.lost);
}

}  // namespace
}  // namespace masflow::kernel_test
