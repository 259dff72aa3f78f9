// SPDX-License-Identifier: Apache-2.0
//
// Bytes by interval and at the close, exact whichever way they went.
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "io_uring.h"
#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kFileBytes = 64 * kChunk;

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

class TcpBytesTest : public KernelTest {
 protected:
  void Open(const TcpOptions& options = {}) {
    live_ = TcpLive::Open(options);
    ASSERT_NE(live_, nullptr);
  }

  std::unique_ptr<TcpLive> live_;
};

TEST_F(TcpBytesTest, NetcatMoves1024) {
  constexpr std::size_t kBytes = 1024;
  Open({.listeners = true});
  const TempDir dir;
  WriteFile(dir / "sent", std::string(kBytes, 'x'));
  const std::string port = std::to_string(ClosedPort().port);
  Child server =
      Spawn({"/bin/sh", "-c", "exec nc -d -l 127.0.0.1 " + port + " > " + (dir / "received")});
  ASSERT_NE(live_->Await<TcpListen>({.owner = server.pid()}), nullptr);
  Child client = Spawn({"/bin/sh", "-c", "exec nc -N 127.0.0.1 " + port + " < " + (dir / "sent")});
  EXPECT_EQ(client.Wait(), 0);
  EXPECT_EQ(server.Wait(), 0);
  EXPECT_EQ(ReadFile(dir / "received"), ReadFile(dir / "sent"));
  const TcpClose* const sent = live_->Await<TcpClose>({.owner = client.pid()});
  const TcpClose* const received = live_->Await<TcpClose>({.owner = server.pid()});
  ASSERT_NE(sent, nullptr);
  ASSERT_NE(received, nullptr);
  live_->CatchUp();  // and what the data sums up to
  EXPECT_EQ(sent->tx_bytes, kBytes);
  EXPECT_EQ(sent->rx_bytes, 0u);
  EXPECT_EQ(received->tx_bytes, 0u);
  EXPECT_EQ(received->rx_bytes, kBytes);
  for (const TcpClose* close : {sent, received}) {
    EXPECT_EQ(close->connection.owner->comm, "nc");
    EXPECT_EQ(close->reason, CloseReason::kFin);
  }
  EXPECT_EQ(sent->connection.role, TcpRole::kClient);
  EXPECT_EQ(received->connection.role, TcpRole::kServer);
  EXPECT_EQ(sent->closed_first, TcpEnd::kLocal);
  EXPECT_EQ(received->closed_first, TcpEnd::kRemote);
}

// ---- much, and by all ways ----

struct Way {
  const char* name;
  bool (*send)(int socket, std::size_t bytes);
  std::size_t (*receive)(int socket);
};

UniqueFd SomeFile() {
  UniqueFd file(memfd_create("bytes", MFD_CLOEXEC));
  (void)!ftruncate(file.get(), kFileBytes);
  return file;
}

bool SendFile(int socket, std::size_t bytes) {
  const UniqueFd file = SomeFile();
  while (bytes > 0) {
    off_t from = 0;
    const ssize_t n = sendfile(socket, file.get(), &from, std::min(bytes, kFileBytes));
    if (n <= 0) {
      return false;
    }
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

// Through a pipe; what arrived at `to`.
std::size_t Splice(int from, int to, std::size_t bytes) {
  std::array<int, 2> ends{};
  (void)!pipe2(ends.data(), O_CLOEXEC);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  fcntl(in.get(), F_SETPIPE_SZ, kChunk);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t n = splice(from, nullptr, in.get(), nullptr, std::min(bytes - done, kChunk), 0);
    if (n <= 0) {
      break;
    }
    for (ssize_t left = n; left > 0;) {
      const ssize_t moved =
          splice(out.get(), nullptr, to, nullptr, static_cast<std::size_t>(left), 0);
      if (moved <= 0) {
        return done;
      }
      left -= moved;
      done += static_cast<std::size_t>(moved);
    }
  }
  return done;
}

bool SpliceFrom(int socket, std::size_t bytes) {
  const UniqueFd file = SomeFile();
  for (; bytes > 0; bytes -= std::min(bytes, kFileBytes)) {
    lseek(file.get(), 0, SEEK_SET);
    const std::size_t part = std::min(bytes, kFileBytes);
    if (Splice(file.get(), socket, part) != part) {
      return false;
    }
  }
  return true;
}

std::size_t SpliceInto(int socket) {
  const UniqueFd nowhere(open("/dev/null", O_WRONLY | O_CLOEXEC));
  return Splice(socket, nowhere.get(), SIZE_MAX);
}

// One operation over a whole chunk at a time; what it moved.
int RunChunk(IoUring& ring, std::uint8_t opcode, int socket, std::size_t bytes) {
  static std::vector<char> chunk(kChunk);
  io_uring_sqe entry{};
  entry.opcode = opcode;
  entry.fd = socket;
  entry.addr = reinterpret_cast<std::uintptr_t>(chunk.data());
  entry.len = static_cast<std::uint32_t>(std::min(bytes, chunk.size()));
  return ring.Run(entry);
}

// Where there is no io_uring, by plain calls.
bool RingSend(int socket, std::size_t bytes) {
  IoUring ring;
  if (!ring.valid()) {
    return WriteAll(socket, bytes);
  }
  while (bytes > 0) {
    const int n = RunChunk(ring, IORING_OP_SEND, socket, bytes);
    if (n <= 0) {
      return false;
    }
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

std::size_t RingReceive(int socket) {
  IoUring ring;
  if (!ring.valid()) {
    return ReadAll(socket);
  }
  std::size_t done = 0;
  for (int n = 1; n > 0; done += static_cast<std::size_t>(n)) {
    n = std::max(RunChunk(ring, IORING_OP_RECV, socket, kChunk), 0);
  }
  return done;
}

std::size_t Read(int socket) {
  return ReadAll(socket);
}

class TcpManyBytesTest : public TcpBytesTest, public testing::WithParamInterface<Way> {};

INSTANTIATE_TEST_SUITE_P(Each, TcpManyBytesTest,
                         testing::Values(Way{"Write", WriteAll, Read},
                                         Way{"Sendfile", SendFile, Read},
                                         Way{"Splice", SpliceFrom, SpliceInto},
                                         Way{"IoUring", RingSend, RingReceive}),
                         [](const auto& test) { return test.param.name; });

TEST_P(TcpManyBytesTest, AreExactAtBothEnds) {
  constexpr std::size_t kBytes = std::size_t{1} << 30;
  Open();
  const Listener listener = Listen();
  Child receiver = Fork([&] {
    const UniqueFd socket = Accept(listener);
    return GetParam().receive(socket.get()) == kBytes ? 0 : 1;
  });
  Child sender = Fork([&] {
    const UniqueFd socket = Socket(kLocalhost);
    return Connect(socket.get(), kLocalhost, listener.port) == 0 &&
                   GetParam().send(socket.get(), kBytes)
               ? 0
               : 1;
  });
  const TcpClose* const sent = live_->Await<TcpClose>({.owner = sender.pid()});
  const TcpClose* const received = live_->Await<TcpClose>({.owner = receiver.pid()});
  EXPECT_EQ(sender.Wait(), 0);
  EXPECT_EQ(receiver.Wait(), 0);
  ASSERT_NE(sent, nullptr);
  ASSERT_NE(received, nullptr);
  EXPECT_EQ(sent->tx_bytes, kBytes);
  EXPECT_EQ(sent->rx_bytes, 0u);
  EXPECT_EQ(received->rx_bytes, kBytes);
  EXPECT_EQ(received->tx_bytes, 0u);
  live_->CatchUp();
}

// ---- little, and nothing ----

TEST_F(TcpBytesTest, CallsThatMoveNothingCountNothing) {
  Open();
  const Listener listener = Listen();
  {
    const Pair pair = ConnectPair(listener);
    const int client = pair.client.get();
    const int server = pair.server.get();
    std::array<char, 100> buffer{};
    void* const nowhere = reinterpret_cast<void*>(8);
    EXPECT_EQ(recv(server, buffer.data(), buffer.size(), MSG_DONTWAIT), -1);
    EXPECT_EQ(send(client, buffer.data(), 0, 0), 0);
    EXPECT_EQ(send(client, nowhere, 10, 0), -1);
    ASSERT_TRUE(WriteAll(client, 10));
    AwaitReadable(server, 10);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(recv(server, buffer.data(), buffer.size(), MSG_PEEK), 10);
    }
    EXPECT_EQ(recv(server, buffer.data(), 0, 0), 0);
    EXPECT_EQ(recv(server, nowhere, 10, 0), -1);
    EXPECT_EQ(ReadAll(server, 10), 10u);
    shutdown(client, SHUT_WR);
    EXPECT_EQ(send(client, buffer.data(), 10, MSG_NOSIGNAL), -1);
    EXPECT_EQ(errno, EPIPE);
    EXPECT_EQ(ReadAll(server), 0u);
  }
  const TcpClose* const client =
      live_->Await<TcpClose>({.owner = Self(), .local = {}, .remote = listener.port});
  const TcpClose* const server = live_->Await<TcpClose>({.owner = Self(), .local = listener.port});
  ASSERT_NE(client, nullptr);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(client->tx_bytes, 10u);
  EXPECT_EQ(client->rx_bytes, 0u);
  EXPECT_EQ(server->tx_bytes, 0u);
  EXPECT_EQ(server->rx_bytes, 10u);
  live_->CatchUp();
}

TEST_F(TcpBytesTest, ByInterval) {
  Open({.data_interval = std::chrono::milliseconds(10)});
  const Listener listener = Listen();
  const Pair idle = ConnectPair(listener);
  Pair pair = ConnectPair(listener);
  const Wanted client{.owner = Self(), .local = LocalPort(pair.client.get())};
  const Wanted server{
      .owner = Self(), .local = listener.port, .remote = LocalPort(pair.client.get())};
  std::uint64_t total = 0;
  for (std::size_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(WriteAll(pair.client.get(), 1000 * i));
    total += 1000 * i;
    const TcpData* const sent = live_->Await<TcpData>(client, i);
    const TcpData* const received = live_->Await<TcpData>(server, i);
    ASSERT_NE(sent, nullptr);
    ASSERT_NE(received, nullptr);
    EXPECT_EQ(sent->tx_bytes, 1000 * i);
    EXPECT_EQ(sent->tx_total_bytes, total);
    EXPECT_EQ(sent->rx_bytes, 0u);
    EXPECT_EQ(received->rx_bytes, 1000 * i);
    EXPECT_EQ(received->rx_total_bytes, total);
    EXPECT_EQ(received->tx_bytes, 0u);
    EXPECT_GT(sent->span.value().count(), 0);
    EXPECT_FALSE(sent->tid || sent->user);
  }
  // Each covers the time since the last one.
  const auto all = live_->All<TcpData>(client);
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i]->time - *all[i]->span, all[i - 1]->time);
  }
  ASSERT_TRUE(WriteAll(pair.client.get(), 17));  // in the last, short interval
  pair.client.Reset();
  ReadAll(pair.server.get());
  pair.server.Reset();
  const TcpClose* const close = live_->Await<TcpClose>(client);
  ASSERT_NE(close, nullptr);
  EXPECT_EQ(close->tx_bytes, total + 17);
  ASSERT_NE(live_->Await<TcpClose>(server), nullptr);
  live_->CatchUp();
  // Of one that moves nothing there is nothing to tell.
  EXPECT_TRUE(live_->All<TcpData>({.owner = {}, .local = LocalPort(idle.client.get())}).empty());
}

// Many that begin, move bytes and end while passes are made: of each the data sums up to
// what its close says, which is what was moved.
TEST_F(TcpBytesTest, ByIntervalOfShortLives) {
  const std::size_t kConnections = Scaled(3000);
  constexpr std::size_t kAtOnce = 50;
  Open({.data_interval = std::chrono::milliseconds(10)});
  const Listener listener = Listen();
  Child child = Fork([&] {
    std::vector<Pair> pairs(kAtOnce);
    for (std::size_t i = 0; i < kConnections; ++i) {
      Pair& oldest = pairs[i % kAtOnce];
      oldest = ConnectPair(listener);
      for (const Pair& pair : pairs) {  // by its end each has moved as much in both directions
        if (pair.client.valid() &&
            (!WriteAll(pair.client.get(), 3) || !WriteAll(pair.server.get(), 2) ||
             ReadAll(pair.server.get(), 3) != 3 || ReadAll(pair.client.get(), 2) != 2)) {
          return 1;
        }
      }
    }
    return 0;
  });
  ASSERT_NE(live_->Await<TcpClose>({.owner = child.pid()}, 2 * kConnections), nullptr);
  EXPECT_EQ(child.Wait(), 0);
  live_->CatchUp();
  ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
  ASSERT_TRUE(live_->losses().empty());
  std::size_t whole = 0;
  for (const TcpClose* close : live_->All<TcpClose>({.owner = child.pid()})) {
    const bool client = close->connection.role == TcpRole::kClient;
    const std::uint64_t to_server = client ? close->tx_bytes : close->rx_bytes;
    const std::uint64_t to_client = client ? close->rx_bytes : close->tx_bytes;
    EXPECT_EQ(to_server * 2, to_client * 3);
    whole += to_server == 3 * kAtOnce;
  }
  EXPECT_EQ(whole, 2 * (kConnections - kAtOnce + 1));
  EXPECT_EQ(live_->All<TcpConnect>({.owner = child.pid()}).size(), kConnections);
  EXPECT_EQ(live_->All<TcpAccept>({.owner = child.pid()}).size(), kConnections);
}

// More than one run of the walk over the table can tell of.
TEST_F(TcpBytesTest, ByIntervalOfManyAtOnce) {
  constexpr std::size_t kPairs = 2100;
  Open({.filter = {.process = {.pids = {static_cast<std::uint32_t>(getpid())}}},
        .data_interval = std::chrono::milliseconds(10)});
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = 2 * kPairs + 200;
  files.rlim_max = std::max(files.rlim_max, files.rlim_cur);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
  const Listener listener = Listen();
  std::vector<Pair> pairs(kPairs);
  for (Pair& pair : pairs) {
    pair = ConnectPair(listener);
  }
  ASSERT_TRUE(live_->Until([&] { return live_->All<TcpAccept>().size() >= kPairs; }));
  for (int round = 1; round <= 2; ++round) {
    for (const Pair& pair : pairs) {  // no pass is made meanwhile: nobody drives the session
      ASSERT_TRUE(WriteAll(pair.client.get(), 5));
    }
    const std::size_t told = 2 * kPairs * static_cast<std::size_t>(round);
    EXPECT_TRUE(live_->Until([&] { return live_->All<TcpData>().size() >= told; }));
  }
  for (Pair& pair : pairs) {
    ASSERT_EQ(ReadAll(pair.server.get(), 10), 10u);
    pair = {};
  }
  EXPECT_TRUE(live_->Until([&] { return live_->All<TcpClose>().size() >= 2 * kPairs; }));
  live_->CatchUp();
  EXPECT_EQ(live_->All<TcpData>().size(), 4 * kPairs);
  for (const TcpData* const data : live_->All<TcpData>()) {
    EXPECT_EQ(data->tx_bytes + data->rx_bytes, 5u);
  }
}

TEST_F(TcpBytesTest, NoDataWhereNoneIsAskedFor) {
  Open({.data = TcpDataMode::kOff});
  const Listener listener = Listen();
  {
    const Pair pair = ConnectPair(listener);
    ASSERT_TRUE(WriteAll(pair.client.get(), 10));
    EXPECT_EQ(ReadAll(pair.server.get(), 10), 10u);
  }
  const TcpClose* const close = live_->Await<TcpClose>({.owner = Self(), .local = listener.port});
  ASSERT_NE(close, nullptr);
  EXPECT_EQ(close->rx_bytes, 10u);
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpData>().empty());
}

}  // namespace
}  // namespace masflow::kernel_test
