// SPDX-License-Identifier: Apache-2.0
//
// Who runs what: the fields of an exec that tell of the process.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "constraints.h"
#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using testing::ElementsAre;

using ExecTest = KernelTest;

// The parent of all processes that the tests spawn is the test itself.
void ExpectChildOfThisProcess(const Process& process) {
  const auto self = static_cast<std::uint32_t>(getpid());
  EXPECT_EQ(process.parent.pid, self);
  EXPECT_EQ(InTicks(process.parent.start), StartInTicks(self));
}

TEST_F(ExecTest, LsIsCompleteInEachField) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  const KernelTime before = Now();
  const std::vector<std::string> argv{"/bin/ls", "-la"};
  Child child = Spawn(argv, {.from_stdout = true});
  child.ReadAll();
  child.Wait();
  const KernelTime after = Now();

  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  EXPECT_GT(exec->time, before);
  EXPECT_LT(exec->time, after);
  EXPECT_EQ(exec->tid, child.pid());
  EXPECT_EQ(exec->process.uid, 0u);
  EXPECT_EQ(exec->process.gid, getgid());
  EXPECT_EQ(exec->euid, 0u);
  EXPECT_EQ(exec->egid, getegid());
  EXPECT_EQ(exec->process.comm, "ls");
  EXPECT_EQ(exec->process.cgroup_id,
            CgroupId(static_cast<std::uint32_t>(getpid()), live->session().support()));
  EXPECT_EQ(exec->filename, "/bin/ls");
  EXPECT_FALSE(exec->filename_truncated);
  EXPECT_EQ(exec->executable, FromMountRoot("/bin/ls"));
  EXPECT_FALSE(exec->executable_truncated);
  EXPECT_FALSE(exec->executable_unlinked);
  EXPECT_EQ(exec->args, Joined(argv));
  EXPECT_EQ(exec->args_total_bytes, Joined(argv).size());
  EXPECT_FALSE(exec->args_truncated());
  EXPECT_FALSE(exec->pre_existing);
  ExpectChildOfThisProcess(exec->process);

  const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->process, exec->process);
  EXPECT_EQ(exit->exit_code, 0);
  EXPECT_EQ(live->Of<ProcessExec>(child.pid()).size(), 1u);
  EXPECT_EQ(live->Of<ProcessExit>(child.pid()).size(), 1u);
}

TEST_F(ExecTest, AProcessThatEndsAtOnceIsComplete) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  const std::vector<std::string> argv = ChildArgv({"exit", "7", "some", "words"});
  std::vector<std::uint32_t> pids;
  for (int i = 0; i < 50; ++i) {
    Child child = Spawn(argv);
    child.Wait();
    pids.push_back(child.pid());
  }
  for (const std::uint32_t pid : pids) {
    const ProcessExec* const exec = live->Await<ProcessExec>(pid);
    const ProcessExit* const exit = live->Await<ProcessExit>(pid);
    ASSERT_NE(exec, nullptr);
    ASSERT_NE(exit, nullptr);
    EXPECT_EQ(exec->process.comm, "mf_child");
    EXPECT_EQ(exec->executable, FromMountRoot(ChildProgram()));
    EXPECT_EQ(exec->args, Joined(argv));
    ExpectChildOfThisProcess(exec->process);
    EXPECT_EQ(exit->process, exec->process);
    EXPECT_EQ(exit->exit_code, 7);
  }
}

// What a process that still runs says of itself.
TEST_F(ExecTest, AgreesWithProc) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  const std::uint32_t pid = child.pid();
  EXPECT_EQ(exec->process.comm + "\n", ReadFile(ProcFile(pid, "comm")));
  EXPECT_EQ(exec->args, ReadFile(ProcFile(pid, "cmdline")));
  EXPECT_EQ(exec->executable, FromMountRoot(ReadLink(ProcFile(pid, "exe"))));
  EXPECT_EQ(InTicks(exec->process.id.start), StartInTicks(pid));
}

TEST_F(ExecTest, ParentIsTheProcessThatForked) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  Child shell = Spawn({"/bin/sh", "-c", "/bin/true; echo $$"}, {.from_stdout = true});
  shell.ReadAll();
  shell.Wait();
  const ProcessExit* const end = live->Await<ProcessExit>(shell.pid());
  ASSERT_NE(end, nullptr);
  const ProcessExec* grand_child = nullptr;
  for (const ProcessEvent& event : live->events()) {
    const auto* const exec = std::get_if<ProcessExec>(&event);
    if (exec != nullptr && exec->process.parent.pid == shell.pid()) {
      grand_child = exec;
    }
  }
  ASSERT_NE(grand_child, nullptr);
  EXPECT_EQ(grand_child->process.comm, "true");
  EXPECT_EQ(grand_child->process.parent, end->process.id);
}

TEST_F(ExecTest, ASecondExecKeepsTheIdentity) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"exec", ChildProgram(), "exec", "/bin/sh", "-c", "exit 3"}));
  child.Wait();
  const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->exit_code, 3);
  const auto execs = live->Of<ProcessExec>(child.pid());
  ASSERT_EQ(execs.size(), 3u);
  EXPECT_EQ(execs[0]->process.comm, "mf_child");
  EXPECT_EQ(execs[1]->process.comm, "mf_child");
  EXPECT_EQ(execs[2]->process.comm, "sh");
  for (const ProcessExec* exec : execs) {
    EXPECT_EQ(exec->process.id, exit->process.id);
  }
  EXPECT_EQ(live->Of<ProcessExit>(child.pid()).size(), 1u);
}

TEST_F(ExecTest, FromAThreadThatIsNotTheLeader) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  const std::vector<std::string> argv{"/bin/sh", "-c", "exit 4"};
  std::vector<std::string> all = ChildArgv({"thread-exec"});
  all.insert(all.end(), argv.begin(), argv.end());
  Child child = Spawn(all, {.from_stdout = true});
  const auto tid = static_cast<std::uint32_t>(std::stoul(child.ReadLine()));
  child.Wait();

  const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
  ASSERT_NE(exit, nullptr);
  const auto execs = live->Of<ProcessExec>(child.pid());
  ASSERT_EQ(execs.size(), 2u);
  EXPECT_EQ(execs[0]->tid, child.pid());
  EXPECT_NE(tid, child.pid());
  EXPECT_EQ(execs[1]->tid, tid);
  EXPECT_EQ(execs[1]->process.comm, "sh");
  EXPECT_EQ(execs[1]->args, Joined(argv));
  EXPECT_EQ(execs[1]->process.id, execs[0]->process.id);
  EXPECT_EQ(exit->process.id, execs[0]->process.id);
  EXPECT_EQ(exit->exit_code, 4);
  EXPECT_EQ(live->Of<ProcessExit>(child.pid()).size(), 1u);
}

TEST_F(ExecTest, AsAnotherUser) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "program");
  Child child = Fork([&] {
    const bool changed = setgid(kNobody) == 0 && setuid(kNobody) == 0;
    return changed ? Exec(dir / "program", {"program", "exit", "0"}) : 125;
  });
  EXPECT_EQ(child.Wait(), 0);
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
  ASSERT_NE(exec, nullptr);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exec->process.uid, kNobody);
  EXPECT_EQ(exec->process.gid, kNobody);
  EXPECT_EQ(exec->euid, kNobody);
  EXPECT_EQ(exec->egid, kNobody);
  EXPECT_EQ(exit->process.uid, kNobody);
  EXPECT_EQ(exit->process.gid, kNobody);
}

TEST_F(ExecTest, WithOtherEffectiveIds) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "program");
  Child child = Fork(
      [&] {
        const bool changed = setegid(1234) == 0 && seteuid(kNobody) == 0;
        return changed ? Exec(dir / "program", {"program", "hold", "0"}) : 125;
      },
      {.to_stdin = true});
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  EXPECT_THAT(Ids(child.pid(), "Uid"), ElementsAre(0, kNobody, kNobody));
  EXPECT_EQ(exec->process.uid, 0u);
  EXPECT_EQ(exec->process.gid, getgid());
  EXPECT_EQ(exec->euid, kNobody);
  EXPECT_EQ(exec->egid, 1234u);
}

TEST_F(ExecTest, OfASetuidProgram) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "program", 04755);
  Child child = Fork(
      [&] {
        const bool changed = setgid(kNobody) == 0 && setuid(kNobody) == 0;
        return changed ? Exec(dir / "program", {"program", "hold", "0"}) : 125;
      },
      {.to_stdin = true});
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  ASSERT_THAT(Ids(child.pid(), "Uid"), ElementsAre(kNobody, 0, 0)) << "is /tmp mounted nosuid?";
  EXPECT_EQ(exec->process.uid, kNobody);
  EXPECT_EQ(exec->process.gid, kNobody);
  EXPECT_EQ(exec->euid, 0u);
  EXPECT_EQ(exec->egid, kNobody);
}

TEST_F(ExecTest, CommIsCutLikeTheKernelCutsIt) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  TempDir dir;
  const std::string path = dir / "a-name-of-twenty-byt";
  CopyProgram(ChildProgram(), path);
  Child child = Spawn({path, "exit", "0"});
  child.Wait();
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  EXPECT_EQ(exec->process.comm, "a-name-of-twent");
  EXPECT_EQ(exec->executable, FromMountRoot(path));
}

TEST_F(ExecTest, CommOfRawBytes) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  TempDir dir;
  const std::string name = "\x1b[31m\n\t\xff\xfe";
  CopyProgram(ChildProgram(), dir / name);
  Child child = Spawn({dir / name, "exit", "0"});
  child.Wait();
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  EXPECT_EQ(exec->process.comm, name);
  EXPECT_EQ(exec->filename, dir / name);
  EXPECT_EQ(exec->executable, FromMountRoot(dir.path()) + "/" + name);
}

}  // namespace
}  // namespace masflow::kernel_test
