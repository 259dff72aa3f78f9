// SPDX-License-Identifier: Apache-2.0
//
// The times of exchanges against those that the two ends measure themselves.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "http_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// The server at work, which is what is measured here.
void Work(milliseconds time) {
  const timespec span = {.tv_sec = time.count() / 1000, .tv_nsec = time.count() % 1000 * 1'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr);
}

void ExpectNear(nanoseconds found, nanoseconds expected) {
  const nanoseconds tolerance = std::max<nanoseconds>(milliseconds(2), expected / 50);
  EXPECT_LE(found, expected + tolerance);
  EXPECT_GE(found, expected - tolerance);
}

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

class HttpTimeTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    // Nobody drains while it is measured, so the ring is to hold nothing else.
    live_ = HttpLive::Open({.filter = {.process = {.pids = {Self()}}}});
    ASSERT_NE(live_, nullptr);
    listener_ = Listen();
    pair_ = ConnectPair(listener_);
  }

  std::unique_ptr<HttpLive> live_;
  Listener listener_;
  Pair pair_;
};

TEST_F(HttpTimeTest, LatencyIsWhatTheEndsMeasure) {
  std::size_t count = 0;
  for (const milliseconds delay : {milliseconds(10), milliseconds(100), milliseconds(1000)}) {
    SCOPED_TRACE(delay.count());
    const KernelTime client_begin = Now();
    ASSERT_TRUE(Say(pair_.client.get(), Get("/a")));
    ASSERT_EQ(Hear(pair_.server.get(), Get("/a").size()), Get("/a"));
    const KernelTime server_begin = Now();
    Work(delay);
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    ASSERT_TRUE(Say(pair_.server.get(), head));
    const KernelTime server_first = Now();
    ASSERT_EQ(Hear(pair_.client.get(), head.size()), head);
    const KernelTime client_first = Now();
    Work(delay);
    ASSERT_TRUE(Say(pair_.server.get(), "hello"));
    const KernelTime server_last = Now();
    ASSERT_EQ(Hear(pair_.client.get(), 5), "hello");
    const KernelTime client_last = Now();

    ++count;
    const HttpExchange* const server = live_->AwaitServer(listener_.port, count);
    const HttpExchange* const client = live_->AwaitClient(listener_.port, count);
    ASSERT_NE(server, nullptr);
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(Brief(*server), "GET /a 200 0+5 complete");
    EXPECT_EQ(Brief(*client), "GET /a 200 0+5 complete");
    ExpectNear(FirstByte(*server) - server->time, server_first - server_begin);
    ExpectNear(LastByte(*server) - server->time, server_last - server_begin);
    ExpectNear(FirstByte(*client) - client->time, client_first - client_begin);
    ExpectNear(LastByte(*client) - client->time, client_last - client_begin);
    // And absolutely: between two calls of the one thread that does it all.
    EXPECT_GE(client->time, client_begin);
    EXPECT_LE(server->time, server_begin);
    EXPECT_LE(client->time, server->time);
    EXPECT_LE(FirstByte(*server), FirstByte(*client));
    EXPECT_LE(LastByte(*server), LastByte(*client));
    EXPECT_LE(LastByte(*server), server_last);
    EXPECT_LE(LastByte(*client), client_last);
    EXPECT_GE(FirstByte(*client), server_first);
  }
}

// The last byte of a body that is only counted.
TEST_F(HttpTimeTest, TheLastByteOfALargeBody) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
  const std::string half(50'000, 'x');
  ASSERT_TRUE(Ask(pair_, Get("/a"), head));
  ASSERT_TRUE(Say(pair_.server.get(), half));
  ASSERT_EQ(Hear(pair_.client.get(), half.size()), half);
  const KernelTime first = Now();
  Work(milliseconds(200));
  const KernelTime second = Now();
  ASSERT_TRUE(Say(pair_.server.get(), half));
  const KernelTime server_last = Now();
  ASSERT_EQ(Hear(pair_.client.get(), half.size()), half);
  const KernelTime client_last = Now();
  const HttpExchange* const server = live_->AwaitServer(listener_.port);
  const HttpExchange* const client = live_->AwaitClient(listener_.port);
  ASSERT_NE(server, nullptr);
  ASSERT_NE(client, nullptr);
  EXPECT_LT(FirstByte(*server), first);
  EXPECT_LT(FirstByte(*client), first);
  EXPECT_GT(LastByte(*server), second);
  EXPECT_LE(LastByte(*server), server_last);
  EXPECT_GT(LastByte(*client), second);
  EXPECT_LE(LastByte(*client), client_last);
}

// Pipelined: each from when its own first byte passed.
TEST_F(HttpTimeTest, PipelinedRequestsBeginWhenTheyAreSent) {
  ASSERT_TRUE(Ask(pair_, Get("/0"), Ok("")));
  ASSERT_TRUE(Say(pair_.client.get(), Get("/1")));
  Work(milliseconds(50));
  const KernelTime between = Now();
  ASSERT_TRUE(Say(pair_.client.get(), Get("/2")));
  ASSERT_EQ(Hear(pair_.server.get(), 2 * Get("/1").size()), Get("/1") + Get("/2"));
  ASSERT_TRUE(Say(pair_.server.get(), Ok("a") + Ok("b")));
  ASSERT_EQ(Hear(pair_.client.get(), 2 * Ok("a").size()), Ok("a") + Ok("b"));
  live_->ExpectBoth(listener_.port, {"GET /0 200 0+0 complete", "GET /1 200 0+1 complete",
                                     "GET /2 200 0+1 complete"});
  EXPECT_LT(live_->AwaitClient(listener_.port, 2)->time, between);
  EXPECT_GT(live_->AwaitClient(listener_.port, 3)->time, between);
}

}  // namespace
}  // namespace masflow::kernel_test
