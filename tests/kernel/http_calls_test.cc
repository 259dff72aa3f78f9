// SPDX-License-Identifier: Apache-2.0
//
// HTTP by each system call that moves bytes, and cut in all ways.
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http_live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using Send = std::function<ssize_t(int fd, std::string_view text)>;
using Receive = std::function<ssize_t(int fd, char* buffer, std::size_t size)>;

// So many pieces of nearly the same size.
std::vector<iovec> Pieces(const char* bytes, std::size_t size, std::size_t count) {
  std::vector<iovec> pieces;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = size * i / count;
    pieces.push_back({const_cast<char*>(bytes) + begin, size * (i + 1) / count - begin});
  }
  return pieces;
}

msghdr Message(std::vector<iovec>* pieces) {
  msghdr message{};
  message.msg_iov = pieces->data();
  message.msg_iovlen = pieces->size();
  return message;
}

// A text in memory that nobody has touched: the kernel has its pages, no process sees them yet. So
// lie the constants of a program until they are used.
class Untouched {
 public:
  // So many bytes lie before the text.
  explicit Untouched(std::string_view text, std::size_t before = 0)
      : before_(before), size_(text.size()) {
    const UniqueFd file(memfd_create("untouched", MFD_CLOEXEC));
    EXPECT_EQ(pwrite(file.get(), text.data(), size_, static_cast<off_t>(before)),
              static_cast<ssize_t>(size_));
    memory_ = mmap(nullptr, before_ + size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
    EXPECT_NE(memory_, MAP_FAILED);
  }
  Untouched(const Untouched&) = delete;
  ~Untouched() { munmap(memory_, before_ + size_); }

  std::string_view text() const { return {static_cast<const char*>(memory_) + before_, size_}; }
  void TouchFirstPage() const { ASSERT_EQ(*static_cast<const volatile char*>(memory_), '\0'); }

 private:
  std::size_t before_;
  std::size_t size_;
  void* memory_ = nullptr;
};

bool IsAsleep(pid_t thread) {
  const std::string stat = ReadFile("/proc/self/task/" + std::to_string(thread) + "/stat");
  return stat.find(") S ") != std::string::npos;
}

// So many requests are heard; of the responses the server can send a few, until PassPackets().
void AskWithoutRoomForAnswers(const Pair& pair, std::size_t count) {
  constexpr int kSmallest = 4608;
  setsockopt(pair.server.get(), SOL_SOCKET, SO_SNDBUF, &kSmallest, sizeof(kSmallest));
  std::string requests;
  for (std::size_t i = 0; i < count; ++i) {
    requests += Get("/a");
  }
  ASSERT_TRUE(Say(pair.client.get(), requests));
  ASSERT_EQ(Hear(pair.server.get(), requests.size()), requests);
  DropPackets(pair.client.get());
}

struct Calls {
  std::string name;
  Send send;
  Receive receive;
};

std::vector<Calls> AllCalls() {
  std::vector<Calls> all = {
      {"write/read", [](int fd, std::string_view t) { return write(fd, t.data(), t.size()); },
       [](int fd, char* b, std::size_t n) { return read(fd, b, n); }},
      {"send/recv",
       [](int fd, std::string_view t) { return send(fd, t.data(), t.size(), MSG_NOSIGNAL); },
       [](int fd, char* b, std::size_t n) { return recv(fd, b, n, 0); }},
      {"sendto/recvfrom",
       [](int fd, std::string_view t) { return sendto(fd, t.data(), t.size(), 0, nullptr, 0); },
       [](int fd, char* b, std::size_t n) {
         sockaddr_storage from{};
         socklen_t size = sizeof(from);
         return recvfrom(fd, b, n, 0, reinterpret_cast<sockaddr*>(&from), &size);
       }},
  };
  for (const std::size_t count : {1, 2, 8, 64}) {
    all.push_back({"writev/readv of " + std::to_string(count),
                   [=](int fd, std::string_view t) {
                     const auto pieces = Pieces(t.data(), t.size(), count);
                     return writev(fd, pieces.data(), static_cast<int>(count));
                   },
                   [=](int fd, char* b, std::size_t n) {
                     const auto pieces = Pieces(b, n, count);
                     return readv(fd, pieces.data(), static_cast<int>(count));
                   }});
    all.push_back({"sendmsg/recvmsg of " + std::to_string(count),
                   [=](int fd, std::string_view t) {
                     auto pieces = Pieces(t.data(), t.size(), count);
                     const msghdr message = Message(&pieces);
                     return sendmsg(fd, &message, MSG_NOSIGNAL);
                   },
                   [=](int fd, char* b, std::size_t n) {
                     auto pieces = Pieces(b, n, count);
                     msghdr message = Message(&pieces);
                     return recvmsg(fd, &message, 0);
                   }});
  }
  return all;
}

class HttpCallsTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = HttpLive::Open({.request_headers = {"host", "x-last"}});
    ASSERT_NE(live_, nullptr);
    listener_ = Listen();
    pair_ = ConnectEager(listener_);
  }

  std::unique_ptr<HttpLive> live_;
  Listener listener_;
  Pair pair_;
};

// What has arrived, as one call gets it: into more room than there are bytes.
void ReceiveAtOnce(const Calls& calls, int fd, std::string_view expected) {
  AwaitReadable(fd, expected.size());
  std::vector<char> buffer(expected.size() + 100);
  const ssize_t n = calls.receive(fd, buffer.data(), buffer.size());
  ASSERT_EQ(std::string(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0))),
            expected);
}

TEST_F(HttpCallsTest, EachCallIsTheSame) {
  const std::string body(300, 'b');
  const std::string request =
      "POST /a?b=c HTTP/1.1\r\nHost: example.com\r\nContent-Length: 300\r\n"
      "X-Long: " +
      std::string(500, 'l') + "\r\nX-Last: z\r\n\r\n" + body;
  const std::string response = Ok(std::string(100, 'r'));
  for (const Calls& calls : AllCalls()) {
    SCOPED_TRACE(calls.name);
    const Listener listener = Listen();
    const Pair pair = ConnectPair(listener);
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(calls.send(pair.client.get(), request), static_cast<ssize_t>(request.size()));
      ASSERT_NO_FATAL_FAILURE(ReceiveAtOnce(calls, pair.server.get(), request));
      ASSERT_EQ(calls.send(pair.server.get(), response), static_cast<ssize_t>(response.size()));
      ASSERT_NO_FATAL_FAILURE(ReceiveAtOnce(calls, pair.client.get(), response));
    }
    const std::string brief = "POST /a?b=c 200 300+100 complete";
    live_->ExpectBoth(listener.port, {brief, brief});
    for (const HttpExchange* const e : live_->All({.local = {}, .remote = listener.port})) {
      EXPECT_EQ(EndsOf(e->connection), EndsOf(pair.client.get()));
      EXPECT_EQ(e->request_headers, std::string("Host\0example.com\0X-Last\0z\0", 26));
      EXPECT_EQ(e->connection.owner->id.pid, static_cast<std::uint32_t>(getpid()));
      EXPECT_EQ(e->host, "example.com");
    }
  }
  EXPECT_TRUE(live_->Settle());
  EXPECT_EQ(live_->stats().lost_total(), 0u);
}

// A hook at the begin of a call comes before the kernel has touched these bytes.
TEST_F(HttpCallsTest, UntouchedMemoryIsReadAsWell) {
  const std::string request = Post("/a", std::string(300, 'b'));
  const std::string response = Ok(std::string(5000, 'r'));
  const std::size_t before = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) - 20;
  for (const Calls& calls : AllCalls()) {
    SCOPED_TRACE(calls.name);
    const Listener listener = Listen();
    const Pair pair = ConnectEager(listener);
    for (const bool first_page : {false, true}) {
      const Untouched asked(request, before);
      const Untouched answered(response, before);
      if (first_page) {
        asked.TouchFirstPage();
        answered.TouchFirstPage();
      }
      ASSERT_EQ(calls.send(pair.client.get(), asked.text()), std::ssize(request));
      ASSERT_EQ(Hear(pair.server.get(), request.size()), request);
      ASSERT_EQ(calls.send(pair.server.get(), answered.text()), std::ssize(response));
      ASSERT_EQ(Hear(pair.client.get(), response.size()), response);
    }
    const std::string brief = "POST /a 200 300+5000 complete";
    live_->ExpectBoth(listener.port, {brief, brief});
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_TRUE(live_->Settle());
  EXPECT_EQ(live_->stats().lost_total(), 0u);
}

// In parts, each of them untouched until it is its turn; its end is in the last one.
TEST_F(HttpCallsTest, UntouchedMemoryOfACallThatWaits) {
  constexpr std::size_t kSize = 0x800000;
  const std::string response =
      std::string(kChunkedOk) + "800000\r\n" + std::string(kSize, 'x') + "\r\n0\r\n\r\n";
  const Untouched answered(response);
  ASSERT_TRUE(Say(pair_.client.get(), Get("/a")));
  ASSERT_EQ(Hear(pair_.server.get(), Get("/a").size()), Get("/a"));
  std::thread server([&] { EXPECT_TRUE(Say(pair_.server.get(), answered.text())); });
  EXPECT_EQ(ReadAll(pair_.client.get(), response.size()), response.size());
  server.join();
  live_->ExpectServer(listener_.port, {"GET /a 200 0+8388608~ complete"});
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("hello")));
  live_->AwaitServer(listener_.port, 2);
  live_->ExpectServer(listener_.port,
                      {"GET /a 200 0+8388608~ complete", "GET /b 200 0+5 complete"});
  EXPECT_EQ(live_->stats().lost_total(), 0u);
}

// Of the last call nothing is captured, and its bytes tell that the body ends.
TEST_F(HttpCallsTest, UntouchedMemoryAtTheEndOfABody) {
  const std::string most = std::string(kChunkedOk) + "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  const Untouched end("0\r\n\r\n");
  ASSERT_TRUE(Say(pair_.client.get(), Get("/a")));
  ASSERT_EQ(Hear(pair_.server.get(), Get("/a").size()), Get("/a"));
  ASSERT_TRUE(Say(pair_.server.get(), most));
  ASSERT_TRUE(Say(pair_.server.get(), end.text()));
  EXPECT_EQ(ReadAll(pair_.client.get(), most.size() + 5), most.size() + 5);
  live_->ExpectBoth(listener_.port, {"GET /a 200 0+16384~ complete"});
  EXPECT_EQ(live_->stats().lost_total(), 0u);
}

// It gives the socket away before the kernel has touched anything.
TEST_F(HttpCallsTest, UntouchedMemoryOfACallThatWaitsForItsFirstByte) {
  constexpr std::size_t kMost = 64;
  ASSERT_NO_FATAL_FAILURE(AskWithoutRoomForAnswers(pair_, kMost));
  // The one for which there is no room is postponed, too, and comes to nothing.
  const std::string response = Ok(std::string(1000, 'r'));
  std::deque<Untouched> answered;
  const auto send_next = [&] {
    const std::string_view text = answered.emplace_back(response).text();
    return send(pair_.server.get(), text.data(), text.size(), MSG_DONTWAIT);
  };
  while (send_next() == std::ssize(response)) {
    ASSERT_LT(answered.size(), kMost);
  }
  ASSERT_EQ(errno, EAGAIN);
  std::atomic<pid_t> sender = 0;
  std::thread server([&] {
    sender = gettid();
    EXPECT_TRUE(Say(pair_.server.get(), answered.back().text()));
  });
  while (sender == 0 || !IsAsleep(sender)) {
    std::this_thread::yield();
  }
  PassPackets(pair_.client.get());
  for (std::size_t i = 0; i < answered.size(); ++i) {
    ASSERT_EQ(Hear(pair_.client.get(), response.size()), response);
  }
  server.join();
  live_->ExpectBoth(listener_.port, Lines(answered.size(), "GET /a 200 0+1000 complete"));
  EXPECT_EQ(live_->stats().lost_total(), 0u);
}

// A server may give up what the socket refused, and say something else.
TEST_F(HttpCallsTest, WhatTheSocketRefusesIsNotTold) {
  constexpr std::size_t kMost = 64;
  ASSERT_NO_FATAL_FAILURE(AskWithoutRoomForAnswers(pair_, kMost));
  const std::string response = Ok(std::string(1000, 'r'));
  Lines briefs;
  while (send(pair_.server.get(), response.data(), response.size(), MSG_DONTWAIT) ==
         std::ssize(response)) {
    ASSERT_LT(briefs.size(), kMost);
    briefs.push_back("GET /a 200 0+1000 complete");
  }
  ASSERT_EQ(errno, EAGAIN);
  PassPackets(pair_.client.get());
  for (std::size_t i = 0; i < briefs.size(); ++i) {
    ASSERT_EQ(Hear(pair_.client.get(), response.size()), response);
  }
  const std::string other = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
  ASSERT_TRUE(Say(pair_.server.get(), other));
  ASSERT_EQ(Hear(pair_.client.get(), other.size()), other);
  briefs.push_back("GET /a 503 0+4 complete");
  live_->ExpectBoth(listener_.port, briefs);
  EXPECT_EQ(live_->stats().lost_total(), 0u);
}

// As those write that leave out an optional first part.
TEST_F(HttpCallsTest, EmptyPiecesAreSkipped) {
  std::string request = Get("/a");
  std::string response = Ok("hello");
  for (int i = 0; i < 2; ++i) {
    const auto move = [](int from, int to, std::string* text) {
      std::vector<iovec> out = {{text->data(), 0},
                                {text->data(), 3},
                                {text->data() + 3, 0},
                                {text->data() + 3, text->size() - 3}};
      ASSERT_EQ(writev(from, out.data(), 4), static_cast<ssize_t>(text->size()));
      std::string heard(text->size(), ' ');
      std::vector<iovec> in = {{heard.data(), 0},
                               {heard.data(), 5},
                               {heard.data() + 5, 0},
                               {heard.data() + 5, heard.size() - 5}};
      AwaitReadable(to, text->size());
      ASSERT_EQ(readv(to, in.data(), 4), static_cast<ssize_t>(text->size()));
      ASSERT_EQ(heard, *text);
    };
    move(pair_.client.get(), pair_.server.get(), &request);
    move(pair_.server.get(), pair_.client.get(), &response);
  }
  live_->CatchUp();
  EXPECT_EQ(live_->stats().lost_total(), 0u);
  live_->ExpectBoth(listener_.port, {"GET /a 200 0+5 complete", "GET /a 200 0+5 complete"});
}

TEST_F(HttpCallsTest, PipelinedRequestsHaveTheirResponses) {
  std::string requests;
  std::string responses;
  Lines briefs;
  for (int i = 0; i < 8; ++i) {
    const std::string target = "/" + std::to_string(i);
    const std::string body(static_cast<std::size_t>(i), 'x');
    requests += i % 2 == 0 ? Get(target) : Post(target, body);
    responses += Ok(body + "y");
    briefs.push_back((i % 2 == 0 ? "GET " : "POST ") + target + " 200 " +
                     std::to_string(i % 2 == 0 ? 0 : i) + "+" + std::to_string(i + 1) +
                     " complete");
  }
  ASSERT_TRUE(Ask(pair_, requests, responses));
  live_->ExpectBoth(listener_.port, briefs);
}

TEST_F(HttpCallsTest, PipelinedRequestsWithResponsesOneByOne) {
  ASSERT_TRUE(Say(pair_.client.get(), Get("/1") + Get("/2") + Get("/3")));
  Hear(pair_.server.get(), 3 * Get("/1").size());
  for (const char* const body : {"a", "bb", "ccc"}) {
    ASSERT_TRUE(Say(pair_.server.get(), Ok(body)));
    ASSERT_EQ(Hear(pair_.client.get(), Ok(body).size()), Ok(body));
  }
  live_->ExpectBoth(listener_.port, {"GET /1 200 0+1 complete", "GET /2 200 0+2 complete",
                                     "GET /3 200 0+3 complete"});
}

TEST_F(HttpCallsTest, SingleBytes) {
  const auto by_bytes = [](int from, int to, std::string_view text) {
    for (const char c : text) {
      ASSERT_TRUE(Say(from, {&c, 1}));
      ASSERT_EQ(Hear(to, 1), std::string(1, c));
    }
  };
  for (int i = 0; i < 2; ++i) {
    by_bytes(pair_.client.get(), pair_.server.get(), Post("/a", "body"));
    by_bytes(pair_.server.get(), pair_.client.get(), Ok("hello"));
  }
  live_->ExpectBoth(listener_.port, {"POST /a 200 4+5 complete", "POST /a 200 4+5 complete"});
}

TEST_F(HttpCallsTest, SplitInTwo) {
  const std::string request = Post("/a", "bo\r\ndy");
  const std::string response = Ok("hello");
  Lines briefs;
  for (std::size_t at = 1; at < std::max(request.size(), response.size()); ++at) {
    for (const auto& [from, to, text] :
         {std::tuple{pair_.client.get(), pair_.server.get(), std::string_view(request)},
          std::tuple{pair_.server.get(), pair_.client.get(), std::string_view(response)}}) {
      const std::size_t cut = std::min(at, text.size() - 1);
      for (const std::string_view part : {text.substr(0, cut), text.substr(cut)}) {
        ASSERT_TRUE(Say(from, part));
        ASSERT_EQ(Hear(to, part.size()), part);
      }
    }
    briefs.push_back("POST /a 200 6+5 complete");
  }
  live_->ExpectBoth(listener_.port, briefs);
}

// Written in one, read in many, and the reverse.
TEST_F(HttpCallsTest, TheTwoEndsCutDifferently) {
  const std::string request = Post("/a", std::string(3000, 'b'));
  ASSERT_TRUE(Say(pair_.client.get(), request));
  for (std::size_t i = 0; i < request.size(); i += 10) {
    ASSERT_EQ(Hear(pair_.server.get(), std::min<std::size_t>(10, request.size() - i)),
              request.substr(i, 10));
  }
  for (const char c : Ok("hello")) {
    ASSERT_TRUE(Say(pair_.server.get(), {&c, 1}));
  }
  AwaitReadable(pair_.client.get(), Ok("hello").size());
  ASSERT_EQ(Hear(pair_.client.get(), Ok("hello").size()), Ok("hello"));
  live_->ExpectBoth(listener_.port, {"POST /a 200 3000+5 complete"});
}

TEST_F(HttpCallsTest, PeekDoesNotDouble) {
  std::vector<char> buffer(4096);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Say(pair_.client.get(), Post("/a", "body")));
    for (int peeks = 0; peeks < 3; ++peeks) {
      AwaitReadable(pair_.server.get(), Post("/a", "body").size());
      ASSERT_EQ(recv(pair_.server.get(), buffer.data(), buffer.size(), MSG_PEEK),
                static_cast<ssize_t>(Post("/a", "body").size()));
    }
    ASSERT_EQ(Hear(pair_.server.get(), Post("/a", "body").size()), Post("/a", "body"));
    ASSERT_TRUE(Say(pair_.server.get(), Ok("hello")));
    ASSERT_EQ(recv(pair_.client.get(), buffer.data(), 10, MSG_PEEK), 10);
    ASSERT_EQ(Hear(pair_.client.get(), Ok("hello").size()), Ok("hello"));
  }
  live_->ExpectBoth(listener_.port, {"POST /a 200 4+5 complete", "POST /a 200 4+5 complete"});
}

TEST_F(HttpCallsTest, OverIpv6) {
  const Listener listener = Listen("::1");
  const Pair pair = ConnectEager(listener, "::1");
  ASSERT_TRUE(Ask(pair, Get("/a"), Ok("hello")));
  live_->ExpectBoth(listener.port, {"GET /a 200 0+5 complete"});
  EXPECT_EQ(EndsOf(live_->AwaitClient(listener.port)->connection), EndsOf(pair.client.get()));
  EXPECT_EQ(EndsOf(live_->AwaitServer(listener.port)->connection), EndsOf(pair.server.get()));
}

// Where a mechanism cannot read what such a call moves, it says so, and goes on with the next.
TEST_F(HttpCallsTest, ManyMessagesByOneCall_AreReadOrCounted) {
  ASSERT_TRUE(Ask(pair_, Get("/before"), Ok("")));
  std::string text = Get("/a");
  std::vector<iovec> piece = {{text.data(), text.size()}};
  mmsghdr message{.msg_hdr = Message(&piece), .msg_len = 0};
  ASSERT_EQ(sendmmsg(pair_.client.get(), &message, 1, 0), 1);
  ASSERT_EQ(Hear(pair_.server.get(), text.size()), text);
  ASSERT_TRUE(Say(pair_.server.get(), Ok("hello")));
  ASSERT_EQ(Hear(pair_.client.get(), Ok("hello").size()), Ok("hello"));
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("")));
  live_->ExpectServer(listener_.port, {"GET /before 200 0+0 complete", "GET /a 200 0+5 complete",
                                       "GET /b 200 0+0 complete"});
  Lines client;
  for (const HttpExchange* const e : live_->All({.local = {}, .remote = listener_.port})) {
    client.push_back(Brief(*e));
  }
  ASSERT_FALSE(client.empty());
  EXPECT_EQ(client.back(), "GET /b 200 0+0 complete");
  const bool read = std::count(client.begin(), client.end(), "GET /a 200 0+5 complete") == 1;
  const auto unread = LostOf(live_->stats(), LossReason::kUnread);
  EXPECT_EQ(read, unread == 0) << unread;
}

// Accepted here, read there.
TEST_F(HttpCallsTest, TheOwnerIsTheProcessThatMovesTheBytes) {
  Child child = Fork([&] {
    Hear(pair_.server.get(), Get("/a").size());
    return Say(pair_.server.get(), Ok("hello")) ? 0 : 1;
  });
  ASSERT_TRUE(Say(pair_.client.get(), Get("/a")));
  ASSERT_EQ(Hear(pair_.client.get(), Ok("hello").size()), Ok("hello"));
  ASSERT_EQ(child.Wait(), 0);
  ASSERT_TRUE(Ask(pair_, Get("/b"), Ok("")));  // and here again
  const auto self = static_cast<std::uint32_t>(getpid());
  live_->ExpectBoth(listener_.port, {"GET /a 200 0+5 complete", "GET /b 200 0+0 complete"});
  const auto servers = live_->All({.owner = {}, .local = listener_.port, .remote = {}});
  ASSERT_EQ(servers.size(), 2u);
  EXPECT_EQ(servers[0]->connection.owner->id.pid, child.pid());
  EXPECT_EQ(servers[1]->connection.owner->id.pid, self);
  EXPECT_EQ(servers[0]->connection.id, servers[1]->connection.id);
  EXPECT_EQ(live_->AwaitClient(listener_.port)->connection.owner->id.pid, self);
}

}  // namespace
}  // namespace masflow::kernel_test
