// SPDX-License-Identifier: Apache-2.0
//
// Sessions come and go, several in one process, and leave nothing behind.
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bpf_objects.h"
#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using testing::IsEmpty;

using LifecycleTest = KernelTest;

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

// But for the moments at which the hooks of each session ran.
std::vector<ProcessEvent> WithoutTimes(const std::deque<ProcessEvent>& events) {
  std::vector<ProcessEvent> result(events.begin(), events.end());
  for (ProcessEvent& event : result) {
    std::visit([](auto& e) { e.time = {}; }, event);
    if (auto* const exit = std::get_if<ProcessExit>(&event)) {
      exit->duration = {};
    }
  }
  return result;
}

TEST_F(LifecycleTest, TwoSessionsSeeTheSame) {
  auto one = Live::Open({.trees = {Self()}});
  auto two = Live::Open({.trees = {Self()}});
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  Child shell = Spawn({"/bin/sh", "-c", "/bin/true; /bin/false; exec /bin/true"});
  shell.Wait();
  ASSERT_NE(one->Await<ProcessExit>(shell.pid()), nullptr);
  EXPECT_TRUE(two->events().empty());  // its records wait
  ASSERT_NE(two->Await<ProcessExit>(shell.pid()), nullptr);
  EXPECT_EQ(one->events().size(), 7u);
  EXPECT_EQ(WithoutTimes(one->events()), WithoutTimes(two->events()));
}

TEST_F(LifecycleTest, OneSessionThatEndsLeavesTheOtherAlone) {
  auto one = Live::Open({.trees = {Self()}});
  auto two = Live::Open({.trees = {Self()}});
  ASSERT_NE(one, nullptr);
  ASSERT_NE(two, nullptr);
  Child before = Spawn(ChildArgv({"exit", "0"}));
  before.Wait();
  one.reset();
  Child after = Spawn(ChildArgv({"exit", "0"}));
  after.Wait();
  EXPECT_NE(two->Await<ProcessExit>(before.pid()), nullptr);
  EXPECT_NE(two->Await<ProcessExit>(after.pid()), nullptr);
}

TEST_F(LifecycleTest, OpenAndCloseLeaveNothingBehind) {
  BpfObjects all;
  const auto once = [&](int round) {
    auto live = Live::Open({.process = {.filter = {.trees = {Self()}},
                                        .forks = true,
                                        .failed_execs = round % 25 == 0,  // takes several loads
                                        .snapshot = round % 2 == 0}});
    ASSERT_NE(live, nullptr);
    live->session().Drain(16);
    const BpfObjects objects = BpfObjectsOf(Self());
    EXPECT_GE(objects.programs.size(), 3u);
    EXPECT_GE(objects.maps.size(), 3u);
    EXPECT_GE(objects.links.size(), 3u);
    all.programs.insert(objects.programs.begin(), objects.programs.end());
    all.maps.insert(objects.maps.begin(), objects.maps.end());
    all.links.insert(objects.links.begin(), objects.links.end());
  };
  ASSERT_NO_FATAL_FAILURE(once(0));  // whatever is made once for all
  const std::size_t descriptors = OpenDescriptors();
  for (int round = 1; round <= 100; ++round) {
    ASSERT_NO_FATAL_FAILURE(once(round));
    ASSERT_EQ(OpenDescriptors(), descriptors) << "after round " << round;
    ASSERT_EQ(BpfObjectsOf(Self()).size(), 0u);
  }
  EXPECT_GE(all.links.size(), 300u);
  EXPECT_TRUE(AllGone(all)) << Remaining(all);
}

TEST_F(LifecycleTest, AStreamCanBeOpenedAgain) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  for (int round = 0; round < 3; ++round) {
    absl::StatusOr<ProcessStream> stream = ProcessStream::Open(*session);
    ASSERT_TRUE(stream.ok()) << stream.status();
    EXPECT_TRUE(absl::IsAlreadyExists(ProcessStream::Open(*session).status()));
    bool seen = false;
    Child child = Spawn(ChildArgv({"exit", "0"}));
    stream->OnExit(
        [&](const ProcessExitView& exit) { seen = seen || exit.process.id.pid == child.pid(); });
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (!seen && std::chrono::steady_clock::now() < end) {
      session->Drain(16);
    }
    EXPECT_TRUE(seen);
    const BpfObjects objects = BpfObjectsOf(Self());
    stream = absl::CancelledError();
    EXPECT_TRUE(AllGone(objects)) << Remaining(objects);
  }
  EXPECT_EQ(BpfObjectsOf(Self()).size(), 0u);
}

TEST_F(LifecycleTest, StopDetachesAndKeepsTheCounts) {
  auto live = Live::Open({.trees = {Self()}});
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"exit", "0"}));
  child.Wait();
  ASSERT_NE(live->Await<ProcessExit>(child.pid()), nullptr);
  const BpfObjects objects = BpfObjectsOf(Self());
  live->session().Stop();
  EXPECT_TRUE(AllGone(objects)) << Remaining(objects);
  EXPECT_EQ(live->stats().produced, 2u);
  EXPECT_EQ(live->stats().delivered, 2u);
  EXPECT_TRUE(live->Readable(std::chrono::milliseconds(0)));
  EXPECT_TRUE(live->session().Drain(16).ended);
  EXPECT_TRUE(absl::IsFailedPrecondition(ProcessStream::Open(live->session()).status()));
}

TEST_F(LifecycleTest, TheSessionMayGoFirst) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  absl::StatusOr<ProcessStream> stream = ProcessStream::Open(*session);
  ASSERT_TRUE(stream.ok()) << stream.status();
  const BpfObjects objects = BpfObjectsOf(Self());
  session = absl::CancelledError();
  EXPECT_TRUE(AllGone(objects)) << Remaining(objects);
  stream->OnExec([](const ProcessExecView&) {});
}

TEST_F(LifecycleTest, AFailedOpenLeavesNothingBehind) {
  absl::StatusOr<Session> session = CreateSession({.forced = {{"process exit", "none"}}});
  ASSERT_TRUE(session.ok()) << session.status();
  const std::size_t descriptors = OpenDescriptors();
  for (int round = 0; round < 10; ++round) {
    EXPECT_FALSE(ProcessStream::Open(*session).ok());
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
  EXPECT_EQ(BpfObjectsOf(Self()).size(), 0u);
}

// Descriptors do not pass to what the host runs.
TEST_F(LifecycleTest, DescriptorsAreNotInherited) {
  auto live = Live::Open({.process = {.forks = true}});
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
  ASSERT_NE(live->Await<ProcessExec>(child.pid()), nullptr);
  std::vector<std::string> inherited;
  for (int fd = 3; fd < 100; ++fd) {
    const std::string link = ReadLink(ProcFile(child.pid(), "fd/" + std::to_string(fd)));
    if (link.starts_with("anon_inode:")) {
      inherited.push_back(link);
    }
  }
  EXPECT_THAT(inherited, IsEmpty());
}

}  // namespace
}  // namespace masflow::kernel_test
