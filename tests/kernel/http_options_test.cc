// SPDX-License-Identifier: Apache-2.0
//
// What HttpOptions asks for, beside what the other streams tell, and what is lost.
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "http_live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

using HttpOptionsTest = KernelTest;

TEST_F(HttpOptionsTest, ConnectionsOfBeforeJoinAtTheNextMessage) {
  const Listener listener = Listen();
  const Pair used = ConnectPair(listener);
  const Pair amid = ConnectPair(listener);
  const Pair idle = ConnectPair(listener);
  ASSERT_TRUE(Ask(used, Get("/before"), Ok("x")));
  ASSERT_TRUE(Say(amid.client.get(), Get("/amid")));
  ASSERT_EQ(Hear(amid.server.get(), Get("/amid").size()), Get("/amid"));
  const auto live = HttpLive::Open();
  ASSERT_NE(live, nullptr);
  ASSERT_TRUE(Say(amid.server.get(), Ok("x")));
  ASSERT_EQ(Hear(amid.client.get(), Ok("x").size()), Ok("x"));
  for (const Pair* const pair : {&amid, &used, &idle}) {
    ASSERT_TRUE(Ask(*pair, Get("/a"), Ok("hello")));
    ASSERT_TRUE(Ask(*pair, Get("/b"), Ok("")));
  }
  const Lines briefs = {"GET /a 200 0+5 complete", "GET /b 200 0+0 complete"};
  Lines all;
  for (int i = 0; i < 3; ++i) {
    all.insert(all.end(), briefs.begin(), briefs.end());
  }
  live->ExpectBoth(listener.port, all);
  const std::uint16_t idle_port = LocalPort(idle.client.get());
  for (const HttpExchange& e : live->events()) {
    if (e.target == "/last") {
      EXPECT_FALSE(e.connection.pre_existing);
    } else if (e.connection.local.port != idle_port && e.connection.remote.port != idle_port) {
      EXPECT_TRUE(e.connection.pre_existing) << EndsOf(e.connection);
    }
  }
}

TEST_F(HttpOptionsTest, FilterByPort) {
  const Listener wanted = Listen();
  const Listener other = Listen();
  for (const TcpFilter& filter :
       {TcpFilter{.ports = {wanted.port}}, TcpFilter{.local_ports = {wanted.port}},
        TcpFilter{.remote_ports = {wanted.port}}}) {
    const auto live = HttpLive::Open({.filter = filter});
    ASSERT_NE(live, nullptr);
    const Pair first = ConnectPair(other);
    const Pair second = ConnectPair(wanted);
    ASSERT_TRUE(Ask(first, Get("/other"), Ok("")));
    ASSERT_TRUE(Ask(second, Get("/a"), Ok("")));
    const std::size_t ends = filter.ports.empty() ? 1 : 2;
    EXPECT_TRUE(live->Until([&] { return live->events().size() >= ends; }));
    ASSERT_TRUE(Ask(second, Get("/b"), Ok("")));  // the ring keeps the order
    EXPECT_TRUE(live->Until([&] { return live->events().size() >= 2 * ends; }));
    EXPECT_EQ(live->events().size(), 2 * ends);
    for (const HttpExchange& e : live->events()) {
      EXPECT_NE(e.target, "/other");
      EXPECT_TRUE(filter.local_ports.empty() || e.role == HttpRole::kServer);
      EXPECT_TRUE(filter.remote_ports.empty() || e.role == HttpRole::kClient);
    }
  }
}

TEST_F(HttpOptionsTest, FilterByProcess) {
  const Listener listener = Listen();
  Child child = Fork(
      [&] {
        const UniqueFd server = Accept(listener);
        for (const char* const target : {"/a", "/b"}) {
          Hear(server.get(), Get(target).size());
          Say(server.get(), Ok("hello"));
        }
        return 0;
      },
      {});
  const auto live = HttpLive::Open({.filter = {.process = {.pids = {child.pid()}}}});
  ASSERT_NE(live, nullptr);
  const UniqueFd client = Socket(kLocalhost);
  ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  for (const char* const target : {"/a", "/b"}) {
    ASSERT_TRUE(Say(client.get(), Get(target)));
    ASSERT_EQ(Hear(client.get(), Ok("hello").size()), Ok("hello"));
  }
  ASSERT_EQ(child.Wait(), 0);
  ASSERT_NE(live->AwaitServer(listener.port, 2), nullptr);
  EXPECT_EQ(live->events().size(), 2u) << "the client is another process";
  for (const HttpExchange& e : live->events()) {
    EXPECT_EQ(e.connection.owner->id.pid, child.pid());
    EXPECT_EQ(e.role, HttpRole::kServer);
  }
}

TEST_F(HttpOptionsTest, IdsAreThoseOfTheTcpStream) {
  const auto live = TcpLive::Open();
  ASSERT_NE(live, nullptr);
  absl::StatusOr<HttpStream> http = HttpStream::Open(live->session());
  ASSERT_TRUE(http.ok()) << http.status();
  const Listener listener = Listen();
  std::vector<HttpExchange> exchanges;
  http->OnExchange([&](const HttpExchangeView& e) {
    if (e.connection.local.port == listener.port || e.connection.remote.port == listener.port) {
      exchanges.push_back(Own(e));
    }
  });
  const Pair pair = ConnectPair(listener);
  ASSERT_TRUE(Ask(pair, Get("/a"), Ok("hello")));
  EXPECT_TRUE(live->Until([&] { return exchanges.size() >= 2; }));
  const auto* const connect =
      live->Await<TcpConnect>({.owner = {}, .local = {}, .remote = listener.port});
  const auto* const accept =
      live->Await<TcpAccept>({.owner = {}, .local = listener.port, .remote = {}});
  ASSERT_NE(connect, nullptr);
  ASSERT_NE(accept, nullptr);
  ASSERT_EQ(exchanges.size(), 2u);
  for (const HttpExchange& e : exchanges) {
    const Connection& tcp = e.role == HttpRole::kClient ? connect->connection : accept->connection;
    EXPECT_EQ(e.connection.id, tcp.id);
    EXPECT_EQ(EndsOf(e.connection), EndsOf(tcp));
    EXPECT_EQ(e.connection.netns, tcp.netns);
    EXPECT_EQ(e.connection.role, tcp.role);
    EXPECT_EQ(e.connection.owner->id, tcp.owner->id);
    EXPECT_FALSE(e.connection.pre_existing);
  }
}

TEST_F(HttpOptionsTest, AFullTableIsCounted) {
  constexpr std::size_t kPairs = 40;
  constexpr std::size_t kTable = 64;
  const Listener listener = Listen();
  const auto live =
      HttpLive::Open({.filter = {.ports = {listener.port}}, .max_connections = kTable});
  ASSERT_NE(live, nullptr);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < kPairs; ++i) {
    pairs.push_back(ConnectPair(listener));
    ASSERT_TRUE(Ask(pairs.back(), Get("/a"), Ok("hello")));
  }
  const auto lost = [&] { return LostOf(live->stats(), LossReason::kTableFull); };
  EXPECT_TRUE(live->Until([&] { return live->events().size() + lost() >= 2 * kPairs; }))
      << live->events().size() << " + " << lost();
  EXPECT_EQ(live->events().size(), kTable);
  EXPECT_EQ(lost(), 2 * kPairs - kTable);
  EXPECT_TRUE(live->Settle()) << Describe(live->stats());
  std::uint64_t told = 0;
  for (const Loss& loss : live->losses()) {
    told += loss.reason == LossReason::kTableFull ? loss.count : 0;
  }
  EXPECT_EQ(told, lost());
  // Where one goes there is room for another.
  pairs.erase(pairs.begin(), pairs.begin() + 10);
  const Pair pair = ConnectPair(listener);
  ASSERT_TRUE(Ask(pair, Get("/b"), Ok("hello")));
  EXPECT_TRUE(live->Until([&] { return live->events().size() >= kTable + 2; }));
  EXPECT_EQ(live->events().back().target, "/b");
}

TEST_F(HttpOptionsTest, AFullTable_DoesNotCountWhatIsFilteredOut) {
  constexpr std::size_t kTable = 64;
  const Listener listener = Listen();
  const Listener other = Listen();
  const auto live =
      HttpLive::Open({.filter = {.ports = {listener.port}}, .max_connections = kTable});
  ASSERT_NE(live, nullptr);
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < kTable; ++i) {
    pairs.push_back(ConnectPair(listener));
    ASSERT_TRUE(Ask(pairs.back(), Get("/a"), Ok("hello")));
    pairs.push_back(ConnectPair(other));
    ASSERT_TRUE(Ask(pairs.back(), Get("/b"), Ok("hello")));
  }
  const auto lost = [&] { return LostOf(live->stats(), LossReason::kTableFull); };
  EXPECT_TRUE(live->Until([&] { return live->events().size() + lost() >= 2 * kTable; }));
  ASSERT_TRUE(live->Settle()) << Describe(live->stats());
  EXPECT_EQ(live->events().size() + lost(), 2 * kTable);
  EXPECT_GT(lost(), 0u);
}

TEST_F(HttpOptionsTest, AfterASmallRingOverflowedItIsRightAgain) {
  const Listener listener = Listen();
  const auto live = HttpLive::Open({.filter = {.ports = {listener.port}}, .ring_bytes = 4096});
  ASSERT_NE(live, nullptr);
  const Pair kept = ConnectPair(listener);
  const Pair odd = ConnectPair(listener);
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(Ask(kept, Get("/flood"), Ok("hello")));
    const Pair brief = ConnectPair(listener);
    ASSERT_TRUE(Ask(brief, Get("/flood"), Ok("hello")));
  }
  ASSERT_TRUE(Say(odd.client.get(), Get("/flood").substr(0, 10)));  // lost in a head
  ASSERT_TRUE(live->Settle()) << Describe(live->stats());
  EXPECT_GT(LostOf(live->stats(), LossReason::kRingFull), 0u);
  EXPECT_EQ(live->stats().malformed, 0u);
  ASSERT_FALSE(live->losses().empty());
  for (const HttpExchange& e : live->events()) {
    EXPECT_TRUE(e.outcome == HttpOutcome::kLost ||
                (e.target == "/flood" && Brief(e) == "GET /flood 200 0+5 complete"))
        << Brief(e);
  }
  const Pair fresh = ConnectPair(listener);
  for (const Pair* const pair : {&kept, &fresh}) {
    for (int i = 0; i < 20; ++i) {
      const std::string target = "/" + std::to_string(i);
      const std::size_t before = live->events().size();
      ASSERT_TRUE(Ask(*pair, Post(target, "abc"), Ok("hello")));
      const auto found = [&] {
        return std::count_if(live->events().begin() + static_cast<std::ptrdiff_t>(before),
                             live->events().end(),
                             [&](const HttpExchange& e) { return e.target == target; });
      };
      EXPECT_TRUE(live->Until([&] { return found() >= 2; })) << found();
      for (std::size_t at = before; at < live->events().size(); ++at) {
        const HttpExchange& e = live->events()[at];
        EXPECT_TRUE(e.outcome == HttpOutcome::kLost ||
                    Brief(e) == "POST " + target + " 200 3+5 complete")
            << Brief(e);
      }
    }
  }
  EXPECT_TRUE(live->Settle()) << Describe(live->stats());
}

TEST_F(HttpOptionsTest, WhatIsAskedForOfHeadersAndQuery) {
  const std::string request =
      "GET /p?user=u&token=t HTTP/1.1\r\nHOST: h\r\nX-One: 1\r\nCookie: c\r\nx-one:  2 \r\n\r\n";
  const std::string response = "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 0\r\n\r\n";
  const auto one = [&](const HttpOptions& options) {
    const auto live = HttpLive::Open(options);
    const Listener listener = Listen();
    const Pair pair = ConnectPair(listener);
    EXPECT_TRUE(Ask(pair, request, response));
    const HttpExchange* const e = live == nullptr ? nullptr : live->AwaitServer(listener.port);
    return e == nullptr ? HttpExchange() : *e;
  };
  const HttpExchange plain = one({});
  EXPECT_EQ(plain.target, "/p?user=u&token=t");
  EXPECT_EQ(plain.request_headers, "");
  EXPECT_EQ(plain.response_headers, "");
  EXPECT_EQ(one({.query = HttpQuery::kKeysOnly}).target, "/p?user&token");
  EXPECT_EQ(one({.query = HttpQuery::kDrop}).target, "/p");
  const HttpExchange chosen = one({.request_headers = {"X-ONE"}, .response_headers = {"server"}});
  EXPECT_EQ(chosen.request_headers, std::string("X-One\0001\0x-one\0002\0", 16));
  EXPECT_EQ(chosen.response_headers, std::string("Server\0s\0", 9));
  EXPECT_EQ(chosen.host, "h");
}

TEST_F(HttpOptionsTest, HeadersWithSecretsAreRefused) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  for (const char* const name :
       {"Authorization", "COOKIE", "set-cookie", "Proxy-Authorization", "no token", ""}) {
    EXPECT_EQ(HttpStream::Open(*session, {.request_headers = {name}}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
    EXPECT_EQ(HttpStream::Open(*session, {.response_headers = {name}}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_TRUE(HttpStream::Open(*session, {.request_headers = {"X-Cookie"}}).ok());
}

TEST_F(HttpOptionsTest, ARecordingHoldsTheExchangesButNoSecrets) {
  const TempDir dir;
  const std::string canary = "S3CR3T-canary";
  const std::string request = "POST /a HTTP/1.1\r\nAuthorization: Bearer " + canary +
                              "\r\nCookie: a=" + canary + "\r\nContent-Length: 2\r\n\r\nhi";
  const std::string response =
      "HTTP/1.1 200 OK\r\nSet-Cookie: " + canary + "\r\nContent-Length: 2\r\n\r\nhi";
  std::deque<HttpExchange> recorded;
  {
    const auto live = HttpLive::Open({.filter = {.process = {.pids = {Self()}}}},
                                     {.record_to = dir / "trace.mfr"});
    ASSERT_NE(live, nullptr);
    const Listener listener = Listen();
    const Pair pair = ConnectEager(listener);
    for (std::size_t cut = 1; cut < request.size(); ++cut) {
      for (const std::string_view part :
           {std::string_view(request).substr(0, cut), std::string_view(request).substr(cut)}) {
        ASSERT_TRUE(Say(pair.client.get(), part));
        ASSERT_EQ(Hear(pair.server.get(), part.size()), part);
      }
      ASSERT_TRUE(Say(pair.server.get(), response));
      ASSERT_EQ(Hear(pair.client.get(), response.size()), response);
    }
    ASSERT_NE(live->AwaitClient(listener.port, request.size() - 1), nullptr);
    ASSERT_NE(live->AwaitServer(listener.port, request.size() - 1), nullptr);
    recorded = live->events();
  }
  EXPECT_EQ(ReadFile(dir / "trace.mfr").find(canary), std::string::npos);
  EXPECT_EQ(ReadFile(dir / "trace.mfr").find(canary.substr(3, 6)), std::string::npos);
  absl::StatusOr<Session> replay = Session::Create({.source = Replay{dir / "trace.mfr"}});
  ASSERT_TRUE(replay.ok()) << replay.status();
  absl::StatusOr<HttpStream> http = HttpStream::Open(*replay);
  ASSERT_TRUE(http.ok()) << http.status();
  std::deque<HttpExchange> replayed;
  http->OnExchange([&](const HttpExchangeView& e) { replayed.push_back(Own(e)); });
  while (!replay->Drain(256).ended) {
  }
  EXPECT_EQ(replayed, recorded);
}

}  // namespace
}  // namespace masflow::kernel_test
