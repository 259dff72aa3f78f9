// SPDX-License-Identifier: Apache-2.0
//
// The library where something is missing: it works, or says in a Status what to do, and
// prints nothing either way.
#include <linux/capability.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <string>

#include "constraints.h"
#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

using EnvironmentTest = KernelTest;

// Opens all that there is and waits for the end of a process. In the child, so without
// assertions.
absl::Status Use() {
  absl::StatusOr<Session> session = Session::Create();
  if (!session.ok()) {
    return session.status();
  }
  absl::StatusOr<ProcessStream> stream =
      ProcessStream::Open(*session, {.forks = true, .failed_execs = true, .snapshot = true});
  if (!stream.ok()) {
    return stream.status();
  }
  const pid_t child = fork();
  if (child == 0) {
    execl("/bin/true", "true", nullptr);
    _exit(1);
  }
  int events = 0;
  const auto count = [&](const auto& event) {
    events += event.process.id.pid == static_cast<std::uint32_t>(child) ? 1 : 0;
  };
  stream->OnFork(count);
  stream->OnExec(count);
  stream->OnExit(count);
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (events < 3) {
    session->Drain(256);
    if (std::chrono::steady_clock::now() > end) {
      return absl::DeadlineExceededError("the events did not come");
    }
  }
  return absl::OkStatus();
}

absl::Status OpenAll() {
  absl::StatusOr<Session> session = Session::Create();
  if (!session.ok()) {
    return session.status();
  }
  const auto process =
      ProcessStream::Open(*session, {.forks = true, .failed_execs = true, .snapshot = true});
  if (!process.ok()) {
    return process.status();
  }
  const auto tcp = TcpStream::Open(*session, {.data = TcpDataMode::kCall});
  if (!tcp.ok()) {
    return tcp.status();
  }
  return HttpStream::Open(*session).status();
}

// Fails where the kernel has no kprobes.
absl::Status OpenByKprobe() {
  absl::StatusOr<Session> session =
      CreateSession({.forced = {{"http send", "kprobe tcp_sendmsg_locked, release_sock"}}});
  return session.ok() ? HttpStream::Open(*session).status() : session.status();
}

// Before 5.11 that takes something more.
bool HaveEnoughLockedMemory() {
  return !BpfMemoryIsLocked() || LimitLockedMemory(kEnoughLockedMemory);
}

bool BecomeNobodyWithTheTwo() {
  return HaveEnoughLockedMemory() && BecomeNobody({CAP_BPF, CAP_PERFMON});
}

struct Outcome {
  std::string status;   // "OK", or code and message
  std::string printed;  // on stdout and stderr
};

Outcome UseWhere(const std::function<bool()>& constrain, absl::Status (*use)() = Use) {
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe(ends.data()), 0);
  Child child = Fork(
      [&] {
        dup2(STDOUT_FILENO, STDERR_FILENO);
        const std::string text = constrain() ? use().ToString() : "cannot set up the test";
        return write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0
                                                                                             : 1;
      },
      {.from_stdout = true});
  close(ends[1]);
  Outcome outcome;
  outcome.printed = child.ReadAll();
  std::array<char, 4096> text{};
  const ssize_t n = read(ends[0], text.data(), text.size());
  outcome.status.assign(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  close(ends[0]);
  EXPECT_EQ(child.Wait(), 0);
  return outcome;
}

void ExpectWorks(const std::function<bool()>& constrain) {
  const Outcome outcome = UseWhere(constrain);
  EXPECT_EQ(outcome.status, "OK");
  EXPECT_EQ(outcome.printed, "");
}

TEST_F(EnvironmentTest, AsItIs) {
  ExpectWorks([] { return true; });
}

TEST_F(EnvironmentTest, WithoutAnyCapability) {
  const Outcome outcome = UseWhere([] { return BecomeNobody(); });
  EXPECT_THAT(outcome.status, AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("CAP_BPF"),
                                    HasSubstr("CAP_PERFMON"), HasSubstr("root")));
  EXPECT_EQ(outcome.printed, "");
}

TEST_F(EnvironmentTest, WithoutOneOfTheTwoCapabilities) {
  const Outcome no_perfmon = UseWhere([] { return BecomeNobody({CAP_BPF}); });
  EXPECT_THAT(no_perfmon.status,
              AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("CAP_PERFMON missing"),
                    Not(HasSubstr("and CAP"))));
  EXPECT_EQ(no_perfmon.printed, "");
  const Outcome no_bpf = UseWhere([] { return BecomeNobody({CAP_PERFMON}); });
  EXPECT_THAT(no_bpf.status, AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("CAP_BPF missing")));
  EXPECT_EQ(no_bpf.printed, "");
}

TEST_F(EnvironmentTest, WithTheTwoCapabilitiesOnly) {
  ExpectWorks(BecomeNobodyWithTheTwo);
}

TEST_F(EnvironmentTest, WithoutBtf) {
  const Outcome outcome = UseWhere(HideBtf);
  EXPECT_THAT(outcome.status,
              AllOf(HasSubstr("UNIMPLEMENTED"), HasSubstr("/sys/kernel/btf/vmlinux"),
                    HasSubstr("CONFIG_DEBUG_INFO_BTF")));
  EXPECT_EQ(outcome.printed, "");
}

TEST_F(EnvironmentTest, WithoutTracefs) {
  ExpectWorks(HideTracefs);
}

TEST_F(EnvironmentTest, WithTracefsUnreadable) {
  ExpectWorks([] { return MakeTracefsUnreadable() && BecomeNobodyWithTheTwo(); });
}

// Before 5.11 BPF memory is locked memory. There libbpf raises the limit, if it may and has not in
// this process or the one that it is a fork of (see docs/support.md); else the status names it.
TEST_F(EnvironmentTest, WithLittleLockedMemory) {
  for (const std::uint64_t bytes : {std::uint64_t{0}, kUsualLockedMemory}) {
    const auto limit = [=] { return LimitLockedMemory(bytes); };
    const auto limit_nobody = [=] { return limit() && BecomeNobody({CAP_BPF, CAP_PERFMON}); };
    if (BpfMemoryIsLocked()) {
      const Outcome outcome = UseWhere(limit_nobody);
      EXPECT_THAT(outcome.status,
                  AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("counts against RLIMIT_MEMLOCK"),
                        HasSubstr("is " + std::to_string(bytes / 1024) + " KiB here"),
                        HasSubstr("CAP_SYS_RESOURCE")));
      EXPECT_EQ(outcome.printed, "");
    } else {
      ExpectWorks(limit);
      ExpectWorks(limit_nobody);
    }
  }
}

// CAP_SYS_ADMIN for the kprobes, see below: it does not raise the limit.
TEST_F(EnvironmentTest, AllStreamsWithEnoughLockedMemory) {
  const Outcome outcome = UseWhere(
      [] {
        return HaveEnoughLockedMemory() && BecomeNobody({CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN});
      },
      OpenAll);
  EXPECT_EQ(outcome.status, "OK");
}

// Where kprobes are closed to CAP_PERFMON, the status says by what.
TEST_F(EnvironmentTest, KprobesWithTheTwoCapabilitiesOnly) {
  const Outcome root = UseWhere([] { return true; }, OpenByKprobe);
  const Outcome nobody = UseWhere(BecomeNobodyWithTheTwo, OpenByKprobe);
  if (root.status == "OK" && PerfEventsAreClosed()) {
    EXPECT_THAT(nobody.status,
                AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("kernel.perf_event_paranoid"),
                      HasSubstr("CAP_SYS_ADMIN")));
  } else {
    EXPECT_EQ(nobody.status, root.status);
  }
}

TEST_F(EnvironmentTest, FailuresPrintNothing) {
  Child child = Fork(
      [] {
        dup2(STDOUT_FILENO, STDERR_FILENO);
        absl::StatusOr<Session> session = CreateSession({.forced = {{"process exit", "magic"}}});
        const bool any = !session.ok() || ProcessStream::Open(*session).ok() ||
                         ProcessStream::Open(*session, {.filter = {.cgroups = {"/none"}}}).ok() ||
                         ProcessStream::Open(*session, {.ring_bytes = 5000}).ok();
        return any ? 1 : 0;
      },
      {.from_stdout = true});
  EXPECT_EQ(child.ReadAll(), "");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace masflow::kernel_test
