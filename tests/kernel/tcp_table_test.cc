// SPDX-License-Identifier: Apache-2.0
//
// More connections than the table holds, and more records than the ring: all that is not
// told is counted.
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

constexpr std::size_t kRoom = 64;
constexpr std::size_t kPairs = 200;
constexpr std::size_t kEnds = 2 * kPairs;

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

std::uint64_t LostOf(const TcpLive& live, LossReason reason) {
  return live.stats().lost[static_cast<std::size_t>(reason)];
}

// As OnLoss() was told.
std::uint64_t ReportedOf(const TcpLive& live, LossReason reason) {
  std::uint64_t sum = 0;
  for (const Loss& loss : live.losses()) {
    EXPECT_EQ(loss.stream, StreamKind::kTcp);
    EXPECT_EQ(loss.reason, reason);
    EXPECT_LE(loss.since, loss.until);
    sum += loss.count;
  }
  return sum;
}

std::vector<Pair> OpenPairs(const Listener& listener, std::size_t count) {
  std::vector<Pair> pairs(count);
  for (Pair& pair : pairs) {
    pair = ConnectPair(listener);
  }
  return pairs;
}

class TcpTableTest : public KernelTest {
 protected:
  // Sees this process only: nothing else takes room.
  void Open(TcpOptions options) {
    options.filter.process.pids = {Self()};
    live_ = TcpLive::Open(options);
    ASSERT_NE(live_, nullptr);
  }

  template <class Event>
  std::size_t Count() const {
    return live_->All<Event>().size();
  }

  // Those that have an entry live on as ever, and once they are gone there is room again.
  void ExpectTheTrackedRight(std::vector<Pair>& pairs) {
    std::set<Ends> tracked;
    for (const auto& [id, life] : live_->Lives()) {
      ASSERT_EQ(life.starts.size(), 1u);
      tracked.insert(EndsOf(ConnectionOf(*life.starts[0])));
    }
    EXPECT_EQ(tracked.size(), kRoom);
    for (Pair& pair : pairs) {
      ASSERT_TRUE(WriteAll(pair.client.get(), 10));
      ASSERT_EQ(ReadAll(pair.server.get(), 10), 10u);
      pair = {};
    }
    EXPECT_TRUE(live_->Until([&] { return Count<TcpClose>() >= kRoom; }));
    ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
    EXPECT_EQ(Count<TcpClose>(), kRoom);
    for (const TcpClose* close : live_->All<TcpClose>()) {
      EXPECT_EQ(tracked.erase(EndsOf(close->connection)), 1u);
      const bool client = close->connection.role == TcpRole::kClient;
      EXPECT_EQ(close->tx_bytes, client ? 10u : 0u);
      EXPECT_EQ(close->rx_bytes, client ? 0u : 10u);
    }
    EXPECT_EQ(LostOf(*live_, LossReason::kTableFull), kEnds - kRoom);
    EXPECT_EQ(ReportedOf(*live_, LossReason::kTableFull), kEnds - kRoom);

    const Listener listener = Listen();
    const std::vector<Pair> more = OpenPairs(listener, kRoom / 2);
    EXPECT_NE(live_->Await<TcpAccept>({.owner = Self(), .local = listener.port}, kRoom / 2),
              nullptr);
    EXPECT_EQ(
        live_->All<TcpConnect>({.owner = Self(), .local = {}, .remote = listener.port}).size(),
        kRoom / 2);
    EXPECT_EQ(LostOf(*live_, LossReason::kTableFull), kEnds - kRoom);
    EXPECT_TRUE(live_->Settle()) << Describe(live_->stats());
  }

  std::unique_ptr<TcpLive> live_;
};

TEST_F(TcpTableTest, FullOfNewConnections) {
  Open({.max_connections = kRoom});
  const Listener listener = Listen();
  std::vector<Pair> pairs = OpenPairs(listener, kPairs);
  EXPECT_TRUE(live_->Until([&] { return Count<TcpConnect>() + Count<TcpAccept>() >= kRoom; }));
  ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
  EXPECT_EQ(Count<TcpConnect>() + Count<TcpAccept>(), kRoom);
  EXPECT_EQ(live_->stats().produced, kEnds);
  ExpectTheTrackedRight(pairs);
}

TEST_F(TcpTableTest, FullOfWhatWasOpenBefore) {
  const Listener listener = Listen();
  std::vector<Pair> pairs = OpenPairs(listener, kPairs);
  Open({.max_connections = kRoom});
  EXPECT_TRUE(live_->Until([&] { return Count<TcpOpen>() >= kRoom; }));
  ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
  EXPECT_EQ(Count<TcpOpen>(), kRoom);
  EXPECT_EQ(live_->stats().produced, kEnds);
  ExpectTheTrackedRight(pairs);
}

// Where no process is filtered, connections have an entry before they are accepted.
TEST_F(TcpTableTest, FullOfQueuedConnections) {
  const Listener listener = Listen();
  TcpOptions options{.pre_existing = false, .max_connections = kRoom};
  options.filter.remote_ports = {listener.port};
  std::vector<UniqueFd> clients(kPairs);
  for (UniqueFd& client : clients) {
    client = Socket(kLocalhost);
    ASSERT_EQ(Bind(client.get(), kLocalhost), 0);
    options.filter.remote_ports.push_back(LocalPort(client.get()));
  }
  live_ = TcpLive::Open(options);
  ASSERT_NE(live_, nullptr);
  for (const UniqueFd& client : clients) {
    ASSERT_EQ(Connect(client.get(), kLocalhost, listener.port), 0);
  }
  std::vector<UniqueFd> servers;
  while (servers.size() < kPairs) {
    servers.push_back(Accept(listener));
  }
  clients.clear();
  servers.clear();
  EXPECT_TRUE(live_->Until([&] { return Count<TcpClose>() == kRoom; }));
  ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
  EXPECT_EQ(Count<TcpConnect>(), kRoom / 2);
  EXPECT_EQ(Count<TcpAccept>(), kRoom / 2);
  EXPECT_EQ(Count<TcpClose>(), kRoom);
  EXPECT_EQ(LostOf(*live_, LossReason::kTableFull), kEnds - kRoom);
}

// ---- the ring ----

TEST_F(TcpTableTest, AReaderThatStalls) {
  Open({.ring_bytes = static_cast<std::size_t>(getpagesize())});
  const Listener listener = Listen();
  OpenPairs(listener, kPairs);  // and closes them
  EXPECT_EQ(live_->stats().produced, 2 * kEnds);
  ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
  const std::uint64_t lost = LostOf(*live_, LossReason::kRingFull);
  EXPECT_GT(lost, 0u);
  EXPECT_EQ(live_->stats().delivered + lost, 2 * kEnds);
  EXPECT_EQ(live_->stats().delivered, live_->events().size());
  EXPECT_EQ(ReportedOf(*live_, LossReason::kRingFull), lost);
  live_->CatchUp();
  EXPECT_EQ(LostOf(*live_, LossReason::kRingFull), lost);
}

// However much data there is, what begins and ends is told.
TEST_F(TcpTableTest, CallsLeaveRoomForLives) {
  Open({.data = TcpDataMode::kCall, .pre_existing = false, .ring_bytes = std::size_t{1} << 16});
  const Listener listener = Listen();
  const Pair flood = ConnectPair(listener);
  std::uint64_t calls = 0;
  for (; LostOf(*live_, LossReason::kRingFull) < 100; calls += 2) {
    ASSERT_TRUE(WriteAll(flood.client.get(), 1));
    ASSERT_EQ(ReadAll(flood.server.get(), 1), 1u);
  }
  OpenPairs(listener, 5);
  ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
  EXPECT_EQ(Count<TcpConnect>(), 6u);
  EXPECT_EQ(Count<TcpAccept>(), 6u);
  EXPECT_EQ(Count<TcpClose>(), 10u);
  EXPECT_EQ(Count<TcpData>() + LostOf(*live_, LossReason::kRingFull), calls);
}

}  // namespace
}  // namespace masflow::kernel_test
