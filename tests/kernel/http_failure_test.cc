// SPDX-License-Identifier: Apache-2.0
//
// Exchanges that do not come to their end, and what comes after them at the same place.
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "http_live.h"
#include "spawn.h"

namespace masflow::kernel_test {
namespace {

class HttpFailureTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = HttpLive::Open();
    ASSERT_NE(live_, nullptr);
    listener_ = Listen();
    pair_ = From(0);
    port_ = LocalPort(pair_.client.get());
  }

  // A connection whose client has this port.
  Pair From(std::uint16_t port) {
    Pair pair{.client = Socket(kLocalhost), .server = {}};
    const int on = 1;
    setsockopt(pair.client.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    EXPECT_EQ(Bind(pair.client.get(), kLocalhost, port), 0);
    EXPECT_EQ(Connect(pair.client.get(), kLocalhost, listener_.port), 0);
    pair.server = Accept(listener_);
    return pair;
  }

  void AskOnly(std::string_view request) {
    ASSERT_TRUE(Say(pair_.client.get(), request));
    ASSERT_EQ(Hear(pair_.server.get(), request.size()), request);
  }

  // The same two ports (and descriptors) once more: nothing of before is left.
  void ExpectCleanAfter(const Lines& client, const Lines& server) {
    pair_ = {};
    live_->ExpectClient(listener_.port, client);
    live_->ExpectServer(listener_.port, server);
    pair_ = From(port_);
    ASSERT_EQ(LocalPort(pair_.client.get()), port_);
    ASSERT_TRUE(Ask(pair_, Get("/after"), Ok("hello")));
    const HttpExchange* const c = live_->AwaitClient(listener_.port, client.size() + 1);
    const HttpExchange* const s = live_->AwaitServer(listener_.port, server.size() + 1);
    ASSERT_NE(c, nullptr);
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(Brief(*c), "GET /after 200 0+5 complete");
    EXPECT_EQ(Brief(*s), "GET /after 200 0+5 complete");
    EXPECT_NE(c->connection.id, live_->AwaitClient(listener_.port)->connection.id);
    EXPECT_NE(s->connection.id, live_->AwaitServer(listener_.port)->connection.id);
    EXPECT_EQ(EndsOf(c->connection), EndsOf(pair_.client.get()));
  }

  std::unique_ptr<HttpLive> live_;
  Listener listener_;
  Pair pair_;
  std::uint16_t port_ = 0;
};

// Resets, so that the ports are free at once. At the end that makes one it is a close by the
// application in the middle.
TEST_F(HttpFailureTest, TheClientResetsBeforeTheResponse) {
  AskOnly(Get("/a"));
  ResetOnClose(pair_.client.get());
  pair_.client.Reset();
  EXPECT_EQ(Hear(pair_.server.get()), "");
  ExpectCleanAfter({"GET /a - 0+0~ closed"}, {"GET /a - 0+0~ reset"});
}

TEST_F(HttpFailureTest, TheServerResetsBeforeTheResponse) {
  AskOnly(Post("/a", "body"));
  ResetOnClose(pair_.server.get());
  pair_.server.Reset();
  EXPECT_EQ(Hear(pair_.client.get()), "");
  ExpectCleanAfter({"POST /a - 4+0~ reset"}, {"POST /a - 4+0~ closed"});
}

TEST_F(HttpFailureTest, TheServerResetsWithinTheResponse) {
  AskOnly(Get("/a"));
  ASSERT_TRUE(Say(pair_.server.get(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
  ASSERT_EQ(Hear(pair_.client.get(), 42), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  ResetOnClose(pair_.server.get());
  pair_.server.Reset();
  EXPECT_EQ(Hear(pair_.client.get()), "");
  ExpectCleanAfter({"GET /a 200 0+3~ reset"}, {"GET /a 200 0+3~ closed"});
}

TEST_F(HttpFailureTest, TheClientGoesBeforeTheResponse) {
  AskOnly(Get("/a"));
  pair_.client.Reset();
  EXPECT_EQ(Hear(pair_.server.get()), "");
  pair_.server.Reset();
  live_->ExpectBoth(listener_.port, {"GET /a - 0+0~ closed"});
}

TEST_F(HttpFailureTest, TheServerGoesBeforeTheResponse) {
  AskOnly(Get("/a"));
  pair_.server.Reset();
  EXPECT_EQ(Hear(pair_.client.get()), "");
  pair_.client.Reset();
  live_->ExpectBoth(listener_.port, {"GET /a - 0+0~ closed"});
}

TEST_F(HttpFailureTest, TheServerGoesWithinTheHeadOfTheResponse) {
  AskOnly(Get("/a"));
  ASSERT_TRUE(Say(pair_.server.get(), "HTTP/1.1 2"));
  pair_.server.Reset();
  EXPECT_EQ(Hear(pair_.client.get()), "HTTP/1.1 2");
  pair_.client.Reset();
  live_->AwaitClient(listener_.port);
  live_->AwaitServer(listener_.port);
  live_->CatchUp();
  for (const Wanted& end : {Wanted{.local = listener_.port}, Wanted{.remote = listener_.port}}) {
    ASSERT_EQ(live_->All(end).size(), 1u);
    EXPECT_EQ(live_->All(end)[0]->status, std::nullopt) << "half a status is none";
    EXPECT_EQ(live_->All(end)[0]->outcome, HttpOutcome::kClosed);
  }
}

TEST_F(HttpFailureTest, TheServerIsKilled) {
  Child server = Fork(
      [&] {
        Hear(pair_.server.get(), Get("/a").size());
        if (write(STDOUT_FILENO, "heard\n", 6) == 6) {
          pause();
        }
        return 1;
      },
      {.from_stdout = true});
  const int number = pair_.client.get();
  pair_.server.Reset();  // only the child has it
  ASSERT_TRUE(Say(pair_.client.get(), Get("/a")));
  server.ReadLine();
  server.Signal(SIGKILL);
  server.Wait();
  EXPECT_EQ(Hear(pair_.client.get()), "");
  pair_.client.Reset();
  live_->ExpectBoth(listener_.port, {"GET /a - 0+0~ closed"});
  EXPECT_EQ(live_->AwaitServer(listener_.port)->connection.owner->id.pid, server.pid());
  // The descriptor is another connection's now.
  const Pair next = ConnectPair(listener_);
  ASSERT_EQ(next.client.get(), number);
  ASSERT_TRUE(Ask(next, Get("/b"), Ok("hello")));
  live_->ExpectBoth(listener_.port, {"GET /a - 0+0~ closed", "GET /b 200 0+5 complete"});
}

TEST_F(HttpFailureTest, OfPipelinedRequestsOnlyTheFirstIsAnswered) {
  AskOnly(Get("/1") + Get("/2"));
  ASSERT_TRUE(Say(pair_.server.get(), Ok("a")));
  ASSERT_EQ(Hear(pair_.client.get(), Ok("a").size()), Ok("a"));
  pair_.server.Reset();
  EXPECT_EQ(Hear(pair_.client.get()), "");
  pair_.client.Reset();
  live_->ExpectBoth(listener_.port, {"GET /1 200 0+1 complete", "GET /2 - 0+0~ closed"});
}

// It may still be answered.
TEST_F(HttpFailureTest, HalfAClose_LeavesTheOtherWay) {
  AskOnly(Get("/a"));
  shutdown(pair_.client.get(), SHUT_WR);
  EXPECT_EQ(Hear(pair_.server.get()), "");
  ASSERT_TRUE(Say(pair_.server.get(), Ok("hello")));
  ASSERT_EQ(Hear(pair_.client.get(), Ok("hello").size()), Ok("hello"));
  live_->ExpectBoth(listener_.port, {"GET /a 200 0+5 complete"});
}

TEST_F(HttpFailureTest, ACloseInTheMiddleOfARequest) {
  AskOnly("POST /a HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
  pair_.client.Reset();
  EXPECT_EQ(Hear(pair_.server.get()), "");
  pair_.server.Reset();
  live_->ExpectBoth(listener_.port, {"POST /a - 3~+0~ closed"});
}

}  // namespace
}  // namespace masflow::kernel_test
