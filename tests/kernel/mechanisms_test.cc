// SPDX-License-Identifier: Apache-2.0
//
// All streams with all their hooks at once: whether the verifier takes every program, by which
// mechanisms, and how long that takes. What is printed here becomes the tables of tests/vm.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "live.h"
#include "outside.h"
#include "verified.h"

namespace masflow::kernel_test {
namespace {

using MechanismsTest = KernelTest;
using Clock = std::chrono::steady_clock;

class Watch {
 public:
  // Since the last one.
  long Milliseconds() {
    const Clock::time_point now = Clock::now();
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - since_);
    since_ = now;
    return static_cast<long>(passed.count());
  }

 private:
  Clock::time_point since_ = Clock::now();
};

// A stream of connections has data by call, as above, or by interval, with a pass over its table.
HookSupport PassOfAnIntervalStream() {
  absl::StatusOr<Session> session = CreateSession({});
  if (!session.ok()) {
    ADD_FAILURE() << session.status();
    return {};
  }
  const auto tcp = TcpStream::Open(*session, {.data = TcpDataMode::kInterval});
  EXPECT_TRUE(tcp.ok()) << tcp.status();
  return FindHook(*session, "tcp pass");
}

TEST_F(MechanismsTest, AllAttach) {
  std::printf("attaching\n");
  std::fflush(stdout);
  Watch watch;
  absl::StatusOr<Session> session = CreateSession({});
  ASSERT_TRUE(session.ok()) << session.status();
  const long created = watch.Milliseconds();
  const auto process = ProcessStream::Open(*session, {.forks = true, .failed_execs = true});
  ASSERT_TRUE(process.ok()) << process.status();
  const long processes = watch.Milliseconds();
  const auto tcp = TcpStream::Open(*session, {.data = TcpDataMode::kCall});
  ASSERT_TRUE(tcp.ok()) << tcp.status();
  const long connections = watch.Milliseconds();
  const auto http = HttpStream::Open(*session);
  ASSERT_TRUE(http.ok()) << http.status();
  const long exchanges = watch.Milliseconds();
  ExpectForced(*session, {});
  std::printf("attached\t%ld\t%ld\t%ld\t%ld\n", created, processes, connections, exchanges);
  std::fflush(stdout);
  std::vector<HookSupport> hooks = session->support().hooks;
  hooks.push_back(PassOfAnIntervalStream());
  for (const HookSupport& hook : hooks) {
    std::printf("mechanism\t%s\t%s\n", hook.hook.c_str(), hook.mechanism.c_str());
    for (const HookSupport::Refusal& refusal : hook.refused) {
      std::printf("refused\t%s\t%s\t%s\n", hook.hook.c_str(), refusal.mechanism.c_str(),
                  refusal.reason.c_str());
    }
  }
  for (const auto& [program, count] : VerifiedInstructions()) {
    EXPECT_GT(count, 0u) << program;
    std::printf("program\t%s\t%u\n", program.c_str(), count);
  }
}

}  // namespace
}  // namespace masflow::kernel_test
