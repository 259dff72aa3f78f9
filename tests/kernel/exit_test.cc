// SPDX-License-Identifier: Apache-2.0
//
// How processes end: code, signal, duration, and exactly one event whatever their threads do.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using std::chrono::nanoseconds;

constexpr char kExit[] = "process exit";
constexpr char kGroupDead[] = "raw_tp sched_process_exit (group_dead)";
constexpr char kSignalLive[] = "raw_tp sched_process_exit (signal->live)";

// What waitpid(2) said is the truth.
void ExpectEndAsWaited(const ProcessExit& exit, int status) {
  if (WIFEXITED(status)) {
    EXPECT_EQ(exit.exit_code, WEXITSTATUS(status));
    EXPECT_EQ(exit.signal, std::nullopt);
    EXPECT_FALSE(exit.core_dumped);
  } else {
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    EXPECT_EQ(exit.exit_code, std::nullopt);
    EXPECT_EQ(exit.signal, WTERMSIG(status));
    EXPECT_EQ(exit.core_dumped, static_cast<bool>(WCOREDUMP(status)));
  }
}

class ExitTest : public KernelTest {
 protected:
  // Runs until it ends; its one exit event.
  void Check(Child child, int expected_status) {
    const int status = child.Wait();
    EXPECT_EQ(status & ~0x80, expected_status);
    const ProcessExit* const exit = live_->Await<ProcessExit>(child.pid());
    ASSERT_NE(exit, nullptr);
    ExpectEndAsWaited(*exit, status);
  }

  const std::unique_ptr<Live> live_ = Live::Open();
};

TEST_F(ExitTest, ByCode) {
  ASSERT_NE(live_, nullptr);
  for (const int code : {0, 1, 3, 127, 128, 255}) {
    SCOPED_TRACE(code);
    Check(Spawn(ChildArgv({"exit", std::to_string(code)})), code << 8);
  }
}

TEST_F(ExitTest, BySignal) {
  ASSERT_NE(live_, nullptr);
  for (const int number : {SIGKILL, SIGTERM, SIGHUP, SIGUSR1, SIGRTMAX}) {
    SCOPED_TRACE(number);
    Child child = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
    child.Signal(number);
    Check(std::move(child), number);
  }
}

// Where cores are written decides the core flag; both ways are to be seen right.
TEST_F(ExitTest, ByACrash) {
  ASSERT_NE(live_, nullptr);
  TempDir dir;
  for (const int number : {SIGSEGV, SIGABRT, SIGILL, SIGFPE, SIGBUS}) {
    SCOPED_TRACE(number);
    Check(Fork([&] {
            const std::string text = std::to_string(number);
            return chdir(dir.path().c_str()) == 0
                       ? Exec(ChildProgram(), {"mf_child", "raise", text})
                       : 125;
          }),
          number);
    Check(Spawn({"/bin/sh", "-c", "ulimit -c 0; kill -" + std::to_string(number) + " $$"}), number);
  }
}

TEST_F(ExitTest, DurationIsTheWholeLife) {
  ASSERT_NE(live_, nullptr);
  const nanoseconds before = BootTime();
  Child child = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
  const nanoseconds started = BootTime();
  const ProcessExec* const exec = live_->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  EXPECT_GE(exec->process.id.start, before);
  EXPECT_LE(exec->process.id.start, started);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // a life to be measured
  const nanoseconds released = BootTime();
  const KernelTime monotonic = Now();
  child.Release();
  child.Wait();
  const nanoseconds ended = BootTime();

  const ProcessExit* const exit = live_->Await<ProcessExit>(child.pid());
  ASSERT_NE(exit, nullptr);
  EXPECT_GE(exit->duration, released - started);
  EXPECT_LE(exit->duration, ended - before);
  EXPECT_GE(exit->time, monotonic);
  EXPECT_LE(exit->time, Now());
}

// With each mechanism that can tell the end of a process from that of a thread.
class ExitMechanismTest : public KernelTest, public testing::WithParamInterface<const char*> {
 protected:
  // Null also where this kernel has no such mechanism: then it must say so.
  std::unique_ptr<Live> Open(ProcessOptions options = {}) const {
    const auto usual = Live::Open();
    if (usual == nullptr) {
      return nullptr;
    }
    const LiveOptions forced{.process = std::move(options), .forced = {{kExit, GetParam()}}};
    for (const HookSupport::Refusal& refusal : FindHook(usual->session(), kExit).refused) {
      if (refusal.mechanism == GetParam()) {
        ExpectRefused(forced, refusal.reason);
        return nullptr;
      }
    }
    auto live = Live::Open(forced);
    if (live != nullptr) {
      EXPECT_EQ(FindHook(live->session(), kExit).mechanism, GetParam());
    }
    return live;
  }

 private:
  static void ExpectRefused(const LiveOptions& forced, const std::string& reason) {
    absl::StatusOr<Session> session = CreateSession(forced);
    ASSERT_TRUE(session.ok()) << session.status();
    const absl::Status status = ProcessStream::Open(*session, forced.process).status();
    EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(reason));
  }
};

TEST_P(ExitMechanismTest, LeaderEndsBeforeTheLastThread) {
  const auto live = Open();
  if (live == nullptr) {
    return;
  }
  const std::vector<std::pair<std::string, int>> ends{
      {"thread", 0}, {"thread", 9}, {"group", 0}, {"group", 9}, {"kill", SIGTERM}};
  for (const auto& [how, code] : ends) {
    SCOPED_TRACE(how + " " + std::to_string(code));
    Child child = Spawn(ChildArgv({"leader-first", how, std::to_string(code)}),
                        {.to_stdin = true, .from_stdout = true});
    EXPECT_NE(child.ReadLine(), "");  // the leader has ended
    const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
    ASSERT_NE(exec, nullptr);
    // Drained by now: nothing may have told of an end.
    Child later = Spawn(ChildArgv({"exit", "0"}));
    later.Wait();
    ASSERT_NE(live->Await<ProcessExit>(later.pid()), nullptr);
    EXPECT_EQ(live->Of<ProcessExit>(child.pid()).size(), 0u);

    const KernelTime released = Now();
    child.Release();
    const int status = child.Wait();
    const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
    ASSERT_NE(exit, nullptr);
    ExpectEndAsWaited(*exit, status);
    EXPECT_EQ(exit->process, exec->process);
    EXPECT_GE(exit->time, released);
  }
}

TEST_P(ExitMechanismTest, ThreadsThatEndGiveNoEvent) {
  const auto live = Open();
  if (live == nullptr) {
    return;
  }
  Child child = Spawn(ChildArgv({"threads", "20"}));
  const int status = child.Wait();
  const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
  ASSERT_NE(exit, nullptr);
  ExpectEndAsWaited(*exit, status);
  EXPECT_EQ(live->Of<ProcessExit>(child.pid()).size(), 1u);
}

// Two threads that end at once may both see themselves as the last.
TEST_P(ExitMechanismTest, AllThreadsEndAtOnce) {
  const auto live = Open({.filter = {.trees = {static_cast<std::uint32_t>(getpid())}}});
  if (live == nullptr) {
    return;
  }
  constexpr std::size_t kProcesses = 2000;
  constexpr std::size_t kAtOnce = 4;
  std::map<ProcessId, int> exits;
  std::size_t seen = 0;
  live->stream().OnExec(nullptr);
  live->stream().OnExit([&](const ProcessExitView& exit) {
    ++seen;
    EXPECT_EQ(++exits[exit.process.id], 1) << "process " << exit.process.id.pid << " ended twice";
    EXPECT_EQ(exit.exit_code, 2);
  });
  for (std::size_t started = 0; started < kProcesses; started += kAtOnce) {
    std::vector<Child> children;
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      children.push_back(Spawn(ChildArgv({"race", "4"})));
    }
    for (Child& child : children) {
      EXPECT_EQ(child.Wait(), 2 << 8);
    }
    live->session().Drain(256);
  }
  EXPECT_TRUE(live->Until([&] { return seen >= kProcesses; }));
  EXPECT_TRUE(live->Settle()) << Describe(live->stats());
  EXPECT_EQ(seen, kProcesses);
  EXPECT_EQ(exits.size(), kProcesses);
  EXPECT_EQ(live->stats().produced, 2 * kProcesses);
}

INSTANTIATE_TEST_SUITE_P(Each, ExitMechanismTest, testing::Values(kGroupDead, kSignalLive),
                         [](const auto& test) {
                           return test.param == kGroupDead ? "GroupDead" : "SignalLive";
                         });

}  // namespace
}  // namespace masflow::kernel_test
