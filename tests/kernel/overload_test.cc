// SPDX-License-Identifier: Apache-2.0
//
// More processes and connections than the ring holds while nobody reads: every record is
// delivered or counted, and from then on all is exact again.
#include "overload.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bpf_objects.h"
#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

// ---- processes ----

class ExecOverloadTest : public KernelTest, public testing::WithParamInterface<std::size_t> {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    ProcessOptions options;
    options.filter.trees = {Self()};
    options.ring_bytes = GetParam();
    live_ = Live::Open({.process = options});
    ASSERT_NE(live_, nullptr);
  }

  // Runs processes, one after the other, until so many records are lost. Nobody reads.
  void Storm(std::uint64_t lost) {
    const std::string much(3000, 'x');  // so that few fill a ring
    while (LostFull(live_->stats()) < lost) {
      EXPECT_EQ(Spawn({"/bin/true", much}).Wait(), 0);
      ++made_;
    }
  }

  // Known ones, each delivered as it was.
  void ExpectExact() {
    const std::uint64_t lost = LostFull(live_->stats());
    for (int code = 0; code < 16; ++code) {
      Child child = Spawn(ChildArgv({"exit", std::to_string(code)}));
      EXPECT_EQ(WEXITSTATUS(child.Wait()), code);
      ++made_;
      const auto* const exit = live_->Await<ProcessExit>(child.pid());
      ASSERT_NE(exit, nullptr);
      EXPECT_EQ(exit->exit_code, code);
      EXPECT_EQ(exit->process.parent.pid, Self());
      const auto execs = live_->Of<ProcessExec>(child.pid());
      ASSERT_FALSE(execs.empty());
      EXPECT_EQ(execs.back()->process.id, exit->process.id);
      EXPECT_EQ(execs.back()->args, Joined(ChildArgv({"exit", std::to_string(code)})));
    }
    EXPECT_EQ(LostFull(live_->stats()), lost);
  }

  // An exec and an exit of each, delivered once or lost.
  void ExpectAllAccountedFor() const {
    const StreamStats stats = live_->stats();
    EXPECT_EQ(stats.produced, 2 * made_) << Describe(stats);
    EXPECT_EQ(stats.delivered, live_->events().size());
    EXPECT_EQ(stats.delivered + LostFull(stats), stats.produced) << Describe(stats);
    EXPECT_EQ(Reported(live_->losses(), StreamKind::kProcess), LostFull(stats));
    std::map<ProcessId, std::set<std::size_t>> kinds;
    for (const ProcessEvent& event : live_->events()) {
      const ProcessId id = std::visit([](const auto& e) { return e.process.id; }, event);
      EXPECT_TRUE(kinds[id].insert(event.index()).second) << "pid " << id.pid << ": told twice";
    }
  }

  std::unique_ptr<Live> live_;
  std::uint64_t made_ = 0;
};

TEST_P(ExecOverloadTest, IsCountedAndOver) {
  for (int round = 0; round < 2; ++round) {
    Storm(LostFull(live_->stats()) + 50);
    ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
    live_->FallAsleep();  // and tells the losses
    ExpectAllAccountedFor();
    ExpectExact();
    ExpectAllAccountedFor();
  }
  EXPECT_EQ(MapEntries(Self(), "filter_trees"), 1u);  // of this process
}

INSTANTIATE_TEST_SUITE_P(Ring, ExecOverloadTest,
                         testing::Values(OnePage(), ProcessOptions().ring_bytes), RingName);

// ---- connections ----

// What is lost of a life leaves the rest of it as it is.
class ConnectOverloadTest : public KernelTest, public testing::WithParamInterface<std::size_t> {
 protected:
  static constexpr std::size_t kSent = 10;   // by the client
  static constexpr std::size_t kAnswer = 3;  // by the server

  void Open(TcpOptions options) {
    options.filter.process.pids = {Self()};
    options.pre_existing = false;
    options.data_interval = std::chrono::milliseconds(100);
    live_ = TcpLive::Open(options);
    ASSERT_NE(live_, nullptr);
  }

  // Of a connection; each end has one event of data, unless a pass comes between.
  static void Talk(const Pair& pair) {
    EXPECT_TRUE(WriteAll(pair.client.get(), kSent));
    EXPECT_EQ(ReadAll(pair.server.get(), kSent), kSent);
    EXPECT_TRUE(WriteAll(pair.server.get(), kAnswer));
    EXPECT_EQ(ReadAll(pair.client.get(), kAnswer), kAnswer);
  }

  // Connections, one after the other, until so many records are lost. Nobody reads. How many.
  std::uint64_t Storm(const Listener& listener, std::uint64_t lost) {
    std::uint64_t made = 0;
    for (; LostFull(live_->stats()) < lost; ++made) {
      Talk(ConnectPair(listener));
    }
    return made;
  }

  // Reads all, and waits for the ends that the kernel did not tell of.
  void Drain(std::size_t open) {
    live_->FallAsleep();
    ASSERT_TRUE(live_->Until([&] { return MapEntries(Self(), "connections") == open; }));
    ASSERT_TRUE(live_->Settle()) << Describe(live_->stats());
    live_->CatchUp();
    EXPECT_EQ(live_->stats().delivered, live_->events().size());
  }

  // Known ones, each of both ends told from its begin to its end.
  void ExpectExact() {
    const StreamStats before = live_->stats();
    const std::size_t open = MapEntries(Self(), "connections");
    const Listener listener = Listen();
    constexpr std::size_t kPairs = 16;
    for (std::size_t i = 0; i < kPairs; ++i) {
      Talk(ConnectPair(listener));
      live_->FallAsleep();  // a ring of a page holds no more
    }
    Drain(open);
    std::size_t ends = 0;
    for (const auto& [id, life] : live_->Lives()) {
      if (life.closes.empty() || !IsAt(life.closes[0]->connection, listener.port)) {
        continue;
      }
      ++ends;
      EXPECT_EQ(life.starts.size(), 1u);
      EXPECT_EQ(life.closes.size(), 1u);
      ExpectBytes(life, 1);
    }
    EXPECT_EQ(ends, 2 * kPairs);
    EXPECT_EQ(live_->stats().lost, before.lost);
  }

  // So many talks, as the events of data and as the close has them.
  static void ExpectBytes(const Life& life, std::size_t talks) {
    const TcpClose& close = *life.closes.at(0);
    if (close.reason == CloseReason::kUnseen) {
      return;  // nothing is known of it, see docs/design/0006
    }
    const bool client = close.connection.role == TcpRole::kClient;
    EXPECT_EQ(close.tx_bytes, talks * (client ? kSent : kAnswer));
    EXPECT_EQ(close.rx_bytes, talks * (client ? kAnswer : kSent));
    EXPECT_EQ(life.tx_bytes, close.tx_bytes);
    EXPECT_EQ(life.rx_bytes, close.rx_bytes);
  }

  static bool IsAt(const Connection& connection, std::uint16_t port) {
    return connection.local.port == port || connection.remote.port == port;
  }

  std::vector<Life> LivesAt(std::uint16_t port) const {
    std::vector<Life> found;
    for (const auto& [id, life] : live_->Lives()) {
      if (!life.closes.empty() && IsAt(life.closes[0]->connection, port)) {
        found.push_back(life);
      }
    }
    return found;
  }

  std::unique_ptr<TcpLive> live_;
};

TEST_P(ConnectOverloadTest, IsCountedAndOver) {
  Open({.ring_bytes = GetParam()});
  const Listener listener = Listen();
  const Listener early = Listen();
  const Listener late = Listen();
  Pair before = ConnectPair(early);
  ASSERT_NE(live_->Await<TcpAccept>({.owner = {}, .local = early.port, .remote = {}}), nullptr);
  const std::uint64_t made = Storm(listener, 100);
  Pair amid = ConnectPair(late);  // of which nobody hears as it begins
  Talk(before);
  // Two begin and two end; of a life that was seen to its end there are two events of data.
  const std::uint64_t of_storm = 6 * made;
  EXPECT_LE(live_->stats().produced, of_storm + 2 + 2);
  EXPECT_GE(live_->stats().produced, of_storm + 2 + 2 - made / 100);  // ends not told by the kernel
  Drain(/*open=*/4);
  EXPECT_GE(LostFull(live_->stats()), 100u);
  EXPECT_EQ(Reported(live_->losses(), StreamKind::kTcp), LostFull(live_->stats()));
  for (const auto& [id, life] : live_->Lives()) {
    EXPECT_LE(life.starts.size(), 1u);
    EXPECT_LE(life.closes.size(), 1u);
  }

  Talk(before);
  Talk(amid);
  before = {};
  amid = {};
  ExpectExact();
  ASSERT_EQ(LivesAt(early.port).size(), 2u);
  for (const Life& life : LivesAt(early.port)) {
    EXPECT_EQ(life.starts.size(), 1u);
    ExpectBytes(life, 2);
  }
  ASSERT_EQ(LivesAt(late.port).size(), 2u);
  for (const Life& life : LivesAt(late.port)) {
    EXPECT_EQ(life.starts.size(), 0u);
    ExpectBytes(life, 1);
  }
  EXPECT_EQ(MapEntries(Self(), "connections"), 0u);
}

// The table too: what did not get an entry tells nothing.
TEST_P(ConnectOverloadTest, WithTheTableFull) {
  constexpr std::size_t kRoom = 64;
  constexpr std::size_t kPairs = 150;
  Open({.max_connections = kRoom, .ring_bytes = GetParam()});
  const Listener listener = Listen();
  {
    std::vector<Pair> pairs(kPairs);
    for (Pair& pair : pairs) {
      pair = ConnectPair(listener);
    }
    EXPECT_EQ(live_->stats().produced, 2 * kPairs);
    EXPECT_EQ(LostOf(live_->stats(), LossReason::kTableFull), 2 * kPairs - kRoom);
    for (const Pair& pair : pairs) {
      Talk(pair);
    }
  }
  Drain(0);
  const StreamStats stats = live_->stats();
  EXPECT_EQ(LostOf(stats, LossReason::kTableFull), 2 * kPairs - kRoom);
  EXPECT_EQ(LostFull(stats) > 0, GetParam() == OnePage());
  EXPECT_EQ(Reported(live_->losses(), StreamKind::kTcp), stats.lost_total());
  if (LostFull(stats) == 0) {
    EXPECT_EQ(LivesAt(listener.port).size(), kRoom);
    for (const Life& life : LivesAt(listener.port)) {
      EXPECT_EQ(life.starts.size(), 1u);
      ExpectBytes(life, 1);
    }
  }
  ExpectExact();
  EXPECT_EQ(MapEntries(Self(), "connections"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Ring, ConnectOverloadTest,
                         testing::Values(OnePage(), TcpOptions().ring_bytes), RingName);

}  // namespace
}  // namespace masflow::kernel_test
