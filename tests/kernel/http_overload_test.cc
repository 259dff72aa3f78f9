// SPDX-License-Identifier: Apache-2.0
//
// More HTTP than the ring holds while nobody reads: every record is taken in or counted, no
// response is given to another request, and from then on all is exact again.
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bpf_objects.h"
#include "http_live.h"
#include "live.h"
#include "overload.h"
#include "sockets.h"
#include "spawn.h"

namespace masflow::kernel_test {
namespace {

constexpr std::size_t kConnections = 8;

// The answer tells by a header to which request it belongs; its body fills the ring.
bool AskNumbered(const Pair& pair, std::size_t number, std::size_t body) {
  return Ask(pair, Get("/" + std::to_string(number)),
             "HTTP/1.1 200 OK\r\nX-Number: " + std::to_string(number) + "\r\nContent-Length: " +
                 std::to_string(body) + "\r\n\r\n" + std::string(body, 'x'));
}

class HttpOverloadTest : public KernelTest, public testing::WithParamInterface<std::size_t> {
 protected:
  void Open(std::uint32_t max_connections = HttpOptions().max_connections) {
    HttpOptions options;
    options.filter.process.pids = {Self()};
    options.response_headers = {"x-number"};
    options.ring_bytes = GetParam();
    options.max_connections = max_connections;
    live_ = HttpLive::Open(options);
    ASSERT_NE(live_, nullptr);
  }

  std::vector<Pair> Connect(std::size_t count) const {
    std::vector<Pair> pairs(count);
    for (Pair& pair : pairs) {
      pair = ConnectEager(listener_);
    }
    return pairs;
  }

  // An exchange of both ends fits into any ring.
  std::size_t body() const { return GetParam() == OnePage() ? 100 : 1500; }
  bool AskNext(const Pair& pair) { return AskNumbered(pair, asked_++, body()); }

  // Asks on and on, until so many records are lost. Nobody reads.
  void Storm(const std::vector<Pair>& pairs, std::uint64_t lost) {
    while (LostFull(live_->stats()) < lost) {
      for (const Pair& pair : pairs) {
        ASSERT_TRUE(AskNext(pair));
      }
    }
  }

  void Drain() {
    live_->FallAsleep();  // there is room again
    live_->CatchUp();
    ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
    live_->FallAsleep();  // and tells the losses
    const StreamStats stats = live_->stats();
    EXPECT_EQ(stats.delivered, live_->events().size());
    EXPECT_EQ(stats.malformed, 0u);
    EXPECT_EQ(Reported(live_->losses(), StreamKind::kHttp), stats.lost_total());
  }

  // Each exchange was made, at most once at each end, and has its own response or none.
  void ExpectPairedRight() const {
    std::set<std::pair<HttpRole, std::string>> seen;
    for (const HttpExchange& e : live_->events()) {
      EXPECT_TRUE(e.target == "/last" || seen.insert({e.role, e.target}).second) << e.target;
      for (const HttpHeader& header : HttpHeaders(e.response_headers)) {
        EXPECT_EQ("/" + std::string(header.value), e.target);
      }
      EXPECT_TRUE(e.outcome == HttpOutcome::kComplete || e.outcome == HttpOutcome::kLost)
          << Brief(e);
    }
  }

  // The next ones on these are told one to one.
  void ExpectExact(const std::vector<Pair>& pairs) {
    const StreamStats before = live_->stats();
    std::map<std::string, std::size_t> due;
    for (std::size_t round = 0; round < 3; ++round) {
      for (const Pair& pair : pairs) {
        due["/" + std::to_string(asked_)] = 2;
        ASSERT_TRUE(AskNext(pair));
        ASSERT_NO_FATAL_FAILURE(Drain());  // so that a ring of one page holds it
      }
    }
    for (const HttpExchange& e : live_->events()) {
      const auto found = due.find(e.target);
      if (found != due.end()) {
        --found->second;
        EXPECT_EQ(Brief(e), "GET " + e.target + " 200 0+" + std::to_string(body()) + " complete");
      }
    }
    for (const auto& [target, missing] : due) {
      EXPECT_EQ(missing, 0u) << target;
    }
    EXPECT_EQ(live_->stats().lost, before.lost);
    ExpectPairedRight();
  }

  // The table has the sockets of other processes, too.
  static bool IsOwn(const std::vector<std::byte>& entry) {
    constexpr std::size_t kPid = 12;  // in mf_http_conn
    std::uint32_t pid = 0;
    std::memcpy(&pid, entry.data() + kPid, sizeof(pid));
    return pid == Self();
  }

  void ExpectNothingLeft() {
    EXPECT_TRUE(live_->Until([&] {
      return MapEntries(Self(), "http_conns", IsOwn) == 0 && MapEntries(Self(), "http_ends") == 0;
    }));
  }

  const Listener listener_ = Listen();
  std::unique_ptr<HttpLive> live_;
  std::size_t asked_ = 0;
};

TEST_P(HttpOverloadTest, IsCountedAndOver) {
  Open();
  std::vector<Pair> pairs = Connect(kConnections);
  ASSERT_NO_FATAL_FAILURE(Storm(pairs, 100));
  ASSERT_NO_FATAL_FAILURE(Drain());
  ExpectPairedRight();
  ASSERT_NO_FATAL_FAILURE(ExpectExact(pairs));
  EXPECT_GE(MapEntries(Self(), "http_conns", IsOwn), 2 * kConnections);
  pairs.clear();
  ASSERT_NO_FATAL_FAILURE(Drain());
  ASSERT_NO_FATAL_FAILURE(ExpectExact(Connect(kConnections)));
  ExpectNothingLeft();
}

TEST_P(HttpOverloadTest, WithTheTableFull) {
  constexpr std::size_t kRoom = 64;
  constexpr std::size_t kPairs = 50;
  Open(kRoom);
  std::vector<Pair> pairs = Connect(kPairs);
  for (const Pair& pair : pairs) {
    ASSERT_TRUE(AskNext(pair));
  }
  EXPECT_EQ(LostOf(live_->stats(), LossReason::kTableFull), 2 * kPairs - kRoom);
  ASSERT_NO_FATAL_FAILURE(Storm(pairs, LostFull(live_->stats()) + 100));
  pairs.resize(kRoom / 2 - 2);  // what Drain() asks needs room, too
  ASSERT_NO_FATAL_FAILURE(Drain());
  ASSERT_NO_FATAL_FAILURE(ExpectExact(pairs));
  pairs.clear();
  ASSERT_NO_FATAL_FAILURE(Drain());
  ASSERT_NO_FATAL_FAILURE(ExpectExact(Connect(kConnections)));
  ExpectNothingLeft();
}

// Of a connection that ends while there is no room at all the end is told later.
TEST_P(HttpOverloadTest, NoConnectionStaysForItsEndDidNotFitIn) {
  Open();
  std::vector<Pair> pairs = Connect(kConnections);
  for (const Pair& pair : pairs) {
    const std::string request = Get("/" + std::to_string(asked_++));
    ASSERT_TRUE(Say(pair.client.get(), request));
    ASSERT_EQ(Hear(pair.server.get(), request.size()), request);
    ASSERT_NO_FATAL_FAILURE(Drain());
  }
  ASSERT_EQ(live_->stats().lost_total(), 0u);
  ASSERT_NO_FATAL_FAILURE(Storm(Connect(1), LostFull(live_->stats()) + 10));
  // The last quarter is for ends; with whom a connection belongs to it fills in no time.
  for (std::uint64_t full = LostFull(live_->stats()); LostFull(live_->stats()) < full + 500;) {
    ASSERT_TRUE(AskNext(Connect(1)[0]));
  }
  pairs.clear();
  ASSERT_NO_FATAL_FAILURE(Drain());
  std::size_t told = 0;
  for (const HttpExchange& e : live_->events()) {
    if (std::stoul("0" + e.target.substr(1)) < kConnections && e.target != "/last") {
      ++told;
      EXPECT_EQ(e.outcome, HttpOutcome::kClosed) << Brief(e);
    }
  }
  EXPECT_EQ(told, 2 * kConnections);
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(Ring, HttpOverloadTest,
                         testing::Values(OnePage(), HttpOptions().ring_bytes), RingName);

// A flood of one stream takes no room from the others.
TEST(HttpFloodTest, LosesNoProcessAndNoConnection) {
  ASSERT_EQ(geteuid(), 0u);
  ProcessFilter tree;
  tree.trees = {Self()};
  TcpFilter by_tree;
  by_tree.process = tree;
  absl::StatusOr<Session> session = CreateSession({});
  ASSERT_TRUE(session.ok()) << session.status();
  auto processes = ProcessStream::Open(*session, {.filter = tree});
  auto connections = TcpStream::Open(*session, {.filter = by_tree, .pre_existing = false});
  auto exchanges = HttpStream::Open(*session, {.filter = by_tree, .ring_bytes = OnePage()});
  ASSERT_TRUE(processes.ok() && connections.ok() && exchanges.ok());
  std::map<std::string, std::size_t> seen;
  processes->OnExec([&](const ProcessExecView&) { ++seen["exec"]; });
  processes->OnExit([&](const ProcessExitView&) { ++seen["exit"]; });
  connections->OnConnect([&](const TcpConnectView&) { ++seen["connect"]; });
  connections->OnAccept([&](const TcpAcceptView&) { ++seen["accept"]; });
  connections->OnClose([&](const TcpCloseView&) { ++seen["close"]; });

  const Listener listener = Listen();
  const auto stats = [&] { return session->stats(); };
  std::size_t rounds = 0;
  for (; LostFull(stats()[StreamKind::kHttp]) < 2'000; ++rounds) {
    EXPECT_EQ(Spawn({"/bin/true"}).Wait(), 0);
    const Pair pair = ConnectEager(listener);
    for (std::size_t i = 0; i < 20; ++i) {
      ASSERT_TRUE(AskNumbered(pair, i, 1500));
    }
  }
  const auto all = [&] {
    return seen["exit"] == rounds && seen["close"] == 2 * rounds &&
           AddsUp(stats()[StreamKind::kHttp]) && AddsUp(stats()[StreamKind::kTcp]);
  };
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!all() && std::chrono::steady_clock::now() < end) {
    session->Drain(1024);
  }
  EXPECT_EQ(stats()[StreamKind::kProcess].lost_total(), 0u);
  EXPECT_EQ(stats()[StreamKind::kTcp].lost_total(), 0u);
  const std::map<std::string, std::size_t> due{{"exec", rounds},
                                               {"exit", rounds},
                                               {"connect", rounds},
                                               {"accept", rounds},
                                               {"close", 2 * rounds}};
  EXPECT_EQ(seen, due);
  EXPECT_TRUE(AddsUp(stats()[StreamKind::kHttp])) << Describe(stats()[StreamKind::kHttp]);
}

}  // namespace
}  // namespace masflow::kernel_test
