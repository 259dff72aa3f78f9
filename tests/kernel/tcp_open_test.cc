// SPDX-License-Identifier: Apache-2.0
//
// What is open when the stream starts: announced once, and followed to its end.
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

constexpr Pipes kBoth{.to_stdin = true, .from_stdout = true};

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

void Say(const char* what) {
  dprintf(STDOUT_FILENO, "%s\n", what);
}

bool AwaitWord() {
  char byte = 0;
  return read(STDIN_FILENO, &byte, 1) == 1;
}

class TcpOpenTest : public KernelTest {
 protected:
  void Open(const TcpOptions& options = {}) {
    live_ = TcpLive::Open(options);
    ASSERT_NE(live_, nullptr);
  }

  std::unique_ptr<TcpLive> live_;
};

TEST_F(TcpOpenTest, AThousandConnections) {
  const std::size_t kConnections = Scaled(1000);
  const Listener listener = Listen();
  Child server = Fork(
      [&] {
        std::vector<UniqueFd> sockets;
        while (sockets.size() < kConnections) {
          sockets.push_back(Accept(listener));
          if (ReadAll(sockets.back().get(), 7) != 7) {
            return 1;
          }
        }
        Say("all");
        for (const UniqueFd& socket : sockets) {
          if (ReadAll(socket.get()) != 10) {
            return 1;
          }
        }
        return 0;
      },
      {.to_stdin = false, .from_stdout = true});
  Child client = Fork(
      [&] {
        std::vector<UniqueFd> sockets;
        while (sockets.size() < kConnections) {
          sockets.push_back(Socket(kLocalhost));
          if (Connect(sockets.back().get(), kLocalhost, listener.port) != 0 ||
              !WriteAll(sockets.back().get(), 7)) {
            return 1;
          }
        }
        AwaitWord();
        for (UniqueFd& socket : sockets) {
          if (!WriteAll(socket.get(), 10)) {
            return 1;
          }
          socket.Reset();
        }
        return 0;
      },
      {.to_stdin = true});
  EXPECT_EQ(server.ReadLine(), "all");
  Open();
  const Wanted clients{.owner = client.pid(), .local = {}, .remote = listener.port};
  const Wanted servers{.owner = server.pid(), .local = listener.port};
  ASSERT_NE(live_->Await<TcpOpen>(clients, kConnections), nullptr);
  ASSERT_NE(live_->Await<TcpOpen>(servers, kConnections), nullptr);
  client.Send("\n");
  ASSERT_NE(live_->Await<TcpClose>(clients, kConnections), nullptr);
  ASSERT_NE(live_->Await<TcpClose>(servers, kConnections), nullptr);
  EXPECT_EQ(client.Wait(), 0);
  EXPECT_EQ(server.Wait(), 0);
  live_->CatchUp();

  for (const Wanted& wanted : {clients, servers}) {
    const bool is_client = wanted.owner == client.pid();
    std::set<Ends> seen;
    for (const TcpOpen* open : live_->All<TcpOpen>(wanted)) {
      const Connection& connection = open->connection;
      seen.insert(EndsOf(connection));
      EXPECT_TRUE(connection.pre_existing && connection.role_inferred);
      EXPECT_FALSE(connection.owner_inferred);
      EXPECT_EQ(connection.role, is_client ? TcpRole::kClient : TcpRole::kServer);
      EXPECT_EQ(connection.netns, Netns(Self()));
    }
    EXPECT_EQ(seen.size(), kConnections);
    EXPECT_EQ(live_->All<TcpOpen>(wanted).size(), kConnections);
    const auto closes = live_->All<TcpClose>(wanted);
    EXPECT_EQ(closes.size(), kConnections);
    for (const TcpClose* close : closes) {
      EXPECT_TRUE(close->connection.pre_existing);
      EXPECT_EQ(close->tx_bytes, is_client ? 10u : 0u);
      EXPECT_EQ(close->rx_bytes, is_client ? 0u : 10u);
      EXPECT_FALSE(close->duration);
      EXPECT_EQ(close->reason, CloseReason::kFin);
      EXPECT_EQ(close->closed_first, is_client ? TcpEnd::kLocal : TcpEnd::kRemote);
    }
  }
  EXPECT_TRUE(live_->All<TcpConnect>({.owner = client.pid()}).empty());
  EXPECT_TRUE(live_->All<TcpAccept>({.owner = server.pid()}).empty());
}

// Opened and closed while the stream starts: of each connection either its connect (or
// accept) or what was found of it, and never both, for each end.
TEST_F(TcpOpenTest, AStormDuringTheStart) {
  constexpr int kStorms = 2;
  constexpr int kAtOnce = 20;
  for (int round = 0; round < 5; ++round) {
    const Listener listener = Listen();
    std::vector<Child> storms;
    for (int i = 0; i < kStorms; ++i) {
      storms.push_back(Fork(
          [&] {
            const Listener own = Listen();
            std::vector<Pair> pairs(kAtOnce);
            pollfd word{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
            for (int n = 0; poll(&word, 1, 0) == 0; n = (n + 1) % kAtOnce) {
              pairs[n] = ConnectPair(own);
              WriteAll(pairs[n].client.get(), 5);
              if (n == kAtOnce - 1) {
                dprintf(STDOUT_FILENO, "\n");
              }
            }
            return 0;
          },
          kBoth));
      storms.back().ReadLine();
    }
    Open();
    for (Child& storm : storms) {
      // Some more that are all after the start.
      const std::size_t so_far = live_->All<TcpClose>({.owner = storm.pid()}).size();
      ASSERT_NE(live_->Await<TcpClose>({.owner = storm.pid()}, so_far + 100), nullptr);
      storm.Send("\n");
      EXPECT_EQ(storm.Wait(), 0);
    }
    ASSERT_TRUE(live_->Settle());
    live_->CatchUp();
    ASSERT_TRUE(live_->losses().empty())
        << live_->losses()[0].count << ": " << Name(live_->losses()[0].reason);
    for (const Child& storm : storms) {
      // In order, each four-tuple has start, close, start, close…
      std::map<Ends, bool> open;
      for (const TcpEvent& event : live_->events()) {
        const Connection& connection = ConnectionOf(event);
        if (!connection.owner || connection.owner->id.pid != storm.pid() ||
            std::holds_alternative<TcpData>(event)) {
          continue;
        }
        const bool close = std::holds_alternative<TcpClose>(event);
        EXPECT_EQ(open[EndsOf(connection)], close) << EndsOf(connection);
        open[EndsOf(connection)] = !close;
      }
      for (const auto& [ends, still] : open) {
        EXPECT_FALSE(still) << ends;
      }
    }
  }
}

// A connect() that is on its way: its outcome is live, but not how long it took.
TEST_F(TcpOpenTest, ConnectsThatAreUnderWay) {
  const Listener listener = Listen();
  DropPackets(listener.fd.get());
  Child waits = Fork([&] {
    const UniqueFd socket = Socket(kLocalhost);
    return Connect(socket.get(), kLocalhost, listener.port);
  });
  Child gives_up = Fork(
      [&] {
        const UniqueFd socket = Socket(kLocalhost, SOCK_NONBLOCK);
        const int error = Connect(socket.get(), kLocalhost, listener.port);
        Say("began");
        AwaitWord();
        return error == EINPROGRESS ? 0 : 1;
      },
      kBoth);
  EXPECT_EQ(gives_up.ReadLine(), "began");
  // The blocking one sleeps in connect() there.
  const std::string in_connect = std::to_string(SYS_connect) + " ";
  while (ReadFile(ProcFile(waits.pid(), "syscall")).rfind(in_connect, 0) != 0) {
  }
  Open();
  gives_up.Send("\n");
  const TcpConnect* const abandoned = live_->Await<TcpConnect>({.owner = gives_up.pid()});
  PassPackets(listener.fd.get());
  const TcpConnect* const connected = live_->Await<TcpConnect>({.owner = waits.pid()});
  ASSERT_NE(abandoned, nullptr);
  ASSERT_NE(connected, nullptr);
  EXPECT_EQ(abandoned->outcome, ConnectOutcome::kAbandoned);
  EXPECT_EQ(connected->outcome, ConnectOutcome::kConnected);
  for (const TcpConnect* connect : {abandoned, connected}) {
    EXPECT_FALSE(connect->handshake);
    EXPECT_FALSE(connect->connection.pre_existing);
    EXPECT_EQ(connect->connection.role, TcpRole::kClient);
    EXPECT_EQ(connect->connection.remote.port, listener.port);
  }
  EXPECT_EQ(waits.Wait(), 0);
  EXPECT_EQ(gives_up.Wait(), 0);
  ASSERT_NE(live_->Await<TcpClose>({.owner = waits.pid()}), nullptr);
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpOpen>({.owner = waits.pid()}).empty());
  EXPECT_TRUE(live_->All<TcpOpen>({.owner = gives_up.pid()}).empty());
}

// Half-closed, and of another network namespace.
TEST_F(TcpOpenTest, InWhateverState) {
  const Listener listener = Listen();
  Pair pair = ConnectPair(listener);
  shutdown(pair.server.get(), SHUT_WR);
  Child elsewhere = Fork(
      [] {
        if (!OwnNetwork()) {
          return 1;
        }
        const Listener own = Listen("::1");
        const Pair own_pair = ConnectPair(own, "::1");
        Say(EndsOf(own_pair.client.get()).local.c_str());
        AwaitWord();
        return 0;
      },
      kBoth);
  const std::string end = elsewhere.ReadLine();
  Open();
  ASSERT_NE(live_->Await<TcpOpen>({.owner = elsewhere.pid()}, 2), nullptr);
  std::set<TcpRole> roles;
  for (const TcpOpen* open : live_->All<TcpOpen>({.owner = elsewhere.pid()})) {
    const Connection& connection = open->connection;
    EXPECT_EQ(connection.netns, Netns(elsewhere.pid()));
    roles.insert(connection.role.value());
    EXPECT_EQ(ToString(connection.source()), end);
  }
  EXPECT_EQ(roles.size(), 2u);
  elsewhere.Send("\n");

  // The child has our sockets too: let it go first.
  EXPECT_EQ(elsewhere.Wait(), 0);
  ASSERT_TRUE(WriteAll(pair.client.get(), 20));
  ASSERT_EQ(ReadAll(pair.server.get(), 20), 20u);
  pair = {};
  const Wanted client{.owner = Self(), .local = {}, .remote = listener.port};
  const TcpClose* const last = live_->Await<TcpClose>(client);
  const TcpClose* const first = live_->Await<TcpClose>({.owner = Self(), .local = listener.port});
  ASSERT_NE(first, nullptr);
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->closed_first, TcpEnd::kRemote);
  EXPECT_EQ(first->closed_first, TcpEnd::kLocal);
  EXPECT_EQ(last->tx_bytes, 20u);
  EXPECT_EQ(last->rx_bytes, 0u);  // the FIN came before
  EXPECT_EQ(first->tx_bytes, 0u);
  EXPECT_EQ(first->rx_bytes, 20u);
  live_->CatchUp();
}

// In the accept queue at the start: nobody holds it yet. It is no pre-existing connection, for
// its accept is seen, and all its bytes are counted.
TEST_F(TcpOpenTest, NotAcceptedYet) {
  const Listener listener = Listen();
  UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  ASSERT_TRUE(WriteAll(client.get(), 100));
  Open();
  {
    const UniqueFd server = Accept(listener);
    client.Reset();
    EXPECT_EQ(ReadAll(server.get()), 100u);
  }
  const TcpAccept* const accept =
      live_->Await<TcpAccept>({.owner = Self(), .local = listener.port});
  const TcpClose* const close = live_->Await<TcpClose>({.owner = Self(), .local = listener.port});
  ASSERT_NE(accept, nullptr);
  ASSERT_NE(close, nullptr);
  EXPECT_FALSE(accept->queued || close->duration);
  EXPECT_FALSE(accept->connection.pre_existing);
  EXPECT_EQ(close->connection, accept->connection);
  EXPECT_EQ(close->rx_bytes, 100u);
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpOpen>({.owner = {}, .local = listener.port}).empty());
}

TEST_F(TcpOpenTest, OnlyIfAskedFor) {
  const Listener listener = Listen();
  Pair pair = ConnectPair(listener);
  Open({.pre_existing = false});
  ASSERT_TRUE(WriteAll(pair.client.get(), 20));
  pair = {};
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpOpen>().empty());
  EXPECT_TRUE(live_->All<TcpClose>({.owner = {}, .local = listener.port}).empty());
  EXPECT_TRUE(live_->All<TcpClose>({.owner = {}, .local = {}, .remote = listener.port}).empty());
  EXPECT_TRUE(live_->All<TcpData>({.owner = {}, .local = {}, .remote = listener.port}).empty());
}

TEST_F(TcpOpenTest, Listeners) {
  for (const bool pre_existing : {true, false}) {
    const Listener before = Listen("::1", 17);
    const Listener bound = ClosedPort();
    Open({.pre_existing = pre_existing, .listeners = true});
    const Listener after = Listen(kLocalhost, 18);
    const TcpListen* const found = live_->Await<TcpListen>({.owner = Self(), .local = before.port});
    const TcpListen* const live = live_->Await<TcpListen>({.owner = Self(), .local = after.port});
    ASSERT_NE(found, nullptr);
    ASSERT_NE(live, nullptr);
    EXPECT_EQ(EndsOf(found->connection), (Ends{EndText("::1", before.port), EndText("::", 0)}));
    EXPECT_EQ(found->backlog, 17u);
    EXPECT_TRUE(found->connection.pre_existing);
    EXPECT_EQ(EndsOf(live->connection),
              (Ends{EndText(kLocalhost, after.port), EndText("0.0.0.0", 0)}));
    EXPECT_EQ(live->backlog, 18u);
    EXPECT_FALSE(live->connection.pre_existing);
    for (const TcpListen* listen : {found, live}) {
      EXPECT_EQ(listen->connection.role, TcpRole::kServer);
      EXPECT_EQ(listen->connection.netns, Netns(Self()));
    }
    live_->CatchUp();
    EXPECT_EQ(live_->All<TcpListen>({.owner = Self(), .local = before.port}).size(), 1u);
    EXPECT_EQ(live_->All<TcpListen>({.owner = Self(), .local = after.port}).size(), 1u);
    EXPECT_TRUE(live_->All<TcpListen>({.owner = Self(), .local = bound.port}).empty());
  }
}

TEST_F(TcpOpenTest, NoListenersByDefault) {
  const Listener before = Listen();
  Open();
  const Listener after = Listen();
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpListen>().empty());
}

}  // namespace
}  // namespace masflow::kernel_test
