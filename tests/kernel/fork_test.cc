// SPDX-License-Identifier: Apache-2.0
//
// Forks, on request: processes however they are made, threads never.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using ForkTest = KernelTest;

std::unique_ptr<Live> OpenWithForks() {
  return Live::Open({.process = {.forks = true}});
}

std::uint32_t PrintedPid(Child& child) {
  return static_cast<std::uint32_t>(std::stoul(child.ReadLine()));
}

TEST_F(ForkTest, ChildAndParent) {
  auto live = OpenWithForks();
  ASSERT_NE(live, nullptr);
  const auto self = static_cast<std::uint32_t>(getpid());
  const KernelTime before = Now();
  Child child = Fork([] { return 6; });
  child.Wait();
  const KernelTime after = Now();
  const ProcessFork* const fork = live->Await<ProcessFork>(child.pid());
  const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
  ASSERT_NE(fork, nullptr);
  ASSERT_NE(exit, nullptr);
  EXPECT_GT(fork->time, before);
  EXPECT_LT(fork->time, after);
  EXPECT_EQ(fork->process.parent.pid, self);
  EXPECT_EQ(InTicks(fork->process.parent.start), StartInTicks(self));
  EXPECT_EQ(fork->parent_tid, static_cast<std::uint32_t>(syscall(SYS_gettid)));
  EXPECT_EQ(fork->process.comm + "\n", ReadFile("/proc/self/comm"));
  EXPECT_EQ(fork->process.uid, getuid());
  EXPECT_EQ(fork->process.gid, getgid());
  EXPECT_EQ(fork->process.cgroup_id, CgroupId(self, live->session().support()));
  EXPECT_EQ(exit->process, fork->process);
  EXPECT_LT(fork->time, exit->time);
  EXPECT_EQ(live->Of<ProcessFork>(child.pid()).size(), 1u);
  EXPECT_EQ(live->Of<ProcessExec>(child.pid()).size(), 0u);
}

TEST_F(ForkTest, BeforeTheExecOfTheSameProcess) {
  auto live = OpenWithForks();
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"exit", "0"}));
  child.Wait();
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  const auto forks = live->Of<ProcessFork>(child.pid());
  ASSERT_EQ(forks.size(), 1u);
  EXPECT_EQ(forks[0]->process.id, exec->process.id);
  EXPECT_EQ(forks[0]->process.parent, exec->process.parent);
  EXPECT_LT(forks[0]->time, exec->time);
}

TEST_F(ForkTest, Vfork) {
  auto live = OpenWithForks();
  ASSERT_NE(live, nullptr);
  Child parent = Spawn(ChildArgv({"vfork"}), {.from_stdout = true});
  const std::uint32_t pid = PrintedPid(parent);
  const ProcessFork* const fork = live->Await<ProcessFork>(pid);
  const ProcessExit* const exit = live->Await<ProcessExit>(pid);
  ASSERT_NE(fork, nullptr);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(fork->process.parent.pid, parent.pid());
  EXPECT_EQ(exit->process.id, fork->process.id);
  EXPECT_EQ(exit->exit_code, 5);
}

// The one that forked is told of at the fork, the real parent from then on.
TEST_F(ForkTest, CloneParentMakesASibling) {
  auto live = OpenWithForks();
  ASSERT_NE(live, nullptr);
  Child forker = Spawn(ChildArgv({"clone-parent"}), {.from_stdout = true});
  const std::uint32_t pid = PrintedPid(forker);
  EXPECT_EQ(waitpid(static_cast<pid_t>(pid), nullptr, 0), static_cast<pid_t>(pid));  // ours
  const ProcessExec* const exec = live->Await<ProcessExec>(forker.pid());
  const ProcessFork* const fork = live->Await<ProcessFork>(pid);
  const ProcessExit* const exit = live->Await<ProcessExit>(pid);
  ASSERT_NE(exec, nullptr);
  ASSERT_NE(fork, nullptr);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(fork->process.parent, exec->process.id);
  EXPECT_EQ(fork->parent_tid, forker.pid());
  EXPECT_EQ(exit->process.parent.pid, static_cast<std::uint32_t>(getpid()));
}

TEST_F(ForkTest, ThreadsGiveNone) {
  auto live = OpenWithForks();
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"threads", "10"}));
  child.Wait();
  ASSERT_NE(live->Await<ProcessExit>(child.pid()), nullptr);
  std::size_t of_child = 0;
  for (const ProcessEvent& event : live->events()) {
    const auto* const fork = std::get_if<ProcessFork>(&event);
    of_child += fork != nullptr &&
                (fork->process.id.pid == child.pid() || fork->process.parent.pid == child.pid());
  }
  EXPECT_EQ(of_child, 1u);  // its own
}

TEST_F(ForkTest, NoneUnlessAskedFor) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"exit", "0"}));
  child.Wait();
  ASSERT_NE(live->Await<ProcessExit>(child.pid()), nullptr);
  EXPECT_EQ(live->Of<ProcessFork>(child.pid()).size(), 0u);
  for (const HookSupport& hook : live->session().support().hooks) {
    EXPECT_NE(hook.hook, "process fork");
  }
}

}  // namespace
}  // namespace masflow::kernel_test
