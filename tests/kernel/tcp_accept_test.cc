// SPDX-License-Identifier: Apache-2.0
//
// accept(): who took the connection, and whose it stays.
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io_uring.h"
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

// What a worker writes into the connections that it accepts.
struct Worker {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;

  friend bool operator==(const Worker&, const Worker&) = default;
};

Worker Myself() {
  return {.pid = Self(), .tid = static_cast<std::uint32_t>(gettid())};
}

// Takes one connection after the other, and the next one only once its client says so.
int Serve(int listener) {
  for (;;) {
    const UniqueFd server(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    const Worker myself = Myself();
    if (!server.valid() || write(server.get(), &myself, sizeof(myself)) != sizeof(myself)) {
      return 1;
    }
    ReadAll(server.get());
  }
}

void AwaitWord() {
  char byte = 0;
  (void)!read(STDIN_FILENO, &byte, 1);
}

class TcpAcceptTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = TcpLive::Open();
    ASSERT_NE(live_, nullptr);
  }

  // Opens so many connections, `at_once` of them at the same time; all the workers that
  // answered, each of which has its one accept.
  std::map<std::uint32_t, int> ExpectEachAcceptNamed(const Listener& listener, int connections,
                                                     std::size_t at_once) {
    std::map<std::uint16_t, Worker> truth;  // by the client's port
    std::map<std::uint32_t, int> threads;
    std::vector<UniqueFd> open;
    for (int i = 0; i < connections; ++i) {
      if (open.size() == at_once) {
        open.erase(open.begin());
      }
      open.push_back(Socket(kLocalhost));
      EXPECT_EQ(Connect(open.back().get(), kLocalhost, listener.port), 0);
      Worker& worker = truth[LocalPort(open.back().get())];
      EXPECT_EQ(read(open.back().get(), &worker, sizeof(worker)), ssize_t{sizeof(worker)});
      ++threads[worker.tid];
    }
    open.clear();
    live_->Await<TcpAccept>({.owner = {}, .local = listener.port},
                            static_cast<std::size_t>(connections));
    live_->CatchUp();
    const auto accepts = live_->All<TcpAccept>({.owner = {}, .local = listener.port});
    EXPECT_EQ(accepts.size(), truth.size());
    for (const TcpAccept* accept : accepts) {
      const Connection& connection = accept->connection;
      EXPECT_EQ((Worker{.pid = connection.owner->id.pid, .tid = accept->tid}),
                truth[connection.remote.port]);
      EXPECT_EQ(connection.role, TcpRole::kServer);
      EXPECT_FALSE(connection.role_inferred || connection.owner_inferred);
    }
    return threads;
  }

  // Waits until the server's end of the only connection to this port has closed.
  const TcpClose* AwaitServerClose(const Listener& listener) {
    return live_->Await<TcpClose>({.owner = {}, .local = listener.port});
  }

  std::unique_ptr<TcpLive> live_;
};

TEST_F(TcpAcceptTest, PreForkedWorkers) {
  const Listener listener = Listen();
  std::vector<Child> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(Fork([&] { return Serve(listener.fd.get()); }));
  }
  const auto answered = ExpectEachAcceptNamed(listener, 30, 3);
  EXPECT_EQ(answered.size(), 3u);
  for (const Child& worker : workers) {
    EXPECT_EQ(answered.count(worker.pid()), 1u);
  }
}

TEST_F(TcpAcceptTest, Threads) {
  const Listener listener = Listen();
  const Child server = Fork([&] {
    std::array<std::thread, 3> threads;
    for (std::thread& thread : threads) {
      thread = std::thread([&] { Serve(listener.fd.get()); });
    }
    return Serve(listener.fd.get());
  });
  const auto answered = ExpectEachAcceptNamed(listener, 20, 4);
  EXPECT_EQ(answered.size(), 4u);
}

TEST_F(TcpAcceptTest, HowLongItWaited) {
  const Listener listener = Listen();
  const UniqueFd client = Socket(kLocalhost);
  const KernelTime before = Now();
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  const KernelTime connected = Now();
  while (Now() - connected < std::chrono::milliseconds(20)) {
  }
  const KernelTime called = Now();
  const UniqueFd server(accept(listener.fd.get(), nullptr, nullptr));
  const TcpAccept* const accept =
      live_->Await<TcpAccept>({.owner = Self(), .local = listener.port});
  ASSERT_NE(accept, nullptr);
  ASSERT_TRUE(accept->queued);
  EXPECT_GE(*accept->queued, called - connected);
  EXPECT_LE(*accept->queued, accept->time - before);
  EXPECT_EQ(EndsOf(accept->connection), EndsOf(server.get()));
}

TEST_F(TcpAcceptTest, CallsThatReturnNone) {
  const Listener listener{.fd = Socket(kLocalhost, SOCK_NONBLOCK)};
  Bind(listener.fd.get(), kLocalhost);
  listen(listener.fd.get(), 8);
  EXPECT_FALSE(Accept(listener).valid());
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_FALSE(UniqueFd(accept(STDIN_FILENO, nullptr, nullptr)).valid());
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpAccept>({.owner = Self()}).empty());
}

// ---- the owner stays ----

// Over a Unix socket, which both processes have.
void SendDescriptor(int channel, int fd) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  sendmsg(channel, &message, 0);
}

UniqueFd ReceiveDescriptor(int channel) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  char byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  int fd = -1;
  if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) == 1) {
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
  }
  return UniqueFd(fd);
}

TEST_F(TcpAcceptTest, HandedToAnotherProcess) {
  const Listener listener = Listen();
  std::array<int, 2> channel{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel.data()), 0);
  const UniqueFd to(channel[0]);
  const UniqueFd from(channel[1]);
  Child taker = Fork(
      [&] {
        const UniqueFd socket = ReceiveDescriptor(from.get());
        dprintf(STDOUT_FILENO, "have it\n");
        ReadAll(socket.get());
        return 0;
      },
      {.from_stdout = true});
  Child acceptor = Fork([&] {
    const UniqueFd socket = Accept(listener);
    SendDescriptor(to.get(), socket.get());
    return 0;
  });
  UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  EXPECT_EQ(taker.ReadLine(), "have it");
  EXPECT_EQ(acceptor.Wait(), 0);
  const TcpAccept* const accept = live_->Await<TcpAccept>({.owner = acceptor.pid()});
  client.Reset();
  EXPECT_EQ(taker.Wait(), 0);
  const TcpClose* const close = live_->Await<TcpClose>({.owner = acceptor.pid()});
  ASSERT_NE(accept, nullptr);
  ASSERT_NE(close, nullptr);
  EXPECT_EQ(close->connection, accept->connection);
  ASSERT_TRUE(close->user);
  EXPECT_EQ(close->user->id.pid, taker.pid());
  EXPECT_EQ(close->user->comm, accept->connection.owner->comm);
  live_->CatchUp();
}

// After a fork the child closes last: of what was accepted, and of what was connected.
TEST_F(TcpAcceptTest, ForkedAfterwards) {
  const Listener listener = Listen();
  Child owner = Fork(
      [&] {
        const Pair pair = ConnectPair(listener);
        const pid_t heir = fork();
        if (heir == 0) {
          dprintf(STDOUT_FILENO, "%d\n", getpid());
          AwaitWord();
        }
        return 0;
      },
      kBoth);
  const auto heir = static_cast<std::uint32_t>(std::stoul(owner.ReadLine()));
  EXPECT_EQ(owner.Wait(), 0);
  owner.Send("\n");
  for (std::size_t i = 1; i <= 2; ++i) {
    const TcpClose* const close = live_->Await<TcpClose>({.owner = owner.pid()}, i);
    ASSERT_NE(close, nullptr);
    ASSERT_TRUE(close->user);
    EXPECT_EQ(close->user->id.pid, heir);
    EXPECT_GT(close->user->id.start, close->connection.owner->id.start);
  }
  live_->CatchUp();
}

TEST_F(TcpAcceptTest, ADuplicateIsStillTheOwners) {
  const Listener listener = Listen();
  {
    Pair pair = ConnectPair(listener);
    const UniqueFd client(dup(pair.client.get()));
    const UniqueFd server(dup(pair.server.get()));
    pair.client.Reset();
    pair.server.Reset();
    ASSERT_TRUE(WriteAll(client.get(), 3));
    EXPECT_EQ(ReadAll(server.get(), 3), 3u);
    live_->CatchUp();
    EXPECT_TRUE(live_->All<TcpClose>({.owner = Self(), .local = listener.port}).empty());
  }
  for (const Wanted& end : {Wanted{.owner = Self(), .local = listener.port},
                            Wanted{.owner = Self(), .local = {}, .remote = listener.port}}) {
    const TcpClose* const close = live_->Await<TcpClose>(end);
    ASSERT_NE(close, nullptr);
    EXPECT_FALSE(close->user);
  }
}

// ---- never accepted, or too late ----

TEST_F(TcpAcceptTest, TheListenerClosesFirst) {
  Listener listener = Listen();
  const UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  ASSERT_TRUE(WriteAll(client.get(), 100));
  const Ends ends = Reversed(EndsOf(client.get()));
  listener.fd.Reset();
  const TcpClose* const close = AwaitServerClose(listener);
  ASSERT_NE(close, nullptr);
  EXPECT_FALSE(close->accepted);
  EXPECT_FALSE(close->connection.owner);
  EXPECT_EQ(close->connection.role, TcpRole::kServer);
  EXPECT_EQ(EndsOf(close->connection), ends);
  EXPECT_EQ(close->reason, CloseReason::kLocalReset);
  EXPECT_EQ(close->closed_first, TcpEnd::kLocal);
  EXPECT_EQ(close->rx_bytes, 100u);
  const TcpClose* const reset =
      live_->Await<TcpClose>({.owner = Self(), .local = {}, .remote = listener.port});
  ASSERT_NE(reset, nullptr);
  EXPECT_EQ(reset->reason, CloseReason::kRemoteReset);
  EXPECT_EQ(reset->error, ECONNRESET);
  EXPECT_EQ(reset->tx_bytes, 100u);
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpAccept>({.owner = {}, .local = listener.port}).empty());
}

// accept() hands out what the client has reset before.
TEST_F(TcpAcceptTest, ResetAndThenAccepted) {
  const Listener listener = Listen();
  UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  ASSERT_TRUE(WriteAll(client.get(), 100));
  ResetOnClose(client.get());
  client.Reset();
  live_->CatchUp();
  EXPECT_TRUE(live_->All<TcpClose>({.owner = {}, .local = listener.port}).empty());
  ASSERT_TRUE(Accept(listener).valid());
  const TcpClose* const close = AwaitServerClose(listener);
  const TcpAccept* const accept =
      live_->Await<TcpAccept>({.owner = Self(), .local = listener.port});
  ASSERT_NE(close, nullptr);
  ASSERT_NE(accept, nullptr);
  EXPECT_LT(accept->time, close->time);
  EXPECT_EQ(accept->connection, close->connection);
  EXPECT_TRUE(close->accepted);
  EXPECT_EQ(close->reason, CloseReason::kRemoteReset);
  EXPECT_EQ(close->closed_first, TcpEnd::kRemote);
  EXPECT_EQ(close->rx_bytes, 100u);
  live_->CatchUp();
}

TEST_F(TcpAcceptTest, ResetAndNeverAccepted) {
  Listener listener = Listen();
  UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  ASSERT_TRUE(WriteAll(client.get(), 100));
  ResetOnClose(client.get());
  client.Reset();
  listener.fd.Reset();
  const TcpClose* const close = AwaitServerClose(listener);
  ASSERT_NE(close, nullptr);
  EXPECT_FALSE(close->accepted);
  EXPECT_FALSE(close->connection.owner);
  EXPECT_EQ(close->reason, CloseReason::kRemoteReset);
  EXPECT_EQ(close->rx_bytes, 100u);
  live_->CatchUp();
}

// The FIN came before: nothing is known to be wrong, and all is as ever.
TEST_F(TcpAcceptTest, ClosedAndThenAccepted) {
  const Listener listener = Listen();
  UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  ASSERT_TRUE(WriteAll(client.get(), 100));
  client.Reset();
  {
    const UniqueFd server = Accept(listener);
    EXPECT_EQ(ReadAll(server.get()), 100u);
  }
  const TcpClose* const close = AwaitServerClose(listener);
  ASSERT_NE(close, nullptr);
  EXPECT_TRUE(close->accepted);
  EXPECT_EQ(close->reason, CloseReason::kFin);
  EXPECT_EQ(close->closed_first, TcpEnd::kRemote);
  EXPECT_EQ(close->rx_bytes, 100u);
  live_->CatchUp();
}

// ---- io_uring ----

// The accept itself is seen only by fexit or kprobe; else the first use tells the owner.
TEST_F(TcpAcceptTest, ByIoUring) {
  const Listener listener = Listen();
  Child server = Fork(
      [&] {
        IoUring ring;
        if (!ring.valid()) {
          dprintf(STDOUT_FILENO, "%d\n", ring.error());
          return 0;
        }
        io_uring_sqe entry{};
        entry.opcode = IORING_OP_ACCEPT;
        entry.fd = listener.fd.get();
        const UniqueFd socket(ring.Run(entry));
        dprintf(STDOUT_FILENO, "0\n");
        ReadAll(socket.get());
        return socket.valid() ? 0 : 1;
      },
      {.from_stdout = true});
  UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  const int error = std::stoi(server.ReadLine());
  if (error != 0) {
    EXPECT_TRUE(error == ENOSYS || error == EPERM) << std::strerror(error);
    return;
  }
  const Ends ends = Reversed(EndsOf(client.get()));
  ASSERT_TRUE(WriteAll(client.get(), 5));
  client.Reset();
  EXPECT_EQ(server.Wait(), 0);
  const TcpClose* const close = AwaitServerClose(listener);
  ASSERT_NE(close, nullptr);
  live_->CatchUp();
  const auto accepts = live_->All<TcpAccept>({.owner = server.pid()});
  ASSERT_EQ(accepts.size(), 1u);
  EXPECT_EQ(accepts[0]->connection, close->connection);
  EXPECT_EQ(EndsOf(close->connection), ends);
  EXPECT_TRUE(close->accepted);
  EXPECT_EQ(close->rx_bytes, 5u);
  const std::string mechanism = FindHook(live_->session(), "tcp accept").mechanism;
  EXPECT_EQ(close->connection.owner_inferred, mechanism.find("sys_exit") != std::string::npos);
}

}  // namespace
}  // namespace masflow::kernel_test
