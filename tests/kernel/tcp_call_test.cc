// SPDX-License-Identifier: Apache-2.0
//
// Data by call: what each call moved, and who called.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

std::uint32_t Tid() {
  return static_cast<std::uint32_t>(gettid());
}

class TcpCallTest : public KernelTest {
 protected:
  void Open(internal::ForcedMechanisms forced = {}) {
    live_ = TcpLive::Open({.data = TcpDataMode::kCall}, {.forced = std::move(forced)});
    ASSERT_NE(live_, nullptr);
    listener_ = Listen();
    pair_ = ConnectPair(listener_);
    client_ = pair_.client.get();
    server_ = pair_.server.get();
  }

  std::vector<const TcpData*> OfClient() const {
    return live_->All<TcpData>({.owner = Self(), .local = {}, .remote = listener_.port});
  }
  std::vector<const TcpData*> OfServer() const {
    return live_->All<TcpData>({.owner = Self(), .local = listener_.port});
  }

  // All calls so far of one end, by what they moved.
  using Calls = std::vector<std::uint64_t>;
  Calls Sent() {
    live_->CatchUp();
    Calls calls;
    for (const TcpData* data : OfClient()) {
      EXPECT_EQ(data->rx_bytes, 0u);
      ExpectPlain(*data);
      calls.push_back(data->tx_bytes);
    }
    return calls;
  }
  Calls Received() {
    live_->CatchUp();
    Calls calls;
    for (const TcpData* data : OfServer()) {
      EXPECT_EQ(data->tx_bytes, 0u);
      ExpectPlain(*data);
      calls.push_back(data->rx_bytes);
    }
    return calls;
  }
  static void ExpectPlain(const TcpData& data) {
    EXPECT_FALSE(data.tx_total_bytes || data.rx_total_bytes || data.span);
    EXPECT_TRUE(data.tid);
  }

  // Closes both ends; those of the client and of the server.
  std::pair<const TcpClose*, const TcpClose*> Close() {
    pair_ = {};
    return {live_->Await<TcpClose>({.owner = Self(), .local = {}, .remote = listener_.port}),
            live_->Await<TcpClose>({.owner = Self(), .local = listener_.port})};
  }

  std::unique_ptr<TcpLive> live_;
  Listener listener_;
  Pair pair_;
  int client_ = -1;
  int server_ = -1;
  std::array<char, 4096> buffer_{};
};

TEST_F(TcpCallTest, EachWayToSend) {
  Open();
  std::array<iovec, 2> parts{iovec{buffer_.data(), 5}, iovec{buffer_.data(), 6}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  EXPECT_EQ(send(client_, buffer_.data(), 10, 0), 10);
  EXPECT_EQ(sendmsg(client_, &message, 0), 11);
  EXPECT_EQ(writev(client_, parts.data(), parts.size()), 11);
  EXPECT_EQ(write(client_, buffer_.data(), 7), 7);
  EXPECT_EQ(sendto(client_, buffer_.data(), 8, 0, nullptr, 0), 8);
  const UniqueFd file(memfd_create("bytes", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(file.get(), 3000), 0);
  EXPECT_EQ(sendfile(client_, file.get(), nullptr, 1000), 1000);
  std::array<mmsghdr, 2> messages{};
  messages[0].msg_hdr = messages[1].msg_hdr = message;
  EXPECT_EQ(sendmmsg(client_, messages.data(), messages.size(), 0), 2);
  EXPECT_EQ(Sent(), (Calls{10, 11, 11, 7, 8, 1000, 11, 11}));
  for (const TcpData* data : OfClient()) {
    EXPECT_EQ(data->tid, Tid());
    EXPECT_FALSE(data->user);
  }
  ReadAll(server_, 1069);
  const auto [client, server] = Close();
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(client->tx_bytes, 1069u);
}

TEST_F(TcpCallTest, EachWayToReceive) {
  Open();
  std::array<iovec, 2> parts{iovec{buffer_.data(), 5}, iovec{buffer_.data(), 6}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  ASSERT_TRUE(WriteAll(client_, 100));
  AwaitReadable(server_, 100);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, 0), 10);
  EXPECT_EQ(recvmsg(server_, &message, 0), 11);
  EXPECT_EQ(readv(server_, parts.data(), parts.size()), 11);
  EXPECT_EQ(read(server_, buffer_.data(), 7), 7);
  EXPECT_EQ(recvfrom(server_, buffer_.data(), 8, 0, nullptr, nullptr), 8);
  EXPECT_EQ(recv(server_, nullptr, 9, MSG_TRUNC), 9);            // thrown away: taken all the same
  EXPECT_EQ(read(server_, buffer_.data(), buffer_.size()), 44);  // less than asked for
  EXPECT_EQ(Received(), (Calls{10, 11, 11, 7, 8, 9, 44}));
}

// One call, which gets its bytes in parts, and is told so by the mechanism that sees each part.
TEST_F(TcpCallTest, WaitingForAll) {
  Open();
  std::uint32_t tid = 0;
  std::thread reader([&] {
    tid = Tid();
    iovec part{buffer_.data(), 15};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    EXPECT_EQ(recvmsg(server_, &message, MSG_WAITALL), 15);
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(WriteAll(client_, 5));
    for (int unread = 1; unread > 0;) {
      ioctl(server_, FIONREAD, &unread);
    }
  }
  reader.join();
  const HookSupport hook = FindHook(live_->session(), "tcp receive");
  const bool in_parts = hook.mechanism == "raw_tp tcp_rcv_space_adjust";
  EXPECT_EQ(hook.limits.find("in parts") != std::string::npos, in_parts) << hook.limits;
  EXPECT_EQ(Received(), (in_parts ? Calls{5, 5, 5} : Calls{15}));
  EXPECT_EQ(OfServer()[0]->tid, tid);
  EXPECT_NE(tid, Tid());
  EXPECT_FALSE(OfServer()[0]->user);
}

TEST_F(TcpCallTest, CallsThatMoveNothing) {
  Open();
  void* const nowhere = reinterpret_cast<void*>(8);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, MSG_DONTWAIT), -1);
  EXPECT_EQ(send(client_, buffer_.data(), 0, 0), 0);
  EXPECT_EQ(send(client_, nowhere, 10, 0), -1);
  ASSERT_TRUE(WriteAll(client_, 10));
  AwaitReadable(server_, 10);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, MSG_PEEK), 10);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, MSG_PEEK | MSG_WAITALL), 10);
  EXPECT_EQ(recv(server_, buffer_.data(), 0, 0), 0);
  EXPECT_EQ(recv(server_, nowhere, 10, 0), -1);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, 0), 10);
  shutdown(client_, SHUT_WR);
  EXPECT_EQ(send(client_, buffer_.data(), 10, MSG_NOSIGNAL), -1);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, 0), 0);
  EXPECT_EQ(Sent(), Calls{10});
  EXPECT_EQ(Received(), Calls{10});
}

// What was sent may be less than what was asked for.
TEST_F(TcpCallTest, AsMuchAsThereWasRoomFor) {
  Open();
  const std::vector<char> much(std::size_t{64} << 20);
  const ssize_t sent = send(client_, much.data(), much.size(), MSG_DONTWAIT);
  ASSERT_GT(sent, 0);
  ASSERT_LT(static_cast<std::size_t>(sent), much.size());
  EXPECT_EQ(Sent(), Calls{static_cast<std::uint64_t>(sent)});
}

// It waits for room again and again. Only kprobes, which do not see the end of the call, tell of it
// in parts.
TEST_F(TcpCallTest, AsMuchAsThereWillBeRoomFor) {
  Open();
  const std::vector<char> much(std::size_t{16} << 20);
  std::thread reader([&] {
    for (pollfd room{.fd = client_, .events = POLLOUT, .revents = 0}; poll(&room, 1, 0) == 1;) {
      usleep(1000);  // until the sender has to wait
    }
    ReadAll(server_, much.size());
  });
  EXPECT_EQ(send(client_, much.data(), much.size(), 0), static_cast<ssize_t>(much.size()));
  reader.join();
  const Calls calls = Sent();
  EXPECT_EQ(std::accumulate(calls.begin(), calls.end(), std::uint64_t{0}), much.size());
  const HookSupport hook = FindHook(live_->session(), "tcp send");
  if (hook.limits.find("waits for room is told in parts") == std::string::npos) {
    EXPECT_EQ(calls.size(), 1u) << hook.mechanism;
  } else {
    EXPECT_GT(calls.size(), 1u) << hook.mechanism;
  }
}

TEST_F(TcpCallTest, ByAnotherProcess) {
  Open();
  Child other = Fork([&] { return write(client_, buffer_.data(), 20) == 20 ? 0 : 1; });
  EXPECT_EQ(other.Wait(), 0);
  EXPECT_EQ(write(client_, buffer_.data(), 30), 30);
  EXPECT_EQ(Sent(), (Calls{20, 30}));
  const TcpData& by_other = *OfClient()[0];
  EXPECT_EQ(by_other.tid, other.pid());
  ASSERT_TRUE(by_other.user);
  EXPECT_EQ(by_other.user->id.pid, other.pid());
  EXPECT_FALSE(by_other.user->comm.empty());
  EXPECT_EQ(OfClient()[1]->tid, Tid());
  EXPECT_FALSE(OfClient()[1]->user);
  ReadAll(server_, 50);
  const auto [client, server] = Close();
  ASSERT_NE(client, nullptr);
  ASSERT_TRUE(client->user);  // who else used it
  EXPECT_EQ(client->user->id.pid, other.pid());
}

// What came before the reset can still be read.
TEST_F(TcpCallTest, ReadAfterTheReset) {
  Open();
  ASSERT_TRUE(WriteAll(client_, 13));
  ResetOnClose(client_);
  pair_.client.Reset();
  const TcpClose* const close = live_->Await<TcpClose>({.owner = Self(), .local = listener_.port});
  ASSERT_NE(close, nullptr);
  EXPECT_EQ(close->rx_bytes, 13u);
  EXPECT_EQ(close->reason, CloseReason::kRemoteReset);
  EXPECT_EQ(read(server_, buffer_.data(), buffer_.size()), 13);
  EXPECT_EQ(Received(), Calls{13});
  EXPECT_EQ(OfServer()[0]->connection.id, close->connection.id);
}

// Out of a socket through a pipe: seen by some mechanisms only, and by the close always.
TEST_F(TcpCallTest, Splice) {
  Open();
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  EXPECT_EQ(write(in.get(), buffer_.data(), 100), 100);
  EXPECT_EQ(splice(out.get(), nullptr, client_, nullptr, 100, 0), 100);
  AwaitReadable(server_, 100);
  EXPECT_EQ(splice(server_, nullptr, in.get(), nullptr, 100, 0), 100);
  EXPECT_EQ(Sent(), Calls{100});
  const HookSupport hook = FindHook(live_->session(), "tcp receive");
  if (hook.mechanism == "raw_tp sock_recv_length") {
    EXPECT_THAT(hook.limits, testing::HasSubstr("splice"));
    EXPECT_TRUE(Received().empty());
  } else {
    EXPECT_EQ(Received(), Calls{100});
  }
  const auto [client, server] = Close();
  ASSERT_NE(client, nullptr);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(client->tx_bytes, 100u);
  EXPECT_EQ(server->rx_bytes, 100u);
}

// The mechanism of kernels before 6.3: in parts, and with splice.
TEST_F(TcpCallTest, BySequenceNumbers) {
  Open({{"tcp receive", {"raw_tp tcp_rcv_space_adjust"}}});
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  ASSERT_TRUE(WriteAll(client_, 500));
  AwaitReadable(server_, 500);
  shutdown(client_, SHUT_WR);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, MSG_PEEK), 10);
  EXPECT_EQ(recv(server_, buffer_.data(), 100, 0), 100);
  EXPECT_EQ(splice(server_, nullptr, in.get(), nullptr, 100, 0), 100);
  EXPECT_EQ(ReadAll(server_), 300u);
  EXPECT_EQ(recv(server_, buffer_.data(), 10, 0), 0);
  EXPECT_EQ(Received(), (Calls{100, 100, 300}));
}

}  // namespace
}  // namespace masflow::kernel_test
