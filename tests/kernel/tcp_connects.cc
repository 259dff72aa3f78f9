// SPDX-License-Identifier: Apache-2.0
#include "tcp_connects.h"

#include <sys/prctl.h>

#include <cstdio>
#include <sstream>

namespace masflow::kernel_test {
namespace {

constexpr char kComm[] = "mf-connects";

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

}  // namespace

Told Hear(Child& child) {
  Told told;
  std::istringstream line(child.ReadLine());
  line >> told.ends.local >> told.ends.remote >> told.error >> told.tid >> told.netns;
  return told;
}

void End(Child& child) {
  child.Release();
  EXPECT_EQ(child.Wait(), 0);
}

void NameMyself() {
  prctl(PR_SET_NAME, kComm);
}

void Tell(const Ends& ends, int error, pid_t tid) {
  dprintf(STDOUT_FILENO, "%s %s %d %d %u\n", ends.local.c_str(), ends.remote.c_str(), error, tid,
          Netns(Self()));
}

void AwaitWord() {
  char byte = 0;
  (void)!read(STDIN_FILENO, &byte, 1);
}

void AwaitEndOfStdin() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

Child Trying(const std::string& address, std::uint16_t port, int flags) {
  return Fork(
      [=] {
        NameMyself();
        const UniqueFd socket = Socket(address, flags);
        Bind(socket.get(), address);  // so that the local port is known also if it fails
        const Ends ends{EndsOf(socket.get()).local, EndText(address, port)};
        const int error = Connect(socket.get(), address, port);
        Tell(ends, error);
        AwaitEndOfStdin();
        return 0;
      },
      kBoth);
}

void TcpConnectTest::SetUp() {
  KernelTest::SetUp();
  live_ = TcpLive::Open();
  ASSERT_NE(live_, nullptr);
}

const TcpConnect* TcpConnectTest::ExpectConnect(const Child& child, const Told& told,
                                                ConnectOutcome outcome, int error) {
  const TcpConnect* const event = live_->Await<TcpConnect>({.owner = child.pid()});
  if (event == nullptr) {
    return nullptr;
  }
  const Connection& connection = event->connection;
  EXPECT_EQ(event->outcome, outcome);
  EXPECT_EQ(event->error, error);
  EXPECT_EQ(event->tid, told.tid);
  EXPECT_EQ(EndsOf(connection), told.ends);
  EXPECT_EQ(connection.netns, told.netns);
  EXPECT_EQ(connection.role, TcpRole::kClient);
  EXPECT_FALSE(connection.role_inferred);
  EXPECT_FALSE(connection.owner_inferred);
  EXPECT_FALSE(connection.pre_existing);
  EXPECT_EQ(connection.owner->comm, kComm);
  EXPECT_EQ(connection.owner->parent.pid, Self());
  return event;
}

void TcpConnectTest::ExpectNoOther(const Child& child, std::size_t connects) {
  live_->CatchUp();
  EXPECT_EQ(live_->All<TcpConnect>({.owner = child.pid()}).size(), connects);
}

}  // namespace masflow::kernel_test
