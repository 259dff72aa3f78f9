// SPDX-License-Identifier: Apache-2.0
//
// Execs that fail, on request; and how a hook point takes what the kernel allows.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "live.h"
#include "spawn.h"
#include "truth.h"

extern char** environ;

namespace masflow::kernel_test {
namespace {

using testing::HasSubstr;

constexpr char kHook[] = "exec failure";
constexpr char kSysExit[] = "raw_tp sys_exit";
#if defined(__x86_64__)
constexpr char kFexit[] = "fexit __x64_sys_execve";
#else
constexpr char kFexit[] = "fexit __arm64_sys_execve";
#endif

using ExecFailureTest = KernelTest;

LiveOptions WithFailures(internal::ForcedMechanisms forced = {}) {
  return {.process = {.failed_execs = true}, .forced = std::move(forced)};
}

// execve, and execveat relative to the current directory.
int Execve(const char* path, char* const* argv) {
  return static_cast<int>(syscall(SYS_execve, path, argv, environ));
}
int Execveat(const char* path, char* const* argv) {
  return static_cast<int>(syscall(SYS_execveat, AT_FDCWD, path, argv, environ, 0));
}

struct Failing {
  std::string path;
  std::vector<std::string> argv;
  int error = 0;
};

std::vector<Failing> Cases(const TempDir& dir) {
  WriteFile(dir / "not-executable", "#!/bin/sh\n");
  WriteFile(dir / "no-format", "just words");
  chmod((dir / "no-format").c_str(), 0755);
  WriteFile(dir / "no-interpreter", "#!/nonexistent/interpreter\n");
  chmod((dir / "no-interpreter").c_str(), 0755);
  return {{dir / "missing", {"missing"}, ENOENT},
          {"relative/missing", {"missing"}, ENOENT},
          {"", {"empty"}, ENOENT},
          {dir / "not-executable", {"not-executable"}, EACCES},
          {dir.path(), {"directory"}, EACCES},
          {dir / "no-format", {"no-format"}, ENOEXEC},
          {dir / "no-interpreter", {"no-interpreter"}, ENOENT},
          {dir / "no-format/below", {"below"}, ENOTDIR},
          {"/bin/true", std::vector<std::string>(40, std::string(120'000, 'x')), E2BIG},
          {dir / "esc\x1b[31m\n\xff", {"esc"}, ENOENT},
          {"/" + std::string(200, 'a') + "/" + std::string(200, 'b'), {"long"}, ENOENT}};
}

void FailAll(Live& live, const std::vector<Failing>& cases) {
  Child child = Fork([&] {
    for (const Failing& failing : cases) {
      Execve(failing.path.c_str(), Pointers(failing.argv).data());
      Execveat(failing.path.c_str(), Pointers(failing.argv).data());
    }
    return 5;
  });
  child.Wait();
  const ProcessExit* const exit = live.Await<ProcessExit>(child.pid());
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->exit_code, 5);
  const auto failures = live.Of<ProcessExecFailure>(child.pid());
  ASSERT_EQ(failures.size(), 2 * cases.size());
  for (std::size_t i = 0; i < failures.size(); ++i) {
    const Failing& expected = cases[i / 2];
    SCOPED_TRACE(expected.path);
    EXPECT_EQ(failures[i]->error, expected.error);
    EXPECT_EQ(failures[i]->filename, expected.path);
    EXPECT_FALSE(failures[i]->filename_truncated);
    EXPECT_EQ(failures[i]->tid, child.pid());
    EXPECT_EQ(failures[i]->process, exit->process);
    EXPECT_LT(failures[i]->time, exit->time);
  }
  EXPECT_EQ(live.Of<ProcessExec>(child.pid()).size(), 0u);
}

TEST_F(ExecFailureTest, EachErrorOfBothCalls) {
  auto live = Live::Open(WithFailures());
  ASSERT_NE(live, nullptr);
  TempDir dir;
  FailAll(*live, Cases(dir));
}

TEST_F(ExecFailureTest, ByTheSystemCallTracepoint) {
  auto live = Live::Open(WithFailures({{kHook, kSysExit}}));
  ASSERT_NE(live, nullptr);
  const HookSupport hook = FindHook(live->session(), kHook);
  EXPECT_EQ(hook.mechanism, kSysExit);
  EXPECT_NE(hook.limits, "");
  TempDir dir;
  FailAll(*live, Cases(dir));
}

TEST_F(ExecFailureTest, LongNamesAreCutAndSaySo) {
  auto live = Live::Open(WithFailures());
  ASSERT_NE(live, nullptr);
  const auto name = [](std::size_t size) {
    std::string path;
    while (path.size() < size) {
      path += path.size() % 100 == 0 ? '/' : 'x';
    }
    return path;
  };
  for (const std::size_t size : {510u, 511u, 512u, 600u}) {
    SCOPED_TRACE(size);
    Child child = Fork([&] { return Exec(name(size), {"x"}); });
    child.Wait();
    const auto* const failure = live->Await<ProcessExecFailure>(child.pid());
    ASSERT_NE(failure, nullptr);
    EXPECT_EQ(failure->error, ENOENT);
    EXPECT_EQ(failure->filename, name(size).substr(0, 511));
    EXPECT_EQ(failure->filename_truncated, size > 511);
  }
}

TEST_F(ExecFailureTest, AnUnreadableNameIsAbsent) {
  auto live = Live::Open(WithFailures());
  ASSERT_NE(live, nullptr);
  Child child = Fork([] {
    Execve(reinterpret_cast<const char*>(8), nullptr);
    return 0;
  });
  child.Wait();
  const auto* const failure = live->Await<ProcessExecFailure>(child.pid());
  ASSERT_NE(failure, nullptr);
  EXPECT_EQ(failure->error, EFAULT);
  EXPECT_EQ(failure->filename, std::nullopt);
  EXPECT_FALSE(failure->filename_truncated);
}

TEST_F(ExecFailureTest, ASuccessfulExecGivesNone) {
  auto live = Live::Open(WithFailures());
  ASSERT_NE(live, nullptr);
  Child child = Spawn(ChildArgv({"exec", ChildProgram(), "exit", "0"}));
  child.Wait();
  ASSERT_NE(live->Await<ProcessExit>(child.pid()), nullptr);
  EXPECT_EQ(live->Of<ProcessExec>(child.pid()).size(), 2u);
  EXPECT_EQ(live->Of<ProcessExecFailure>(child.pid()).size(), 0u);
}

TEST_F(ExecFailureTest, NoneUnlessAskedFor) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  Child child = Fork([] { return Exec("/nonexistent", {"x"}); });
  child.Wait();
  ASSERT_NE(live->Await<ProcessExit>(child.pid()), nullptr);
  EXPECT_EQ(live->Of<ProcessExecFailure>(child.pid()).size(), 0u);
}

// The best mechanism needs the function tracer, which not every kernel has.
TEST_F(ExecFailureTest, TheReportSaysWhatWasRefusedAndWhy) {
  auto live = Live::Open(WithFailures());
  ASSERT_NE(live, nullptr);
  const HookSupport hook = FindHook(live->session(), kHook);
  EXPECT_EQ(hook.stream, StreamKind::kProcess);
  if (hook.mechanism == kFexit) {
    EXPECT_TRUE(hook.refused.empty());
    return;
  }
  EXPECT_EQ(hook.mechanism, kSysExit);
  ASSERT_EQ(hook.refused.size(), 1u);
  EXPECT_EQ(hook.refused[0].mechanism, kFexit);
  EXPECT_NE(hook.refused[0].reason, "");
  EXPECT_THAT(hook.refused[0].reason, testing::Not(HasSubstr("turned off")));

  // Forced, it is refused in the same way, and the stream goes on without it.
  auto forced = Live::Open(WithFailures({{kHook, kFexit}}));
  ASSERT_NE(forced, nullptr);
  const HookSupport none = FindHook(forced->session(), kHook);
  EXPECT_EQ(none.mechanism, "");
  ASSERT_EQ(none.refused.size(), 2u);
  EXPECT_EQ(none.refused[0].reason, hook.refused[0].reason);
  EXPECT_THAT(none.refused[1].reason, HasSubstr("is forced"));
  Child child = Spawn(ChildArgv({"exit", "3"}));
  child.Wait();
  EXPECT_NE(forced->Await<ProcessExit>(child.pid()), nullptr);
}

TEST_F(ExecFailureTest, ARequiredHookWithoutAnyMechanismIsAStatus) {
  for (const char* hook : {"process exec", "process exit"}) {
    SCOPED_TRACE(hook);
    absl::StatusOr<Session> session = CreateSession({.forced = {{hook, "magic"}}});
    ASSERT_TRUE(session.ok()) << session.status();
    const absl::Status status = ProcessStream::Open(*session).status();
    EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(hook));
    EXPECT_THAT(std::string(status.message()), HasSubstr("turned off: magic is forced"));
    EXPECT_TRUE(session->support().hooks.empty());
    // The session is as before: a stream that can be opened opens.
    EXPECT_EQ(session->stats()[StreamKind::kProcess].produced, 0u);
  }
}

}  // namespace
}  // namespace masflow::kernel_test
