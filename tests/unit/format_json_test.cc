// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdint>
#include <limits>
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

ProcessView Bash() {
  return {.id = {.pid = 12345, .start = nanoseconds(5'000'000'001)},
          .parent = {.pid = 1200, .start = nanoseconds(7)},
          .uid = 1000,
          .gid = 100,
          .cgroup_id = 4711,
          .comm = "bash"};
}

template <class Event>
std::string Json(const Event& event, WallTime at = kAt) {
  std::string out;
  AppendJson(event, at, &out);
  return out;
}

TEST(FormatJson, Exec_Full) {
  auto e = Of<ProcessExecView>(Bash());
  e.tid = 12345;
  e.euid = 0;
  e.egid = 101;
  e.filename = "./ls";
  e.executable = "/usr/bin/ls";
  e.args = "ls\0-la\0\0a b\0"sv;
  e.args_total_bytes = 12;
  EXPECT_EQ(Json(e),
            R"({"timestamp":"2026-01-31T12:34:56.123456789Z","event.name":"process.exec",)"
            R"("process.pid":12345,"process.parent_pid":1200,"process.real_user.id":1000,)"
            R"("process.user.id":0,"process.executable.name":"ls",)"
            R"("process.executable.path":"/usr/bin/ls",)"
            R"("process.command_args":["ls","-la","","a b"],"masflow.args_total_bytes":12,)"
            R"("masflow.filename":"./ls","masflow.tid":12345,"masflow.egid":101,)"
            R"("masflow.comm":"bash","masflow.gid":100,"masflow.cgroup_id":4711,)"
            R"("masflow.process_start_ns":5000000001,"masflow.parent_start_ns":7})");
}

TEST(FormatJson, Exec_AbsentStaysAbsent) {
  const std::string line = Json(Of<ProcessExecView>(Bash()));
  for (const std::string_view key :
       {"null", "executable", "args", "filename", "truncated", "pre_existing", "false"}) {
    EXPECT_EQ(line.find(key), std::string::npos) << key;
  }
}

TEST(FormatJson, Exec_Flags) {
  auto e = Of<ProcessExecView>(Bash());
  e.filename = "x";
  e.filename_truncated = true;
  e.executable = "/deep/x";
  e.executable_truncated = true;
  e.executable_unlinked = true;
  e.args = "x\0yy"sv;
  e.args_total_bytes = 5000;
  e.pre_existing = true;
  const std::string line = Json(e);
  EXPECT_NE(line.find(R"("process.command_args":["x","yy"],"masflow.args_total_bytes":5000,)"
                      R"("masflow.args_truncated":true,"masflow.filename":"x",)"
                      R"("masflow.filename_truncated":true,"masflow.executable_truncated":true,)"
                      R"("masflow.executable_unlinked":true,"masflow.pre_existing":true,)"),
            std::string::npos)
      << line;
}

TEST(FormatJson, Exec_NoArguments_EmptyArray) {
  auto e = Of<ProcessExecView>(Bash());
  e.args = "";
  EXPECT_NE(Json(e).find(R"("process.command_args":[],"masflow.args_total_bytes":0)"),
            std::string::npos);
}

TEST(FormatJson, Exec_WithoutPath_HasNameOnly) {
  auto e = Of<ProcessExecView>(Bash());
  e.executable = "memfd:a/b";
  const std::string line = Json(e);
  EXPECT_NE(line.find(R"("process.executable.name":"memfd:a/b")"), std::string::npos);
  EXPECT_EQ(line.find("process.executable.path"), std::string::npos);
}

TEST(FormatJson, Exit_Code) {
  auto e = Of<ProcessExitView>(Bash());
  e.exit_code = 127;
  e.duration = nanoseconds(2'113'000);
  EXPECT_EQ(Json(e),
            R"({"timestamp":"2026-01-31T12:34:56.123456789Z","event.name":"process.exit",)"
            R"("process.pid":12345,"process.parent_pid":1200,"process.real_user.id":1000,)"
            R"("process.exit.code":127,"masflow.duration_ns":2113000,"masflow.comm":"bash",)"
            R"("masflow.gid":100,"masflow.cgroup_id":4711,)"
            R"("masflow.process_start_ns":5000000001,"masflow.parent_start_ns":7})");
}

TEST(FormatJson, Exit_Signal) {
  auto e = Of<ProcessExitView>(Bash());
  e.signal = 11;
  e.core_dumped = true;
  const std::string line = Json(e);
  EXPECT_NE(line.find(R"("masflow.signal":11,"masflow.signal_name":"SIGSEGV",)"
                      R"("masflow.core_dumped":true,"masflow.duration_ns":0)"),
            std::string::npos)
      << line;
  EXPECT_EQ(line.find("process.exit.code"), std::string::npos);
}

TEST(FormatJson, Exit_RealTimeSignal_HasNoName) {
  auto e = Of<ProcessExitView>(Bash());
  e.signal = 40;
  EXPECT_EQ(Json(e).find("signal_name"), std::string::npos);
}

TEST(FormatJson, Fork) {
  auto e = Of<ProcessForkView>(Bash());
  e.parent_tid = 1201;
  EXPECT_NE(Json(e).find(R"("event.name":"process.fork","process.pid":12345,)"
                         R"("process.parent_pid":1200,"process.real_user.id":1000,)"
                         R"("masflow.parent_tid":1201,"masflow.comm":"bash")"),
            std::string::npos);
}

TEST(FormatJson, ExecFailure) {
  auto e = Of<ProcessExecFailureView>(Bash());
  e.tid = 12346;
  e.error = 2;
  e.filename = "/usr/bin/nope";
  e.filename_truncated = true;
  EXPECT_NE(Json(e).find(R"("event.name":"process.exec","process.pid":12345,)"
                         R"("process.parent_pid":1200,"process.real_user.id":1000,)"
                         R"("error.type":"ENOENT","masflow.errno":2,)"
                         R"("masflow.filename":"/usr/bin/nope",)"
                         R"("masflow.filename_truncated":true,"masflow.tid":12346,)"),
            std::string::npos);
}

TEST(FormatJson, ExecFailure_UnknownErrnoAndUnreadableName) {
  auto e = Of<ProcessExecFailureView>(Bash());
  e.error = 4000;
  const std::string line = Json(e);
  EXPECT_NE(line.find(R"("error.type":"_OTHER","masflow.errno":4000)"), std::string::npos);
  EXPECT_EQ(line.find("filename"), std::string::npos);
}

TEST(FormatJson, Loss) {
  masflow::Loss loss;
  loss.count = 123;
  loss.since = KernelTime(nanoseconds(1'000));
  loss.until = KernelTime(nanoseconds(11'214));
  EXPECT_EQ(Json(loss), R"({"timestamp":"2026-01-31T12:34:56.123456789Z","event.name":"loss",)"
                        R"("masflow.stream":"process","masflow.reason":"ring full",)"
                        R"("masflow.lost_records":123,"masflow.window_ns":10214})");
}

TEST(FormatJson, Numbers_AtTheirLimits) {
  ProcessForkView e;
  e.process.id.pid = std::numeric_limits<std::uint32_t>::max();
  e.process.cgroup_id = std::numeric_limits<std::uint64_t>::max();
  e.process.id.start = nanoseconds::min();
  const std::string line = Json(e);
  EXPECT_NE(line.find("\"process.pid\":4294967295"), std::string::npos);
  EXPECT_NE(line.find("\"masflow.cgroup_id\":18446744073709551615"), std::string::npos);
  EXPECT_NE(line.find("\"masflow.process_start_ns\":-9223372036854775808"), std::string::npos);
}

struct TimestampCase {
  std::int64_t ns;
  std::string_view text;
};

constexpr TimestampCase kTimestamps[] = {
    {0, "1970-01-01T00:00:00.000000000Z"},
    {-1, "1969-12-31T23:59:59.999999999Z"},
    {951'782'400'000'000'000, "2000-02-29T00:00:00.000000000Z"},
    {1'709'251'199'999'999'999, "2024-02-29T23:59:59.999999999Z"},
    {std::numeric_limits<std::int64_t>::max(), "2262-04-11T23:47:16.854775807Z"},
    {std::numeric_limits<std::int64_t>::min(), "1677-09-21T00:12:43.145224192Z"},
};

TEST(FormatJson, Timestamp_IsRfc3339InUtc) {
  for (const TimestampCase& c : kTimestamps) {
    const std::string line = Json(ProcessForkView(), WallTime(nanoseconds(c.ns)));
    EXPECT_EQ(line.substr(14, 30), c.text);
  }
}

}  // namespace
}  // namespace masflow
