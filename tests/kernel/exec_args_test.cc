// SPDX-License-Identifier: Apache-2.0
//
// The arguments of an exec: every byte, and how much of them if there are many.
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using testing::ElementsAreArray;

using ExecArgsTest = KernelTest;

// Runs mf_child with these arguments behind its own two; they are in `*event` in the end.
void RunWith(const std::vector<std::string>& more, std::uint32_t args_limit, ProcessExec* event,
             std::string* all) {
  auto live = Live::Open({.process = {.args_limit = args_limit}});
  ASSERT_NE(live, nullptr);
  std::vector<std::string> argv = ChildArgv({"hold", "0"});
  argv.insert(argv.end(), more.begin(), more.end());
  Child child = Spawn(argv, {.to_stdin = true});
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  EXPECT_EQ(ReadFile(ProcFile(child.pid(), "cmdline")), Joined(argv));
  EXPECT_TRUE(exec->args.has_value());
  EXPECT_EQ(exec->args_total_bytes, Joined(argv).size());
  *event = *exec;
  *all = Joined(argv);
}

std::vector<std::string> Split(const ProcessExec& exec) {
  std::vector<std::string> args;
  const std::string bytes = exec.args.value_or("");
  for (const std::string_view arg : Args(bytes)) {
    args.emplace_back(arg);
  }
  return args;
}

TEST_F(ExecArgsTest, EveryByteIsKept) {
  std::string every_byte;
  for (int byte = 1; byte < 256; ++byte) {
    every_byte += static_cast<char>(byte);
  }
  const std::vector<std::string> argv{"",
                                      "two\nlines",
                                      "\x1b[2Jcleared",
                                      "\xff\xfe\xc3\x28",
                                      "",
                                      "\"quoted\" \\ 'single'",
                                      every_byte,
                                      ""};
  ProcessExec exec;
  std::string all;
  ASSERT_NO_FATAL_FAILURE(RunWith(argv, 4096, &exec, &all));
  EXPECT_EQ(exec.args, all);
  EXPECT_FALSE(exec.args_truncated());
  std::vector<std::string> args = Split(exec);
  ASSERT_EQ(args.size(), argv.size() + 3);
  args.erase(args.begin(), args.begin() + 3);
  EXPECT_THAT(args, ElementsAreArray(argv));
}

TEST_F(ExecArgsTest, BeyondTheLimitTheyAreCutAndCounted) {
  const std::vector<std::string> argv(100, std::string(99, 'x'));
  for (const std::uint32_t limit : {0u, 1u, 16u, 255u, 4096u, 8192u}) {
    SCOPED_TRACE(limit);
    ProcessExec exec;
    std::string all;
    ASSERT_NO_FATAL_FAILURE(RunWith(argv, limit, &exec, &all));
    EXPECT_TRUE(exec.args_truncated());
    EXPECT_EQ(exec.args, all.substr(0, limit));
  }
}

TEST_F(ExecArgsTest, TheDefaultTakes4096Bytes) {
  const std::size_t own = Joined(ChildArgv({"hold", "0"})).size();
  ProcessExec exec;
  std::string all;
  const std::uint32_t limit = ProcessOptions().args_limit;
  ASSERT_NO_FATAL_FAILURE(RunWith({std::string(4096 - own - 1, 'x')}, limit, &exec, &all));
  EXPECT_EQ(exec.args_total_bytes, 4096u);
  EXPECT_FALSE(exec.args_truncated());
  EXPECT_EQ(exec.args, all);
  ASSERT_NO_FATAL_FAILURE(RunWith({std::string(4096 - own, 'x')}, limit, &exec, &all));
  EXPECT_EQ(exec.args_total_bytes, 4097u);
  EXPECT_TRUE(exec.args_truncated());
  EXPECT_EQ(exec.args, all.substr(0, 4096));
}

TEST_F(ExecArgsTest, TheLargestLimit) {
  const std::size_t own = Joined(ChildArgv({"hold", "0"})).size();
  ProcessExec exec;
  std::string all;
  ASSERT_NO_FATAL_FAILURE(RunWith({std::string(16383 - own - 1, 'x')}, 16383, &exec, &all));
  EXPECT_EQ(exec.args, all);
  ASSERT_NO_FATAL_FAILURE(
      RunWith(std::vector<std::string>(10, std::string(100'000, 'x')), 16383, &exec, &all));
  EXPECT_EQ(exec.args, all.substr(0, 16383));
  EXPECT_GT(exec.args_total_bytes, 1'000'000u);
}

// Kernels from 5.18 give a process without arguments one that is empty.
TEST_F(ExecArgsTest, NoArgumentsAtAll) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  TempDir dir;
  CopyProgram("/bin/cat", dir / "reader");
  Child child = Fork([&] { return Exec(dir / "reader", {}); }, {.to_stdin = true});
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  EXPECT_EQ(exec->args, ReadFile(ProcFile(child.pid(), "cmdline")));
  EXPECT_EQ(exec->args_total_bytes, exec->args->size());
  EXPECT_EQ(exec->process.comm, "reader");
}

TEST_F(ExecArgsTest, ALimitTooLargeIsRefused) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(
      absl::IsInvalidArgument(ProcessStream::Open(*session, {.args_limit = 16384}).status()));
}

}  // namespace
}  // namespace masflow::kernel_test
