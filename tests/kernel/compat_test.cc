// SPDX-License-Identifier: Apache-2.0
//
// What 32-bit programs do, and which mechanisms lose it: docs/support.md.
#include "compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "http_live.h"
#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

class CompatTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (!HasCompatCalls()) {
      GTEST_SKIP() << "this kernel takes no 32-bit system calls";
    }
  }

  // Of the whole system call only its number is known to these.
  static bool BySystemCall(const std::string& mechanism) {
    return mechanism.find("sys_exit") != std::string::npos;
  }
};

TEST_F(CompatTest, AFailedExecIsSeenByNoMechanism) {
  auto live = Live::Open({.process = {.failed_execs = true}});
  ASSERT_NE(live, nullptr);
  Child child = Fork([] {
    const LowMemory name("/nonexistent");
    const LowMemory no_words(std::string(sizeof(int), '\0'));
    const long error =
        CompatCall(kCompatExecve, name.address(), no_words.address(), no_words.address());
    return error == -ENOENT ? 5 : 1;
  });
  child.Wait();
  const ProcessExit* const exit = live->Await<ProcessExit>(child.pid());
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->exit_code, 5);
  EXPECT_EQ(live->Of<ProcessExecFailure>(child.pid()).size(), 0u);
}

TEST_F(CompatTest, AnAcceptIsSeenOrInferred) {
  auto live = TcpLive::Open();
  ASSERT_NE(live, nullptr);
  const Listener listener = Listen();
  Child server = Fork([&] {
    const UniqueFd socket(static_cast<int>(
        CompatCall(kCompatAccept4, static_cast<unsigned long>(listener.fd.get()))));
    ReadAll(socket.get());
    return socket.valid() ? 0 : 1;
  });
  UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  ASSERT_TRUE(WriteAll(client.get(), 5));
  client.Reset();
  EXPECT_EQ(server.Wait(), 0);
  const TcpClose* const close = live->Await<TcpClose>({.owner = {}, .local = listener.port});
  ASSERT_NE(close, nullptr);
  live->CatchUp();
  const auto accepts = live->All<TcpAccept>({.owner = server.pid()});
  ASSERT_EQ(accepts.size(), 1u);
  EXPECT_EQ(close->rx_bytes, 5u);
  EXPECT_EQ(close->connection.owner_inferred,
            BySystemCall(FindHook(live->session(), "tcp accept").mechanism));
}

TEST_F(CompatTest, AConnectThatFailsAtOnceIsSeenOrLost) {
  auto live = TcpLive::Open();
  ASSERT_NE(live, nullptr);
  Child child = Fork([] {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(4321);
    inet_pton(AF_INET, "192.0.2.1", &address.sin_addr);
    const LowMemory low(std::string(reinterpret_cast<const char*>(&address), sizeof(address)));
    const UniqueFd socket = OwnNetwork() ? Socket(kLocalhost) : UniqueFd();
    return CompatCall(kCompatConnect, static_cast<unsigned long>(socket.get()), low.address(),
                      sizeof(address)) == -ENETUNREACH
               ? 0
               : 1;
  });
  ASSERT_EQ(child.Wait(), 0);
  live->CatchUp();
  const bool lost = BySystemCall(FindHook(live->session(), "tcp connect error").mechanism);
  EXPECT_EQ(live->All<TcpConnect>({.owner = child.pid()}).size(), lost ? 0u : 1u);
}

TEST_F(CompatTest, ARequestIsReadOrCounted) {
  auto live = HttpLive::Open();
  ASSERT_NE(live, nullptr);
  const Listener listener = Listen();
  const Pair pair = ConnectEager(listener);
  ASSERT_TRUE(Ask(pair, Get("/before"), Ok("")));
  const LowMemory request(Get("/a"));
  const long size = static_cast<long>(Get("/a").size());
  ASSERT_EQ(CompatCall(kCompatWrite, static_cast<unsigned long>(pair.client.get()),
                       request.address(), static_cast<unsigned long>(size)),
            size);
  ASSERT_EQ(Hear(pair.server.get(), Get("/a").size()), Get("/a"));
  ASSERT_TRUE(Say(pair.server.get(), Ok("hello")));
  ASSERT_EQ(Hear(pair.client.get(), Ok("hello").size()), Ok("hello"));
  ASSERT_TRUE(Ask(pair, Get("/b"), Ok("")));
  live->ExpectServer(listener.port, {"GET /before 200 0+0 complete", "GET /a 200 0+5 complete",
                                     "GET /b 200 0+0 complete"});
  Lines client;
  for (const HttpExchange* const e :
       live->All({.owner = {}, .local = {}, .remote = listener.port})) {
    client.push_back(Brief(*e));
  }
  ASSERT_FALSE(client.empty());
  EXPECT_EQ(client.back(), "GET /b 200 0+0 complete");
  const bool read = std::count(client.begin(), client.end(), "GET /a 200 0+5 complete") == 1;
  const std::string mechanism = FindHook(live->session(), "http send").mechanism;
  EXPECT_EQ(read, mechanism != "tp_btf sock_send_length");
  const auto unread = LostOf(live->stats(), LossReason::kUnread);
  EXPECT_EQ(unread == 0, read) << unread;
}

}  // namespace
}  // namespace masflow::kernel_test
