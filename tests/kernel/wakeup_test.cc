// SPDX-License-Identifier: Apache-2.0
//
// When the reader is woken: at the first record after a silence, when the ring fills, and
// otherwise not at all.
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

// A session that sees what this test starts and nothing else.
LiveOptions OwnProcesses(microseconds latency) {
  LiveOptions options;
  options.process.filter.trees = {Self()};
  options.latency = latency;
  return options;
}

using WakeupTest = KernelTest;

TEST_F(WakeupTest, TheFirstRecordAfterASilenceWakesAtOnce) {
  constexpr milliseconds kLatency{1000};
  auto live = Live::Open(OwnProcesses(kLatency));
  ASSERT_NE(live, nullptr);
  for (std::size_t round = 1; round <= 5; ++round) {
    SCOPED_TRACE(round);
    live->FallAsleep();
    ASSERT_FALSE(live->Readable(milliseconds(0)));
    Child child = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
    const auto spawned = steady_clock::now();
    ASSERT_TRUE(live->Readable(kDeadline));
    // Woken by the record: a timer would have taken the latency.
    EXPECT_LT(steady_clock::now() - spawned, kLatency / 2);
    EXPECT_NE(live->Await<ProcessExec>(child.pid()), nullptr);
  }
}

// In poll(2), that is.
bool Sleeps(std::uint32_t thread) {
  const std::string stat = ReadFile(ProcFile(Self(), "task/" + std::to_string(thread) + "/stat"));
  return stat.substr(stat.rfind(')') + 1).starts_with(" S");
}

// Between the first record and the next look of the reader.
TEST_F(WakeupTest, AReaderThatWillLookAnywayIsLeftAlone) {
  constexpr milliseconds kLatency{1000};
  auto live = Live::Open(OwnProcesses(kLatency));
  ASSERT_NE(live, nullptr);
  live->FallAsleep();
  Child first = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
  ASSERT_NE(live->Await<ProcessExec>(first.pid()), nullptr);
  const auto drained = steady_clock::now();
  std::uint32_t second = 0;
  std::thread producer([&] {
    while (!Sleeps(Self())) {
      std::this_thread::yield();
    }
    Child child = Spawn(ChildArgv({"exit", "0"}));
    child.Wait();
    second = child.pid();
  });
  EXPECT_TRUE(live->Readable(kDeadline));
  EXPECT_GE(steady_clock::now() - drained, kLatency / 2);  // by the timer
  producer.join();
  EXPECT_NE(live->Await<ProcessExit>(second), nullptr);
}

// Else a flood within the latency would overflow it.
TEST_F(WakeupTest, AFillingRingWakesBeforeTheTimer) {
  LiveOptions options = OwnProcesses(std::chrono::seconds(1));
  options.process.ring_bytes = 32768;
  auto live = Live::Open(options);
  ASSERT_NE(live, nullptr);
  Child shell =
      Spawn({"/bin/sh", "-c", "i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i+1)); done"});
  std::atomic<bool> ended = false;
  std::thread waiter([&] {
    shell.Wait();
    ended = true;
  });
  EXPECT_TRUE(live->Until([&] { return live->stats().delivered == 2 * 501; }));
  waiter.join();
  EXPECT_EQ(live->stats().lost_total(), 0u) << Describe(live->stats());
}

TEST_F(WakeupTest, NoneWhileNothingPassesTheFilter) {
  auto live = Live::Open(ProcessFilter{.comms = {"no-such-comm"}});
  ASSERT_NE(live, nullptr);
  live->FallAsleep();
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) {
      Spawn(ChildArgv({"exit", "0"})).Wait();
    }
  });
  EXPECT_FALSE(live->Readable(milliseconds(300)));
  stop = true;
  busy.join();
}

TEST_F(WakeupTest, ASessionWithoutAStreamNeverWakes) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  session->Drain(256);
  pollfd waited{.fd = session->poll_fd(), .events = POLLIN, .revents = 0};
  Spawn(ChildArgv({"exit", "0"})).Wait();
  EXPECT_EQ(poll(&waited, 1, 100), 0);
}

// A record that is sent while the reader goes to sleep must not be left lying: nothing else
// would come to wake it. Each round sends the only records there are, at a random moment
// around that of going to sleep.
class LostWakeupTest : public KernelTest, public testing::WithParamInterface<int> {};

TEST_P(LostWakeupTest, EachRecordArrives) {
  const microseconds latency(GetParam());
  const int kRounds = static_cast<int>(Scaled(2500));
  auto live = Live::Open(OwnProcesses(latency));
  ASSERT_NE(live, nullptr);
  std::atomic<int> wanted = 0;  // rounds that may begin
  std::atomic<int> seen = 0;    // ends that came
  live->stream().OnExec(nullptr);
  live->stream().OnExit([&](const ProcessExitView&) { ++seen; });
  std::atomic<bool> give_up = false;

  std::thread producer([&] {
    std::minstd_rand random(static_cast<unsigned>(GetParam()));
    std::uniform_int_distribution<std::int64_t> delay(0, 2 * latency.count());
    const std::vector<std::string> argv = ChildArgv({"exit", "0"});
    for (int round = 0; round < kRounds && !give_up; ++round) {
      wanted.wait(round);
      // Spins: a sleep is too coarse to hit the moment.
      const auto start = steady_clock::now() + microseconds(delay(random));
      while (steady_clock::now() < start) {
      }
      if (!give_up) {
        Spawn(argv).Wait();
      }
    }
  });
  for (int round = 1; round <= kRounds && !give_up; ++round) {
    wanted = round;
    wanted.notify_one();
    give_up = !live->Until([&] { return seen >= round; }, kDeadline);
    EXPECT_FALSE(give_up) << "lost wake-up in round " << round << "; " << Describe(live->stats());
  }
  wanted = kRounds;
  wanted.notify_one();
  producer.join();
  EXPECT_EQ(live->stats().lost_total(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Microseconds, LostWakeupTest, testing::Values(100, 300, 600, 1000));

}  // namespace
}  // namespace masflow::kernel_test
