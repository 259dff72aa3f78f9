// SPDX-License-Identifier: Apache-2.0
//
// Connections that come about in unusual ways.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

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

class TcpHandshakeTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = TcpLive::Open();
    ASSERT_NE(live_, nullptr);
  }

  // The only connection of this child, by both of its ends.
  void ExpectOnePair(Child& child, std::uint64_t to_server, std::uint64_t to_client) {
    EXPECT_EQ(child.Wait(), 0);
    ASSERT_NE(live_->Await<TcpClose>({.owner = child.pid()}, 2), nullptr);
    live_->CatchUp();
    const auto connects = live_->All<TcpConnect>({.owner = child.pid()});
    const auto accepts = live_->All<TcpAccept>({.owner = child.pid()});
    ASSERT_EQ(connects.size(), 1u);
    ASSERT_EQ(accepts.size(), 1u);
    EXPECT_EQ(connects[0]->outcome, ConnectOutcome::kConnected);
    EXPECT_EQ(EndsOf(accepts[0]->connection), Reversed(EndsOf(connects[0]->connection)));
    const auto closes = live_->All<TcpClose>({.owner = child.pid()});
    ASSERT_EQ(closes.size(), 2u);
    for (const TcpClose* close : closes) {
      const bool client = close->connection.role == TcpRole::kClient;
      EXPECT_EQ(close->connection, client ? connects[0]->connection : accepts[0]->connection);
      EXPECT_EQ(close->tx_bytes, client ? to_server : to_client);
      EXPECT_EQ(close->rx_bytes, client ? to_client : to_server);
      EXPECT_EQ(close->reason, CloseReason::kFin);
    }
  }

  std::unique_ptr<TcpLive> live_;
};

// One socket is both ends.
TEST_F(TcpHandshakeTest, ToItself) {
  UniqueFd socket = Socket(kLocalhost);
  ASSERT_EQ(Bind(socket.get(), kLocalhost), 0);
  const std::uint16_t port = LocalPort(socket.get());
  ASSERT_EQ(Connect(socket.get(), kLocalhost, port), 0);
  ASSERT_TRUE(WriteAll(socket.get(), 10));
  EXPECT_EQ(ReadAll(socket.get(), 10), 10u);
  socket.Reset();
  const TcpClose* const close = live_->Await<TcpClose>({.owner = Self(), .local = port});
  ASSERT_NE(close, nullptr);
  live_->CatchUp();
  EXPECT_EQ(live_->All<TcpConnect>({.owner = Self(), .local = port}).size(), 1u);
  EXPECT_TRUE(live_->All<TcpAccept>({.owner = Self(), .local = port}).empty());
  EXPECT_EQ(close->connection.role, TcpRole::kClient);
  EXPECT_EQ(close->connection.local, close->connection.remote);
  EXPECT_EQ(close->tx_bytes, 10u);
  EXPECT_EQ(close->rx_bytes, 10u);
  EXPECT_EQ(close->reason, CloseReason::kFin);
}

// A child with a network of its own, where `settings` says what becomes of data in the SYN;
// it sends 10 bytes so, and then 20, and the server answers with 5.
Child FastOpening(const char* settings, bool taken) {
  return Fork([settings, taken] {
    if (!OwnNetwork()) {
      return 1;
    }
    WriteFile("/proc/sys/net/ipv4/tcp_fastopen", settings);
    const Listener listener = Listen();
    const int backlog = 16;
    setsockopt(listener.fd.get(), IPPROTO_TCP, TCP_FASTOPEN, &backlog, sizeof(backlog));
    const UniqueFd client = Socket(kLocalhost);
    const Address to(kLocalhost, listener.port);
    const std::array<char, 10> bytes{};
    if (sendto(client.get(), bytes.data(), bytes.size(), MSG_FASTOPEN, to.get(), to.size()) != 10) {
      return 2;
    }
    const UniqueFd server = Accept(listener);
    tcp_info info{};
    socklen_t size = sizeof(info);
    getsockopt(client.get(), IPPROTO_TCP, TCP_INFO, &info, &size);
    if (taken != ((info.tcpi_options & TCPI_OPT_SYN_DATA) != 0)) {
      return 4;
    }
    return WriteAll(client.get(), 20) && ReadAll(server.get(), 30) == 30 &&
                   WriteAll(server.get(), 5) && ReadAll(client.get(), 5) == 5
               ? 0
               : 3;
  });
}

// accept() can return before the handshake is over.
TEST_F(TcpHandshakeTest, DataInTheSyn) {
  Child child = FastOpening("1543", true);  // of clients and servers, without cookies
  ExpectOnePair(child, 30, 5);
}

// The server does not want it: sent again, which counts once.
TEST_F(TcpHandshakeTest, DataInTheSynInVain) {
  Child child = FastOpening("5", false);  // of clients only, without cookies
  ExpectOnePair(child, 30, 5);
}

TEST_F(TcpHandshakeTest, BySynCookies) {
  Child child = Fork([] {
    if (!OwnNetwork()) {
      return 1;
    }
    WriteFile("/proc/sys/net/ipv4/tcp_syncookies", "2");
    const Listener listener = Listen();
    const Pair pair = ConnectPair(listener);
    return WriteAll(pair.client.get(), 10) && ReadAll(pair.server.get(), 10) == 10 ? 0 : 1;
  });
  ExpectOnePair(child, 10, 0);
}

// The server's kernel waits for data before there is anything to accept.
TEST_F(TcpHandshakeTest, Deferred) {
  Child child = Fork([] {
    const Listener listener = Listen();
    const int seconds = 5;
    setsockopt(listener.fd.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    const UniqueFd client = Socket(kLocalhost);
    if (Connect(client.get(), kLocalhost, listener.port) != 0 || !WriteAll(client.get(), 10)) {
      return 1;
    }
    const UniqueFd server = Accept(listener);
    return ReadAll(server.get(), 10) == 10 ? 0 : 1;
  });
  ExpectOnePair(child, 10, 0);
}

}  // namespace
}  // namespace masflow::kernel_test
