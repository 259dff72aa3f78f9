// SPDX-License-Identifier: Apache-2.0
//
// Pids and ends of connections that are used again at once: each is what it is, and none takes
// anything from the one before.
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

// With this pid, which the former one may still have for a moment.
Child SpawnAs(std::uint32_t pid, const std::vector<std::string>& argv) {
  pid_t wanted = static_cast<pid_t>(pid);
  clone_args args{};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<std::uintptr_t>(&wanted);
  args.set_tid_size = 1;
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  long child = -1;
  do {
    child = syscall(SYS_clone3, &args, sizeof(args));
    if (child < 0) {
      std::this_thread::yield();
    }
  } while (child < 0 && errno == EEXIST && std::chrono::steady_clock::now() < end);
  if (child == 0) {
    _exit(Exec(argv[0], argv));
  }
  EXPECT_EQ(child, wanted);
  return Child(static_cast<pid_t>(child), -1, -1);
}

using ReuseTest = KernelTest;

TEST_F(ReuseTest, OnePidOverAndOver) {
  constexpr int kTimes = 50;
  ProcessFilter tree;
  tree.trees = {Self()};
  const auto live = Live::Open(tree);
  ASSERT_NE(live, nullptr);
  Child first = Spawn(ChildArgv({"exit", "0"}));
  first.Wait();
  const std::uint32_t pid = first.pid();
  for (int code = 1; code < kTimes; ++code) {
    Child next = SpawnAs(pid, ChildArgv({"exit", std::to_string(code)}));
    ASSERT_EQ(WEXITSTATUS(next.Wait()), code);
  }
  ASSERT_NE(live->Await<ProcessExit>(pid, kTimes), nullptr);
  const auto execs = live->Of<ProcessExec>(pid);
  const auto exits = live->Of<ProcessExit>(pid);
  ASSERT_EQ(execs.size(), static_cast<std::size_t>(kTimes));
  ASSERT_EQ(exits.size(), static_cast<std::size_t>(kTimes));
  std::set<ProcessId> ids;
  for (int code = 0; code < kTimes; ++code) {
    const auto at = static_cast<std::size_t>(code);
    EXPECT_EQ(exits[at]->exit_code, code);
    EXPECT_EQ(execs[at]->args, Joined(ChildArgv({"exit", std::to_string(code)})));
    EXPECT_EQ(execs[at]->process.id, exits[at]->process.id);
    EXPECT_TRUE(ids.insert(exits[at]->process.id).second);
    EXPECT_GE(exits[at]->duration.count(), 0);
    EXPECT_LT(exits[at]->duration, kDeadline);
  }
  EXPECT_EQ(live->stats().lost_total(), 0u);
}

// The same two ports, and most often the same socket of the kernel at the same address.
TEST_F(ReuseTest, TheSameEndsOverAndOver) {
  constexpr std::size_t kTimes = 300;
  TcpOptions options{.pre_existing = false};
  options.filter.process.pids = {Self()};
  const auto live = TcpLive::Open(options);
  ASSERT_NE(live, nullptr);
  const Listener listener = Listen();
  std::uint16_t port = 0;
  for (std::size_t i = 1; i <= kTimes; ++i) {
    UniqueFd client = Socket(kLocalhost);
    ASSERT_EQ(Bind(client.get(), kLocalhost, port), 0) << i;
    port = LocalPort(client.get());
    ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0) << i;
    UniqueFd server = Accept(listener);
    ASSERT_TRUE(WriteAll(client.get(), i));
    ASSERT_EQ(ReadAll(server.get(), i), i);
    ResetOnClose(client.get());  // so that the port is free at once
    client.Reset();
    server.Reset();
  }
  const Wanted clients{.owner = {}, .local = port, .remote = {}};
  const Wanted servers{.owner = {}, .local = listener.port, .remote = {}};
  for (const Wanted& wanted : {clients, servers}) {
    ASSERT_NE(live->Await<TcpClose>(wanted, kTimes), nullptr);
  }
  live->CatchUp();  // looks at each life
  for (const Wanted& wanted : {clients, servers}) {
    const auto closes = live->All<TcpClose>(wanted);
    ASSERT_EQ(closes.size(), kTimes);
    std::multiset<std::uint64_t> moved;
    for (const TcpClose* const close : closes) {
      if (close->reason != CloseReason::kUnseen) {  // see docs/design/0006
        moved.insert(close->tx_bytes + close->rx_bytes);
      }
    }
    EXPECT_GE(moved.size() + 1, kTimes);
    EXPECT_EQ(std::set<std::uint64_t>(moved.begin(), moved.end()).size(), moved.size())
        << "one has the bytes of another";
    EXPECT_EQ(*moved.rbegin(), kTimes);
  }
  EXPECT_EQ(live->stats().lost_total(), 0u);
}

}  // namespace
}  // namespace masflow::kernel_test
