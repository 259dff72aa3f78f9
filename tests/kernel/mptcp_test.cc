// SPDX-License-Identifier: Apache-2.0
//
// Multipath TCP: programs use a socket of another protocol, whose subflows are connections of TCP.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "http_live.h"
#include "sockets.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

class MptcpTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    const UniqueFd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
    if (probe.get() < 0) {
      ASSERT_TRUE(errno == EPROTONOSUPPORT || errno == ENOPROTOOPT) << errno;
      GTEST_SKIP() << "this kernel has no MPTCP";
    }
  }

  void Connect(int client_protocol) {
    listener_.fd = Make(IPPROTO_MPTCP);
    ASSERT_EQ(Bind(listener_.fd.get(), kLocalhost), 0);
    ASSERT_EQ(listen(listener_.fd.get(), 16), 0);
    listener_.port = LocalPort(listener_.fd.get());
    pair_.client = Make(client_protocol);
    ASSERT_EQ(kernel_test::Connect(pair_.client.get(), kLocalhost, listener_.port), 0);
    pair_.server = Accept(listener_);
    for (const int fd : {pair_.client.get(), pair_.server.get()}) {
      const int on = 1;  // as ConnectEager()
      ASSERT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    }
  }

  Wanted Client() const { return {.owner = Self(), .local = {}, .remote = listener_.port}; }
  Wanted Server() const { return {.owner = Self(), .local = listener_.port, .remote = {}}; }

  static UniqueFd Make(int protocol) {
    return UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol));
  }
  static std::uint32_t Self() { return static_cast<std::uint32_t>(getpid()); }

  Listener listener_;
  Pair pair_;
};

TEST_F(MptcpTest, LifeAndTotalsOfTheFirstSubflow_ButNoCalls) {
  const auto live = TcpLive::Open({.data = TcpDataMode::kCall});
  ASSERT_NE(live, nullptr);
  Connect(IPPROTO_MPTCP);
  ASSERT_TRUE(Say(pair_.client.get(), "hello"));
  ASSERT_EQ(Hear(pair_.server.get(), 5), "hello");
  ASSERT_NE(live->Await<TcpConnect>(Client()), nullptr);
  const TcpAccept* const accept = live->Await<TcpAccept>(Server());
  ASSERT_NE(accept, nullptr);
  EXPECT_FALSE(accept->connection.owner_inferred);
  pair_ = {};
  const TcpClose* const client = live->Await<TcpClose>(Client());
  const TcpClose* const server = live->Await<TcpClose>(Server());
  ASSERT_TRUE(client != nullptr && server != nullptr);
  EXPECT_EQ(client->tx_bytes, 5u);
  EXPECT_EQ(server->rx_bytes, 5u);
  EXPECT_TRUE(live->All<TcpData>(Client()).empty());
  EXPECT_TRUE(live->All<TcpData>(Server()).empty());
}

TEST_F(MptcpTest, ByInterval) {
  const auto live = TcpLive::Open({.data = TcpDataMode::kInterval});
  ASSERT_NE(live, nullptr);
  Connect(IPPROTO_MPTCP);
  ASSERT_TRUE(Say(pair_.client.get(), "hello"));
  ASSERT_EQ(Hear(pair_.server.get(), 5), "hello");
  const TcpData* const sent = live->Await<TcpData>(Client());
  const TcpData* const received = live->Await<TcpData>(Server());
  ASSERT_TRUE(sent != nullptr && received != nullptr);
  EXPECT_EQ(sent->tx_bytes, 5u);
  EXPECT_EQ(received->rx_bytes, 5u);
}

TEST_F(MptcpTest, OpenBefore) {
  Connect(IPPROTO_MPTCP);
  const auto live = TcpLive::Open({.data = TcpDataMode::kOff, .listeners = true});
  ASSERT_NE(live, nullptr);
  EXPECT_NE(live->Await<TcpListen>(Server()), nullptr);
  EXPECT_NE(live->Await<TcpOpen>(Client()), nullptr);
  EXPECT_NE(live->Await<TcpOpen>(Server()), nullptr);
}

TEST_F(MptcpTest, HttpIsNotSeen) {
  const auto live = HttpLive::Open();
  ASSERT_NE(live, nullptr);
  Connect(IPPROTO_MPTCP);
  ASSERT_TRUE(Ask(pair_, Get("/a"), Ok("hello")));
  live->ExpectBoth(listener_.port, {});
}

// As with servers that listen with it by default: what such a client opens is plain TCP.
TEST_F(MptcpTest, AClientThatDoesNotKnowIt) {
  const auto tcp = TcpLive::Open({.data = TcpDataMode::kCall});
  const auto http = HttpLive::Open();
  ASSERT_TRUE(tcp != nullptr && http != nullptr);
  Connect(IPPROTO_TCP);
  ASSERT_TRUE(Ask(pair_, Get("/a"), Ok("hello")));
  http->ExpectBoth(listener_.port, {"GET /a 200 0+5 complete"});
  tcp->CatchUp();
  ASSERT_EQ(tcp->All<TcpAccept>(Server()).size(), 1u);
  EXPECT_FALSE(tcp->All<TcpAccept>(Server())[0]->connection.owner_inferred);
  EXPECT_EQ(tcp->All<TcpData>(Server()).size(), 2u);
}

}  // namespace
}  // namespace masflow::kernel_test
