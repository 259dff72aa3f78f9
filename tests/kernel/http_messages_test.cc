// SPDX-License-Identifier: Apache-2.0
//
// What messages can be like, between two real ends.
#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "http_live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

class HttpMessagesTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = HttpLive::Open();
    ASSERT_NE(live_, nullptr);
    listener_ = Listen();
    pair_ = ConnectPair(listener_);
  }

  void FromClient(std::string_view text) {
    ASSERT_TRUE(Say(pair_.client.get(), text));
    ASSERT_EQ(Hear(pair_.server.get(), text.size()), text);
  }
  void FromServer(std::string_view text) {
    ASSERT_TRUE(Say(pair_.server.get(), text));
    ASSERT_EQ(Hear(pair_.client.get(), text.size()), text);
  }
  void Close() {
    pair_.client.Reset();
    pair_.server.Reset();
  }

  std::unique_ptr<HttpLive> live_;
  Listener listener_;
  Pair pair_;
};

TEST_F(HttpMessagesTest, ContinueIsPassedOver) {
  FromClient("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  FromServer("HTTP/1.1 100 Continue\r\n\r\n");
  FromClient("body");
  FromServer(Ok("hello"));
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("")));
  live_->ExpectBoth(listener_.port, {"POST /a 200 4+5 complete", "GET /b 200 0+0 complete"});
}

TEST_F(HttpMessagesTest, ResponsesWithoutABody) {
  ASSERT_TRUE(
      Ask(pair_, "HEAD /a HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
  ASSERT_TRUE(Ask(pair_, Get("/b"), "HTTP/1.1 204 No Content\r\n\r\n"));
  ASSERT_TRUE(Ask(pair_, Get("/c"), "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"));
  ASSERT_TRUE(Ask(pair_, Get("/d"), Ok("hello")));
  live_->ExpectBoth(listener_.port, {"HEAD /a 200 0+0 complete", "GET /b 204 0+0 complete",
                                     "GET /c 304 0+0 complete", "GET /d 200 0+5 complete"});
}

TEST_F(HttpMessagesTest, ChunksWithTrailers) {
  ASSERT_TRUE(Ask(pair_,
                  "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n",
                  std::string(kChunkedOk) + "5\r\nhello\r\n0\r\nX-Trailer: t\r\nY: u\r\n\r\n"));
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("")));
  live_->ExpectBoth(listener_.port, {"POST /a 200 13+5 complete", "GET /b 200 0+0 complete"});
}

TEST_F(HttpMessagesTest, UntilClose) {
  FromClient(Get("/a"));
  FromServer("HTTP/1.1 200 OK\r\n\r\nhello");
  FromServer(std::string(20'000, 'x'));
  pair_.server.Reset();
  EXPECT_EQ(Hear(pair_.client.get()), "");
  pair_.client.Reset();
  live_->ExpectBoth(listener_.port, {"GET /a 200 0+20005 complete"});
}

// As clients with a buffer do: the FIN has arrived, so the kernel counts it as read.
TEST_F(HttpMessagesTest, TheResponseAndTheEndInOneRead) {
  std::size_t count = 0;
  for (const std::string& response :
       {std::string("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"), Ok("hello"),
        std::string(kChunkedOk) + "5\r\nhello\r\n0\r\n\r\n"}) {
    pair_ = ConnectPair(listener_);
    FromClient(Get("/a"));
    ASSERT_TRUE(Say(pair_.server.get(), response));
    pair_.server.Reset();
    pollfd ended{.fd = pair_.client.get(), .events = POLLRDHUP, .revents = 0};
    ASSERT_EQ(poll(&ended, 1, -1), 1);
    ASSERT_EQ(Hear(pair_.client.get()), response);
    pair_.client.Reset();
    ++count;
    live_->ExpectBoth(listener_.port, Lines(count, "GET /a 200 0+5 complete"));
  }
}

TEST_F(HttpMessagesTest, AfterConnectItIsATunnel) {
  ASSERT_TRUE(Ask(pair_, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
                  "HTTP/1.1 200 Connection established\r\n\r\n"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Ask(pair_, "\x16\x03\x01 bytes", "\x16\x03\x03 more bytes"));
  }
  ASSERT_TRUE(Ask(pair_, Get("/inside"), Ok("hello")));
  Close();
  live_->ExpectBoth(listener_.port, {"CONNECT example.com:443 200 0+0 upgraded"});
}

TEST_F(HttpMessagesTest, AfterAnUpgradeItIsSomethingElse) {
  ASSERT_TRUE(Ask(pair_, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Ask(pair_, std::string("\x81\x05") + "hello", std::string("\x82\x03") + "abc"));
  }
  Close();
  live_->ExpectBoth(listener_.port, {"GET /ws 101 0+0 upgraded"});
}

TEST_F(HttpMessagesTest, ABodyThatLooksLikeARequestIsNone) {
  const std::string inner = Post("/inner", "x") + Get("/inner2");
  FromClient(Post("/a", inner));
  FromServer(Ok(Ok("inner") + inner));
  // The same in calls of their own.
  FromClient("POST /b HTTP/1.1\r\nContent-Length: " + std::to_string(inner.size()) + "\r\n\r\n");
  FromClient(inner);
  FromServer("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(Ok("x").size()) + "\r\n\r\n");
  FromServer(Ok("x"));
  const std::string sizes =
      std::to_string(inner.size()) + "+" + std::to_string((Ok("inner") + inner).size());
  live_->ExpectBoth(listener_.port, {"POST /a 200 " + sizes + " complete",
                                     "POST /b 200 " + std::to_string(inner.size()) + "+" +
                                         std::to_string(Ok("x").size()) + " complete"});
}

TEST_F(HttpMessagesTest, AHeadLongerThanTheCaptureIsTruncated) {
  const std::string filler = "X-Filler: " + std::string(6000, 'f') + "\r\n\r\n";
  ASSERT_TRUE(
      Ask(pair_, "GET /a HTTP/1.1\r\nHost: h\r\n" + filler, "HTTP/1.1 200 OK\r\n" + filler));
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("")));
  live_->AwaitServer(listener_.port, 2);
  live_->AwaitClient(listener_.port, 2);
  for (const Wanted& end : {Wanted{.local = listener_.port}, Wanted{.remote = listener_.port}}) {
    const auto both = live_->All(end);
    ASSERT_EQ(both.size(), 2u);
    EXPECT_TRUE(both[0]->request_head_truncated);
    EXPECT_TRUE(both[0]->response_head_truncated);
    EXPECT_EQ(both[0]->host, "h");
    EXPECT_EQ(Brief(*both[1]), "GET /b 200 0+0 complete");
  }
}

TEST_F(HttpMessagesTest, AGibibyteByAnotherWayThanACall) {
  constexpr std::size_t kSize = std::size_t{1} << 30;
  const TempDir dir;
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n";
  WriteFile(dir / "body", "");
  ASSERT_EQ(truncate((dir / "body").c_str(), kSize), 0);  // all of it a hole
  Child server = Fork([&] {
    const UniqueFd file(open((dir / "body").c_str(), O_RDONLY | O_CLOEXEC));
    Hear(pair_.server.get(), Get("/big").size());
    Say(pair_.server.get(), head);
    for (std::size_t left = kSize; left > 0;) {
      const ssize_t n = sendfile(pair_.server.get(), file.get(), nullptr, left);
      if (n <= 0) {
        return 1;
      }
      left -= static_cast<std::size_t>(n);
    }
    return 0;
  });
  ASSERT_TRUE(Say(pair_.client.get(), Get("/big")));
  ASSERT_EQ(ReadAll(pair_.client.get(), head.size() + kSize), head.size() + kSize);
  ASSERT_EQ(server.Wait(), 0);
  // Nothing more happens on the connection, which stays open.
  live_->ExpectBoth(listener_.port, {"GET /big 200 0+1073741824 complete"});
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("hello")));
  live_->ExpectBoth(listener_.port,
                    {"GET /big 200 0+1073741824 complete", "GET /b 200 0+5 complete"});
}

TEST_F(HttpMessagesTest, AMebibyteInChunksOnAConnectionThatStaysOpen) {
  constexpr std::size_t kPiece = 16 << 10;
  constexpr std::size_t kPieces = 64;
  const std::string piece = "4000\r\n" + std::string(kPiece, 'x') + "\r\n";
  Child server = Fork([&] {
    Hear(pair_.server.get(), Get("/a").size());
    bool good = Say(pair_.server.get(), kChunkedOk);
    for (std::size_t i = 0; i < kPieces; ++i) {
      good = good && Say(pair_.server.get(), piece);
    }
    return good && Say(pair_.server.get(), "0\r\n\r\n") ? 0 : 1;
  });
  ASSERT_TRUE(Say(pair_.client.get(), Get("/a")));
  const std::size_t all = sizeof(kChunkedOk) - 1 + kPieces * piece.size() + 5;
  ASSERT_EQ(ReadAll(pair_.client.get(), all), all);
  ASSERT_EQ(server.Wait(), 0);
  live_->AwaitClient(listener_.port);
  live_->AwaitServer(listener_.port);
  live_->CatchUp();
  for (const Wanted& side : {Wanted{.local = listener_.port}, Wanted{.remote = listener_.port}}) {
    const auto found = live_->All(side);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0]->status, 200);
    EXPECT_EQ(found[0]->outcome, HttpOutcome::kComplete);
    // The sizes of the chunks were not looked at, so it cannot be exact.
    EXPECT_LE(found[0]->response_body.bytes, kPieces * piece.size() + 5);
    EXPECT_TRUE(!found[0]->response_body.exact ||
                found[0]->response_body.bytes == kPieces * kPiece);
  }
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("hello")));
  EXPECT_EQ(Brief(*live_->AwaitClient(listener_.port, 2)), "GET /b 200 0+5 complete");
  EXPECT_EQ(Brief(*live_->AwaitServer(listener_.port, 2)), "GET /b 200 0+5 complete");
}

// The last bytes are not in a call of their own: they have to be told from the end.
TEST_F(HttpMessagesTest, ChunksThatEndWithinALargeCall) {
  const std::string response =
      std::string(kChunkedOk) + "8000\r\n" + std::string(0x8000, 'x') + "\r\n0\r\n\r\n";
  ASSERT_TRUE(Ask(pair_, Get("/a"), response));
  live_->ExpectBoth(listener_.port, {"GET /a 200 0+32768~ complete"});
}

}  // namespace
}  // namespace masflow::kernel_test
