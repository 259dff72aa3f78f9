// SPDX-License-Identifier: Apache-2.0
//
// How connections end: why, who closed first, and what was counted.
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

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

struct Expected {
  CloseReason reason{};
  int error = 0;
  std::optional<TcpEnd> first{};
  std::uint64_t tx_bytes = 0;
  std::uint64_t rx_bytes = 0;
};

void ExpectClose(const TcpClose* close, const Expected& expected) {
  ASSERT_NE(close, nullptr);
  EXPECT_EQ(close->reason, expected.reason) << Name(close->reason);
  EXPECT_EQ(close->error, expected.error);
  EXPECT_EQ(close->closed_first, expected.first);
  EXPECT_EQ(close->tx_bytes, expected.tx_bytes);
  EXPECT_EQ(close->rx_bytes, expected.rx_bytes);
  EXPECT_TRUE(close->accepted);
  EXPECT_TRUE(close->duration);
}

class TcpCloseTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = TcpLive::Open();
    ASSERT_NE(live_, nullptr);
    listener_ = Listen();
    pair_ = ConnectPair(listener_);
  }

  const TcpClose* AwaitClient() {
    return live_->Await<TcpClose>({.owner = {}, .local = {}, .remote = listener_.port});
  }
  const TcpClose* AwaitServer() {
    return live_->Await<TcpClose>({.owner = {}, .local = listener_.port});
  }
  void TearDown() override {
    if (live_ != nullptr) {
      live_->CatchUp();
    }
  }

  std::unique_ptr<TcpLive> live_;
  Listener listener_;
  Pair pair_;
};

TEST_F(TcpCloseTest, TheClientFirst) {
  ASSERT_TRUE(WriteAll(pair_.client.get(), 1000) && WriteAll(pair_.server.get(), 300));
  EXPECT_EQ(ReadAll(pair_.client.get(), 300), 300u);
  pair_.client.Reset();
  EXPECT_EQ(ReadAll(pair_.server.get()), 1000u);
  pair_.server.Reset();
  ExpectClose(AwaitClient(), {CloseReason::kFin, 0, TcpEnd::kLocal, 1000, 300});
  ExpectClose(AwaitServer(), {CloseReason::kFin, 0, TcpEnd::kRemote, 300, 1000});
}

TEST_F(TcpCloseTest, TheServerFirst) {
  ASSERT_TRUE(WriteAll(pair_.server.get(), 5));
  pair_.server.Reset();
  EXPECT_EQ(ReadAll(pair_.client.get()), 5u);
  pair_.client.Reset();
  ExpectClose(AwaitClient(), {CloseReason::kFin, 0, TcpEnd::kRemote, 0, 5});
  ExpectClose(AwaitServer(), {CloseReason::kFin, 0, TcpEnd::kLocal, 5, 0});
}

TEST_F(TcpCloseTest, HalfClosedForAWhile) {
  ASSERT_TRUE(WriteAll(pair_.client.get(), 10));
  shutdown(pair_.client.get(), SHUT_WR);
  EXPECT_EQ(ReadAll(pair_.server.get()), 10u);
  ASSERT_TRUE(WriteAll(pair_.server.get(), 500));
  pair_.server.Reset();
  EXPECT_EQ(ReadAll(pair_.client.get()), 500u);
  pair_.client.Reset();
  ExpectClose(AwaitClient(), {CloseReason::kFin, 0, TcpEnd::kLocal, 10, 500});
  ExpectClose(AwaitServer(), {CloseReason::kFin, 0, TcpEnd::kRemote, 500, 10});
}

// The other end's FIN comes while there is data to be read; or the application does not wait
// for it, and throws that data away.
TEST_F(TcpCloseTest, HalfClosedWithUnreadData) {
  for (const bool wait : {true, false}) {
    const Listener listener = Listen();
    Pair pair = ConnectPair(listener);
    shutdown(pair.client.get(), SHUT_WR);
    ASSERT_TRUE(WriteAll(pair.server.get(), 500));
    (wait ? pair.server : pair.client).Reset();
    (wait ? pair.client : pair.server).Reset();
    const TcpClose* const client =
        live_->Await<TcpClose>({.owner = {}, .local = {}, .remote = listener.port});
    const TcpClose* const server = live_->Await<TcpClose>({.owner = {}, .local = listener.port});
    if (wait) {
      ExpectClose(client, {CloseReason::kFin, 0, TcpEnd::kLocal, 0, 500});
      ExpectClose(server, {CloseReason::kFin, 0, TcpEnd::kRemote, 500, 0});
    } else {
      ExpectClose(client, {CloseReason::kLocalReset, 0, TcpEnd::kLocal, 0, 500});
      ExpectClose(server, {CloseReason::kRemoteReset, EPIPE, TcpEnd::kRemote, 500, 0});
    }
  }
}

TEST_F(TcpCloseTest, WithUnreadData) {
  ASSERT_TRUE(WriteAll(pair_.client.get(), 7) && WriteAll(pair_.server.get(), 1000));
  pair_.client.Reset();
  ExpectClose(AwaitClient(), {CloseReason::kLocalReset, 0, TcpEnd::kLocal, 7, 1000});
  ExpectClose(AwaitServer(), {CloseReason::kRemoteReset, ECONNRESET, TcpEnd::kRemote, 1000, 7});
}

TEST_F(TcpCloseTest, WithLingerZero) {
  ASSERT_TRUE(WriteAll(pair_.client.get(), 70) && WriteAll(pair_.server.get(), 30));
  EXPECT_EQ(ReadAll(pair_.client.get(), 30), 30u);
  ResetOnClose(pair_.client.get());
  pair_.client.Reset();
  ExpectClose(AwaitClient(), {CloseReason::kLocalReset, 0, TcpEnd::kLocal, 70, 30});
  ExpectClose(AwaitServer(), {CloseReason::kRemoteReset, ECONNRESET, TcpEnd::kRemote, 30, 70});
}

// The first FIN was the other end's, and then came a reset.
TEST_F(TcpCloseTest, ResetAfterAFin) {
  ASSERT_TRUE(WriteAll(pair_.client.get(), 10));
  shutdown(pair_.client.get(), SHUT_WR);
  pair_.server.Reset();
  ExpectClose(AwaitServer(), {CloseReason::kLocalReset, 0, TcpEnd::kRemote, 0, 10});
  ExpectClose(AwaitClient(), {CloseReason::kRemoteReset, ECONNRESET, TcpEnd::kLocal, 10, 0});
}

// What is sent to a socket that is closed is answered by a reset.
TEST_F(TcpCloseTest, SpokenToAfterItsEnd) {
  pair_.client.Reset();
  ExpectClose(AwaitClient(), {CloseReason::kFin, 0, TcpEnd::kLocal, 0, 0});
  ASSERT_TRUE(WriteAll(pair_.server.get(), 10));
  ExpectClose(AwaitServer(), {CloseReason::kRemoteReset, EPIPE, TcpEnd::kRemote, 10, 0});
}

TEST_F(TcpCloseTest, ByConnectToNobody) {
  ASSERT_TRUE(WriteAll(pair_.client.get(), 10));
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  ASSERT_EQ(connect(pair_.client.get(), &nobody, sizeof(nobody)), 0);
  ExpectClose(AwaitClient(), {CloseReason::kLocalReset, 0, TcpEnd::kLocal, 10, 0});
  ExpectClose(AwaitServer(), {CloseReason::kRemoteReset, ECONNRESET, TcpEnd::kRemote, 0, 10});
}

TEST_F(TcpCloseTest, KilledOwner) {
  for (const bool unread : {false, true}) {
    Child owner = Fork(
        [&] {
          const UniqueFd client = Socket(kLocalhost);
          if (Connect(client.get(), kLocalhost, listener_.port) != 0 ||
              !WriteAll(client.get(), 10)) {
            return 1;
          }
          AwaitReadable(client.get(), 20);
          dprintf(STDOUT_FILENO, "\n");
          pause();
          return 0;
        },
        {.to_stdin = false, .from_stdout = true});
    const UniqueFd server = Accept(listener_);
    const Wanted server_end{
        .owner = {},
        .local = listener_.port,
        .remote = live_->Await<TcpConnect>({.owner = owner.pid()})->connection.local.port};
    if (unread) {
      ASSERT_TRUE(WriteAll(server.get(), 20));
      owner.ReadLine();
    }
    EXPECT_EQ(ReadAll(server.get(), 10), 10u);
    owner.Signal(SIGKILL);
    EXPECT_EQ(owner.Wait(), SIGKILL);
    if (unread) {
      ExpectClose(live_->Await<TcpClose>({.owner = owner.pid()}),
                  {CloseReason::kLocalReset, 0, TcpEnd::kLocal, 10, 20});
      ExpectClose(live_->Await<TcpClose>(server_end),
                  {CloseReason::kRemoteReset, ECONNRESET, TcpEnd::kRemote, 20, 10});
    } else {
      EXPECT_EQ(ReadAll(server.get()), 0u);
      shutdown(server.get(), SHUT_WR);
      const TcpClose* const close = live_->Await<TcpClose>({.owner = owner.pid()});
      ExpectClose(close, {CloseReason::kFin, 0, TcpEnd::kLocal, 10, 0});
      EXPECT_FALSE(close->user);
    }
  }
}

// No packet arrives any more: sent again and again, and then given up.
TEST_F(TcpCloseTest, NoAnswer) {
  const unsigned milliseconds = 300;
  setsockopt(pair_.client.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
             sizeof(milliseconds));
  DropPackets(pair_.server.get());
  ASSERT_TRUE(WriteAll(pair_.client.get(), 50));
  const TcpClose* const close = AwaitClient();
  ExpectClose(close, {CloseReason::kTimeout, ETIMEDOUT, std::nullopt, 50, 0});
  EXPECT_GE(close->retransmits, 1u);
}

TEST_F(TcpCloseTest, SentAgainAndCountedOnce) {
  DropPackets(pair_.server.get());
  ASSERT_TRUE(WriteAll(pair_.client.get(), 5000));
  tcp_info info{};
  for (socklen_t size = sizeof(info); info.tcpi_total_retrans == 0; size = sizeof(info)) {
    getsockopt(pair_.client.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
  }
  PassPackets(pair_.server.get());
  EXPECT_EQ(ReadAll(pair_.server.get(), 5000), 5000u);
  pair_.client.Reset();
  pair_.server.Reset();
  const TcpClose* const client = AwaitClient();
  ExpectClose(client, {CloseReason::kFin, 0, TcpEnd::kLocal, 5000, 0});
  ExpectClose(AwaitServer(), {CloseReason::kFin, 0, TcpEnd::kRemote, 0, 5000});
  EXPECT_GE(client->retransmits, info.tcpi_total_retrans);
  EXPECT_GT(client->tx_segments, client->retransmits);
}

TEST_F(TcpCloseTest, WhatElseItTells) {
  const KernelTime before = Now();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(WriteAll(pair_.client.get(), 100));
    EXPECT_EQ(ReadAll(pair_.server.get(), 100), 100u);
  }
  tcp_info info{};
  socklen_t size = sizeof(info);
  getsockopt(pair_.client.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
  const KernelTime after = Now();
  pair_.client.Reset();
  pair_.server.Reset();
  const TcpClose* const client = AwaitClient();
  const TcpClose* const server = AwaitServer();
  ASSERT_NE(client, nullptr);
  ASSERT_NE(server, nullptr);
  for (const TcpClose* close : {client, server}) {
    EXPECT_GE(close->duration.value(), after - before);
    EXPECT_LT(*close->duration, kDeadline);
    EXPECT_EQ(close->retransmits, 0u);
    EXPECT_TRUE(close->smoothed_rtt);
    EXPECT_TRUE(close->min_rtt);
    EXPECT_LE(close->min_rtt.value(), close->smoothed_rtt.value());
    EXPECT_FALSE(close->user);
  }
  EXPECT_NEAR(client->tx_segments, info.tcpi_segs_out, 3);
  EXPECT_NEAR(client->rx_segments, info.tcpi_segs_in, 3);
  EXPECT_NEAR(client->tx_segments, server->rx_segments, 3);
  EXPECT_NEAR(client->rx_segments, server->tx_segments, 3);
}

// Both ends close at once: mostly one is first, and then both say the same one.
TEST_F(TcpCloseTest, BothAtOnce) {
  constexpr std::size_t kRounds = 200;
  const Listener listener = Listen();
  std::atomic<int> waiting = 0;
  std::atomic<std::size_t> round = 0;
  Pair pair;
  std::thread other([&] {
    for (std::size_t i = 1; i <= kRounds; ++i) {
      while (round < i) {
      }
      pair.server.Reset();
      ++waiting;
    }
  });
  for (std::size_t i = 1; i <= kRounds; ++i) {
    pair = ConnectPair(listener);
    waiting = 0;
    round = i;
    pair.client.Reset();
    while (waiting == 0) {
    }
  }
  other.join();
  const Wanted clients{.owner = Self(), .local = {}, .remote = listener.port};
  ASSERT_NE(live_->Await<TcpClose>(clients, kRounds), nullptr);
  ASSERT_NE(live_->Await<TcpClose>({.owner = Self(), .local = listener.port}, kRounds), nullptr);
  for (const TcpClose* client : live_->All<TcpClose>(clients)) {
    const auto servers = live_->All<TcpClose>(
        {.owner = Self(), .local = listener.port, .remote = client->connection.local.port});
    ASSERT_EQ(servers.size(), 1u);
    EXPECT_EQ(client->reason, CloseReason::kFin);
    EXPECT_EQ(servers[0]->reason, CloseReason::kFin);
    EXPECT_TRUE(client->closed_first == TcpEnd::kLocal ||
                servers[0]->closed_first == TcpEnd::kLocal);
  }
}

}  // namespace
}  // namespace masflow::kernel_test
