// SPDX-License-Identifier: Apache-2.0
//
// make_recording SCENE FILE: writes the recording of a made-up scene, the same bytes each
// time. golden_test.py shows what the command makes of them.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "masflow/events.h"
#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/stats.h"
#include "masflow/tcp_stream.h"
#include "masflow/testing/fake_source.h"
#include "scenes.h"

namespace masflow_golden {

using masflow::KernelTime;
using masflow::Process;
using masflow::ProcessExec;
using masflow::testing::FakeSource;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;
using namespace std::string_literals;

KernelTime NextTime() {
  static KernelTime time{12h + 34min + 56s + 789'012'345ns};
  return time += 1'001'001ns;
}

Process MakeProcess(std::uint32_t pid, std::uint32_t parent, std::string comm) {
  Process process;
  process.id = {pid, 3600s + nanoseconds(pid)};
  process.parent = {parent, 3600s + nanoseconds(parent)};
  process.uid = 1000;
  process.gid = 100;
  process.cgroup_id = 4711;
  process.comm = std::move(comm);
  return process;
}

namespace {

// clang-format off
constexpr std::string_view kHostile[] = {
    "two\nlines",
    "\r\x1b[2K\x1b[1A",  // overwrite the line above
    "\x1b]0;owned\a",    // set the title of the terminal
    "\302\23331m",       // CSI as one character (octal: a digit follows)
    "\23331m",           // CSI as one byte
    "a\u202Etxt.sh",     // shown backwards
    "\u2066x\u2069",
    "x\u2028y\u2029",
    "ro\u200Bot",        // looks like root
    "\uFEFF",
    "\U000E0041",
    "\xFF\xFE",
    "\xC0\xAF",          // overlong slash
    "\xED\xA0\x80",      // surrogate
    "\xF4\x90\x80\x80",  // beyond Unicode
    "cut \xE2\x82",
    "\"},{\"x\":\"",
    "\\u0041\\n\\",
    "' '",
    "$(reboot)`id`",
    "  ppid=1 uid=0",
    "\x7F\x01\x1F",
    "日本語 é 😀",
};
// clang-format on

}  // namespace

std::span<const std::string_view> HostileTexts() {
  return kHostile;
}

namespace {

// `args`: each argument ended by a NUL.
ProcessExec MakeExec(const Process& process, const std::string& path, std::string args) {
  ProcessExec e;
  e.time = NextTime();
  e.process = process;
  e.tid = process.id.pid;
  e.euid = process.uid;
  e.egid = process.gid;
  e.filename = path;
  e.executable = path;
  e.args_total_bytes = static_cast<std::uint32_t>(args.size());
  e.args = std::move(args);
  return e;
}

masflow::ProcessExit MakeExit(const Process& process, std::optional<std::uint8_t> code,
                              std::optional<std::uint8_t> signal, nanoseconds duration) {
  masflow::ProcessExit e;
  e.time = NextTime();
  e.process = process;
  e.exit_code = code;
  e.signal = signal;
  e.duration = duration;
  return e;
}

masflow::ProcessFork MakeFork(const Process& child, std::uint32_t parent_tid) {
  masflow::ProcessFork e;
  e.time = NextTime();
  e.process = child;
  e.parent_tid = parent_tid;
  return e;
}

masflow::ProcessExecFailure MakeFailure(const Process& process, int error,
                                        std::optional<std::string> filename) {
  masflow::ProcessExecFailure e;
  e.time = NextTime();
  e.process = process;
  e.tid = process.id.pid;
  e.error = error;
  e.filename = std::move(filename);
  return e;
}

masflow::Loss MakeLoss(masflow::LossReason reason, std::uint64_t count, nanoseconds window) {
  masflow::Loss loss;
  loss.reason = reason;
  loss.count = count;
  loss.until = NextTime();
  loss.since = loss.until - window;
  return loss;
}

// What the shell of a user does in a quiet minute.
void PushOrdinary(FakeSource* fake) {
  ProcessExec shell = MakeExec(MakeProcess(1200, 1, "bash"), "/usr/bin/bash", "-bash\0"s);
  shell.pre_existing = true;
  shell.filename.clear();
  fake->Push(shell);

  fake->Push(MakeFork(MakeProcess(12345, 1200, "bash"), 1200));
  const Process ls = MakeProcess(12345, 1200, "ls");
  fake->Push(MakeExec(ls, "/usr/bin/ls", "ls\0-la\0"s));
  fake->Push(MakeExit(ls, 0, std::nullopt, 2'113us));

  const Process script = MakeProcess(12346, 1200, "backup.sh");
  ProcessExec run_script =
      MakeExec(script, "/bin/sh", "/bin/sh\0./backup.sh\0--to\0/mnt/my disk\0\0"s);
  run_script.filename = "./backup.sh";
  run_script.executable = "/usr/bin/dash";
  fake->Push(run_script);
  fake->Push(MakeFailure(MakeProcess(12347, 12346, "backup.sh"), 2, "/usr/local/bin/rsync"));
  fake->Push(MakeFailure(MakeProcess(12347, 12346, "backup.sh"), 13, std::nullopt));
  fake->Push(MakeExit(MakeProcess(12347, 12346, "backup.sh"), 127, std::nullopt, 999us));
  fake->Push(MakeExit(script, std::nullopt, 15, 3min + 2s));

  ProcessExec sudo = MakeExec(MakeProcess(12348, 1200, "sudo"), "/usr/bin/sudo", "sudo\0id\0"s);
  sudo.euid = 0;
  sudo.egid = 0;
  fake->Push(sudo);

  ProcessExec threaded = MakeExec(MakeProcess(12350, 1200, "3"), "memfd:payload", "payload\0"s);
  threaded.tid = 12355;
  threaded.filename.clear();
  threaded.executable_unlinked = true;
  fake->Push(threaded);
  masflow::ProcessExit crash =
      MakeExit(MakeProcess(12350, 1200, "3"), std::nullopt, 11, 26h + 3min);
  crash.core_dumped = true;
  fake->Push(crash);
}

// What was not seen, or not whole.
void PushIncomplete(FakeSource* fake) {
  ProcessExec cut = MakeExec(MakeProcess(200, 100, "xargs"), "/deep/below/rm", "rm\0-f\0a\0bc"s);
  cut.args_total_bytes = 131'072;
  cut.executable_truncated = true;
  cut.filename_truncated = true;
  fake->Push(cut);
  fake->PushLoss(MakeLoss(masflow::LossReason::kRingFull, 123, 10'214us));
  fake->PushLoss(MakeLoss(masflow::LossReason::kTableFull, 1, 1s));
  fake->PushLoss(MakeLoss(masflow::LossReason::kHookMissed, 2, 100ns));
  ProcessExec unknown = MakeExec(MakeProcess(201, 100, "gone"), "", "");
  unknown.executable.reset();
  unknown.args.reset();
  fake->Push(unknown);
  fake->Push(MakeExec(MakeProcess(202, 100, "bare"), "/bin/bare", ""));
  // Shorter than any record.
  fake->PushRecord(masflow::StreamKind::kProcess, std::array<std::byte, 8>{});
  fake->Push(MakeExit(MakeProcess(203, 0, "init"), std::nullopt, 40, 0ns));
}

void PushHostile(FakeSource* fake) {
  std::uint32_t pid = 300;
  for (const std::string_view name : HostileTexts()) {
    const std::string text(name);
    const Process process = MakeProcess(++pid, 1, text.substr(0, 15));
    std::string arguments = text;
    arguments += '\0';
    arguments += arguments;
    fake->Push(MakeExec(process, "/tmp/" + text, arguments));
    fake->Push(MakeFailure(process, 8, text));
  }
}

// More than a pipe holds.
void PushMany(FakeSource* fake) {
  for (std::uint32_t pid = 1000; pid < 21'000; ++pid) {
    fake->Push(MakeExit(MakeProcess(pid, 1, "many"), 0, std::nullopt, 1ms));
  }
}

absl::Status Record(void (*push)(FakeSource*), const std::string& path) {
  FakeSource fake;
  masflow::SessionOptions options;
  options.source = fake.source();
  options.record_to = path;
  absl::StatusOr<masflow::Session> session = masflow::Session::Create(options);
  if (!session.ok()) {
    return session.status();
  }
  const auto processes = masflow::ProcessStream::Open(*session);
  const auto tcp = masflow::TcpStream::Open(*session);
  const auto http = masflow::HttpStream::Open(*session);
  for (const absl::Status& status : {processes.status(), tcp.status(), http.status()}) {
    if (!status.ok()) {
      return status;
    }
  }
  push(&fake);
  fake.End();
  while (!session->Drain(256).ended) {
  }
  return session->status();
}

struct Scene {
  std::string_view name;
  void (*push)(FakeSource*);
};
constexpr Scene kScenes[] = {
    {"ordinary", PushOrdinary},
    {"incomplete", PushIncomplete},
    {"hostile", PushHostile},
    {"many", PushMany},
    {"tcp", PushTcp},
    {"tcp_calls", PushTcpCalls},
    {"talk", PushTalk},
    {"http", PushHttp},
    {"http_routes", PushHttpRoutes},
};

int Main(std::string_view name, const std::string& path) {
  for (const Scene& scene : kScenes) {
    if (scene.name == name) {
      const absl::Status status = Record(scene.push, path);
      if (!status.ok()) {
        std::cerr << "make_recording: " << status << '\n';
      }
      return status.ok() ? 0 : 1;
    }
  }
  std::cerr << "make_recording: there is no scene '" << name << "'\n";
  return 2;
}

}  // namespace
}  // namespace masflow_golden

int main(int argc, char** argv) {
  try {
    if (argc == 3) {
      return masflow_golden::Main(argv[1], argv[2]);
    }
    std::cerr << "usage: make_recording SCENE FILE\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "make_recording: " << error.what() << '\n';
    return 1;
  }
}
