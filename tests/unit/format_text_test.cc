// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <time.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "masflow/format.h"

namespace masflow {
namespace {

using namespace std::string_view_literals;
using std::chrono::nanoseconds;

constexpr WallTime kAt{nanoseconds(1'769'862'896'123'456'789)};

template <class Event>
Event Of(const ProcessView& process) {
  Event event;
  event.process = process;
  return event;
}

class FormatText : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("TZ", "UTC", 1);
    tzset();
  }

  static ProcessView Ls() {
    return {.id = {.pid = 12345}, .parent = {.pid = 1200}, .uid = 0, .comm = "ls"};
  }

  static ProcessExecView LsExec() {
    auto e = Of<ProcessExecView>(Ls());
    e.tid = 12345;
    e.filename = "/bin/ls";
    e.executable = "/usr/bin/ls";
    e.args = "ls\0-la\0"sv;
    e.args_total_bytes = 7;
    return e;
  }

  template <class Event>
  static std::string Text(const Event& event, WallTime at = kAt, TextStyle style = {}) {
    std::string out;
    AppendText(event, at, style, &out);
    return out;
  }

  // From the details' column on.
  template <class Event>
  static std::string Details(const Event& event) {
    return Text(event).substr(57);
  }
};

TEST_F(FormatText, Exec) {
  EXPECT_EQ(Text(LsExec()),
            "12:34:56.123456 PROCESS Exec      12345 ls               "
            "ls -la  ppid=1200 uid=0  exe=/usr/bin/ls");
}

TEST_F(FormatText, Exec_AsAnotherUserFromAThreadOfAScript) {
  ProcessExecView e = LsExec();
  e.process.uid = 1000;
  e.euid = 0;
  e.tid = 12399;
  e.filename = "./run me.sh";
  EXPECT_EQ(Details(e),
            "ls -la  ppid=1200 uid=1000 euid=0 tid=12399  file='./run me.sh'  exe=/usr/bin/ls");
}

TEST_F(FormatText, Exec_PreExisting_IsRunning) {
  ProcessExecView e = LsExec();
  e.pre_existing = true;
  e.filename = "";
  EXPECT_EQ(Text(e).substr(0, 40), "12:34:56.123456 PROCESS Running   12345 ");
}

TEST_F(FormatText, Exec_ArgumentsAreWords) {
  ProcessExecView e = LsExec();
  e.args = "sh\0-c\0echo \"hi\"; rm\0\0ppid=7\0it's\n\0"sv;
  e.args_total_bytes = static_cast<std::uint32_t>(e.args->size());
  EXPECT_EQ(Details(e),
            "sh -c 'echo \"hi\"; rm' '' ppid=7 $'it\\'s\\n'  ppid=1200 uid=0  exe=/usr/bin/ls");
}

TEST_F(FormatText, Exec_ArgumentsCut) {
  ProcessExecView e = LsExec();
  e.args = "ls\0aaaa"sv;
  e.args_total_bytes = 20'000;
  EXPECT_EQ(Details(e), "ls aaaa… (7 of 20000 bytes)  ppid=1200 uid=0  exe=/usr/bin/ls");
  e.args = ""sv;
  EXPECT_EQ(Details(e), "… (0 of 20000 bytes)  ppid=1200 uid=0  exe=/usr/bin/ls");
}

TEST_F(FormatText, Exec_NothingKnown) {
  auto e = Of<ProcessExecView>(Ls());
  e.tid = 12345;
  EXPECT_EQ(Details(e), "(arguments unreadable)  ppid=1200 uid=0");
  e.args = ""sv;
  EXPECT_EQ(Details(e), "(no arguments)  ppid=1200 uid=0");
}

TEST_F(FormatText, Exec_ExecutableCutAndUnlinked) {
  ProcessExecView e = LsExec();
  e.filename = "/very/long";
  e.filename_truncated = true;
  e.executable = "/deep/ls";
  e.executable_truncated = true;
  e.executable_unlinked = true;
  EXPECT_EQ(Details(e), "ls -la  ppid=1200 uid=0  file=/very/long…  exe=…/deep/ls (unlinked)");
}

TEST_F(FormatText, Comm_IsEscapedAndPadded) {
  auto e = Of<ProcessForkView>(Ls());
  e.process.parent.pid = e.parent_tid = 1200;
  e.process.comm = "a\n\x1b[2J";
  EXPECT_EQ(Text(e), "12:34:56.123456 PROCESS Fork      12345 a\\n\\x1B[2J       by 1200");
  e.process.comm = "日本";
  EXPECT_EQ(Text(e), "12:34:56.123456 PROCESS Fork      12345 日本               by 1200");
  e.process.comm = "\x01\x01\x01\x01\x01";  // longer than its column
  EXPECT_EQ(Text(e), "12:34:56.123456 PROCESS Fork      12345 \\x01\\x01\\x01\\x01\\x01  by 1200");
}

TEST_F(FormatText, Fork_ByAThread) {
  auto e = Of<ProcessForkView>(Ls());
  e.parent_tid = 1201;
  EXPECT_EQ(Details(e), "by 1200 tid=1201");
}

TEST_F(FormatText, Exit) {
  auto e = Of<ProcessExitView>(Ls());
  e.exit_code = 0;
  e.duration = nanoseconds(2'113'000);
  EXPECT_EQ(Text(e),
            "12:34:56.123456 PROCESS Exit      12345 ls               exit 0 after 2.113ms");
}

TEST_F(FormatText, Exit_BySignal) {
  auto e = Of<ProcessExitView>(Ls());
  e.signal = 9;
  EXPECT_EQ(Details(e), "killed by signal 9 (KILL) after 0ns");
  e.signal = 11;
  e.core_dumped = true;
  EXPECT_EQ(Details(e), "killed by signal 11 (SEGV) after 0ns, core dumped");
  e.signal = 40;
  EXPECT_EQ(Details(e), "killed by signal 40 after 0ns, core dumped");
}

TEST_F(FormatText, ExecFailure) {
  auto e = Of<ProcessExecFailureView>(Ls());
  e.tid = 12345;
  e.error = 2;
  e.filename = "/usr/bin/no pe";
  EXPECT_EQ(Text(e),
            "12:34:56.123456 PROCESS Failed    12345 ls               "
            "ENOENT '/usr/bin/no pe'  ppid=1200 uid=0");
  e.error = 4000;
  e.filename = std::nullopt;
  e.tid = 12346;
  EXPECT_EQ(Details(e), "errno 4000 (file name unreadable)  ppid=1200 uid=0 tid=12346");
}

TEST_F(FormatText, Loss) {
  masflow::Loss loss;
  loss.count = 123;
  loss.until = loss.since + nanoseconds(10'214'000);
  EXPECT_EQ(Text(loss),
            "12:34:56.123456 LOSS process: 123 records lost (ring full) within 10.214ms");
  loss.count = 1;
  EXPECT_EQ(Text(loss), "12:34:56.123456 LOSS process: 1 record lost (ring full) within 10.214ms");
}

TEST_F(FormatText, Color_IsAroundTheEventNameOnly) {
  EXPECT_EQ(Text(LsExec(), kAt, {.color = true}).substr(0, 48),
            "12:34:56.123456 \x1b[32mPROCESS Exec\x1b[0m      12345");
  EXPECT_EQ(Text(LsExec()).find('\x1b'), std::string::npos);
}

TEST_F(FormatText, ClockTime_BeforeTheEpoch) {
  EXPECT_EQ(Text(LsExec(), WallTime(nanoseconds(-1))).substr(0, 15), "23:59:59.999999");
}

struct DurationCase {
  std::int64_t ns;
  std::string_view text;
};

constexpr DurationCase kDurations[] = {
    {0, "0ns"},
    {999, "999ns"},
    {1'000, "1.000us"},
    {999'999, "999.999us"},
    {1'000'000, "1.000ms"},
    {59'999'999'999, "59.999s"},
    {60'000'000'000, "1m00s"},
    {3'599'000'000'000, "59m59s"},
    {3'723'000'000'000, "1h02m03s"},
    {86'400'000'000'000, "1d00h00m"},
    {INT64_MAX, "106751d23h47m"},
    {-1'500, "-1.500us"},
    {INT64_MIN, "-106751d23h47m"},
};

TEST_F(FormatText, Duration) {
  for (const DurationCase& c : kDurations) {
    auto e = Of<ProcessExitView>(Ls());
    e.exit_code = 0;
    e.duration = nanoseconds(c.ns);
    EXPECT_EQ(Details(e), "exit 0 after " + std::string(c.text));
  }
}

TEST(FormatSupportTable, Report) {
  SupportReport report{.source = "live kernel",
                       .kernel = "6.1.0-13-amd64",
                       .architecture = "x86_64",
                       .cgroup_hierarchy = "cgroup v2",
                       .cgroup_mount = "/sys/fs/cgroup",
                       .hooks = {}};
  report.hooks.push_back({.stream = StreamKind::kProcess,
                          .hook = "exec",
                          .mechanism = "raw_tp sched_process_exec",
                          .limits = "",
                          .refused = {}});
  report.hooks.push_back({.stream = StreamKind::kProcess,
                          .hook = "exec failure",
                          .mechanism = "",
                          .limits = "failed execs are not seen",
                          .refused = {{.mechanism = "fexit", .reason = "EBUSY\nso"},
                                      {.mechanism = "raw_tp sys_exit", .reason = ""}}});
  std::string out;
  AppendText(report, &out);
  EXPECT_EQ(out,
            "source     live kernel\n"
            "kernel     6.1.0-13-amd64\n"
            "machine    x86_64\n"
            "cgroup ids cgroup v2 at /sys/fs/cgroup\n"
            "\n"
            "stream     hook          mechanism\n"
            "process    exec          raw_tp sched_process_exec\n"
            "process    exec failure  none works\n"
            "           limits: failed execs are not seen\n"
            "           refused: fexit: EBUSY\\nso\n"
            "           refused: raw_tp sys_exit: no reason given\n");
}

TEST(FormatSupportTable, EmptyReport_HasNoTable) {
  std::string out;
  AppendText(SupportReport{.source = "recording x",
                           .kernel = "",
                           .architecture = "",
                           .cgroup_hierarchy = "cgroup v2",
                           .cgroup_mount = "",
                           .hooks = {}},
             &out);
  EXPECT_EQ(out, "source     recording x\ncgroup ids cgroup v2, not mounted here\n");
}

}  // namespace
}  // namespace masflow
