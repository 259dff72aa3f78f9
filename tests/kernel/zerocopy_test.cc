// SPDX-License-Identifier: Apache-2.0
//
// Bytes that a program hands over, or takes, without a copy.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "http_live.h"
#include "sockets.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

// As the kernel has it from 5.12 on; <netinet/tcp.h> knows the first fields only.
struct ZerocopyReceive {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
  std::uint32_t recv_skip_hint = 0;
  std::uint32_t inq = 0;
  std::int32_t err = 0;
  std::uint64_t copybuf_address = 0;
  std::int32_t copybuf_len = 0;
  std::uint32_t flags = 0;
};

class ZerocopyTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    listener_ = Listen();
    pair_ = ConnectEager(listener_);
  }

  // Returns when the kernel does not need the bytes any more.
  static void Send(int fd, const std::string& text) {
    const int on = 1;
    ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), 0);
    ASSERT_EQ(send(fd, text.data(), text.size(), MSG_ZEROCOPY), std::ssize(text));
    pollfd done{.fd = fd, .events = 0, .revents = 0};
    ASSERT_EQ(poll(&done, 1, 10'000), 1);
    std::array<char, 128> control{};
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ASSERT_EQ(recvmsg(fd, &message, MSG_ERRQUEUE), 0);
  }

  // The way for what fills no page: a copy after all, though not by recvmsg(). Empty: this kernel
  // does not have it.
  static std::string Receive(int fd, std::size_t bytes) {
    AwaitReadable(fd, bytes);
    std::string text(bytes, '\0');
    ZerocopyReceive call;
    call.copybuf_address = reinterpret_cast<std::uint64_t>(text.data());
    call.copybuf_len = static_cast<std::int32_t>(bytes);
    socklen_t size = sizeof(call);
    if (getsockopt(fd, IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &call, &size) != 0 ||
        size != sizeof(call)) {
      return {};
    }
    EXPECT_EQ(call.copybuf_len, std::ssize(text));
    return text;
  }

  Wanted Client() const { return {.owner = {}, .local = {}, .remote = listener_.port}; }
  Wanted Server() const { return {.owner = {}, .local = listener_.port, .remote = {}}; }

  Listener listener_;
  Pair pair_;
};

TEST_F(ZerocopyTest, SentByCall) {
  const auto live = TcpLive::Open({.data = TcpDataMode::kCall});
  ASSERT_NE(live, nullptr);
  std::thread reader([&] { ReadAll(pair_.server.get(), 100'000); });
  Send(pair_.client.get(), std::string(100'000, 'a'));
  reader.join();
  live->CatchUp();
  std::uint64_t sent = 0;
  for (const TcpData* const data : live->All<TcpData>(Client())) {
    sent += data->tx_bytes;
  }
  EXPECT_EQ(sent, 100'000u);
}

TEST_F(ZerocopyTest, SentHttp) {
  const auto live = HttpLive::Open();
  ASSERT_NE(live, nullptr);
  const std::string request = Post("/a", std::string(10'000, 'b'));
  std::thread server([&] {
    Hear(pair_.server.get(), request.size());
    Say(pair_.server.get(), Ok("hello"));
  });
  Send(pair_.client.get(), request);
  EXPECT_EQ(Hear(pair_.client.get(), Ok("hello").size()), Ok("hello"));
  server.join();
  live->ExpectBoth(listener_.port, {"POST /a 200 10000+5 complete"});
}

// Seen by some mechanisms only, and by the close always.
TEST_F(ZerocopyTest, ReceivedByCall) {
  const auto live = TcpLive::Open({.data = TcpDataMode::kCall});
  ASSERT_NE(live, nullptr);
  ASSERT_TRUE(Say(pair_.client.get(), "hello"));
  const std::string heard = Receive(pair_.server.get(), 5);
  if (heard.empty()) {
    GTEST_SKIP() << "this kernel copies nothing that fills no page";
  }
  EXPECT_EQ(heard, "hello");
  pair_ = {};
  const TcpClose* const close = live->Await<TcpClose>(Server());
  ASSERT_NE(close, nullptr);
  EXPECT_EQ(close->rx_bytes, 5u);
  const HookSupport hook = FindHook(live->session(), "tcp receive");
  const bool is_limit = hook.limits.find("zero-copy receive") != std::string::npos;
  EXPECT_EQ(live->All<TcpData>(Server()).size(), is_limit ? 0u : 1u) << hook.mechanism;
}

// A request that no hook can read is counted, and the next one is told of again.
TEST_F(ZerocopyTest, ReceivedHttp) {
  const auto live = HttpLive::Open();
  ASSERT_NE(live, nullptr);
  ASSERT_TRUE(Ask(pair_, Get("/before"), Ok("")));
  ASSERT_TRUE(Say(pair_.client.get(), Get("/a")));
  if (Receive(pair_.server.get(), Get("/a").size()).empty()) {
    GTEST_SKIP() << "this kernel copies nothing that fills no page";
  }
  ASSERT_TRUE(Say(pair_.server.get(), Ok("hello")));
  ASSERT_EQ(Hear(pair_.client.get(), Ok("hello").size()), Ok("hello"));
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("")));
  live->ExpectServer(listener_.port, {"GET /before 200 0+0 complete", "GET /b 200 0+0 complete"});
  live->ExpectClient(listener_.port, {"GET /before 200 0+0 complete", "GET /a 200 0+5 complete",
                                      "GET /b 200 0+0 complete"});
  EXPECT_EQ(LostOf(live->stats(), LossReason::kUnread), 1u);
}

}  // namespace
}  // namespace masflow::kernel_test
