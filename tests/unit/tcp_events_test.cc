// SPDX-License-Identifier: Apache-2.0
#include "masflow/tcp_events.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tcp_testing.h"

namespace masflow::internal {
namespace {

// The fields of each event, one by one: does not compile once there is another field, which
// then has to be added here and to the Full() event.
template <class Text>
auto Fields(const BasicConnection<Text>& e) {
  const auto& [id, local, remote, role, role_inferred, netns, owner, owner_inferred, pre_existing,
               peer] = e;
  const auto& [birth, tag] = id;
  const auto& [address, port] = local;
  const auto& [is_v6, bytes] = address;
  const auto process = owner.value_or(BasicProcess<Text>());
  return std::tuple(birth, tag, is_v6, bytes, port, remote, role, role_inferred, netns,
                    owner.has_value(), process.id, process.parent, process.uid, process.gid,
                    process.cgroup_id, process.comm, Raw(process.workload), owner_inferred,
                    pre_existing, Raw(peer));
}

template <class Text>
auto Fields(const std::optional<BasicSocketUser<Text>>& e) {
  const auto& [id, comm] = e.value_or(BasicSocketUser<Text>());
  return std::tuple(e.has_value(), id, comm);
}

template <class Text>
auto Fields(const BasicTcpConnect<Text>& e) {
  const auto& [time, connection, tid, outcome, error, handshake] = e;
  return std::tuple_cat(std::tuple(time, tid, outcome, error, handshake), Fields(connection));
}

template <class Text>
auto Fields(const BasicTcpAccept<Text>& e) {
  const auto& [time, connection, tid, queued] = e;
  return std::tuple_cat(std::tuple(time, tid, queued), Fields(connection));
}

template <class Text>
auto Fields(const BasicTcpData<Text>& e) {
  const auto& [time, connection, tx_bytes, rx_bytes, tx_total_bytes, rx_total_bytes, span, tid,
               user] = e;
  return std::tuple_cat(
      std::tuple(time, tx_bytes, rx_bytes, tx_total_bytes, rx_total_bytes, span, tid), Fields(user),
      Fields(connection));
}

template <class Text>
auto Fields(const BasicTcpClose<Text>& e) {
  const auto& [time, connection, reason, error, closed_first, accepted, duration, tx_bytes,
               rx_bytes, tx_segments, rx_segments, retransmits, smoothed_rtt, min_rtt, user] = e;
  return std::tuple_cat(
      std::tuple(time, reason, error, closed_first, accepted, duration, tx_bytes, rx_bytes,
                 tx_segments, rx_segments, retransmits, smoothed_rtt, min_rtt),
      Fields(user), Fields(connection));
}

template <class Text>
auto Fields(const BasicTcpOpen<Text>& e) {
  const auto& [time, connection] = e;
  return std::tuple_cat(std::tuple(time), Fields(connection));
}

template <class Text>
auto Fields(const BasicTcpListen<Text>& e) {
  const auto& [time, connection, backlog] = e;
  return std::tuple_cat(std::tuple(time, backlog), Fields(connection));
}

// A record holds no workload, so Full() has none.
template <class Event>
Event FullWithWorkloads() {
  Event event = Full<Event>();
  event.connection.owner->workload = SomeWorkload();
  event.connection.peer = SomeWorkload();
  return event;
}

template <class Event>
class TcpEventsTest : public ::testing::Test {};
TYPED_TEST_SUITE(TcpEventsTest, AllTcpEvents);

TYPED_TEST(TcpEventsTest, Full_EachField_DiffersFromItsDefault) {
  ForEachPair(Fields(FullWithWorkloads<TypeParam>()), Fields(TypeParam()),
              [](std::size_t i, const auto& full, const auto& standard) {
                EXPECT_FALSE(full == standard) << "field " << i;
              });
}

TYPED_TEST(TcpEventsTest, View_OfFull_HasEachField) {
  const TypeParam event = FullWithWorkloads<TypeParam>();
  ForEachPair(Fields(event), Fields(View(event)),
              [](std::size_t i, const auto& owned, const auto& viewed) {
                EXPECT_TRUE(owned == viewed) << "field " << i;
              });
}

TYPED_TEST(TcpEventsTest, OwnAndView_RoundTrip) {
  for (const TypeParam& event : {FullWithWorkloads<TypeParam>(), TypeParam()}) {
    EXPECT_EQ(Own(View(event)), event);
    EXPECT_EQ(View(Own(View(event))), View(event));
  }
  EXPECT_NE(View(FullWithWorkloads<TypeParam>()), View(TypeParam()));
}

TYPED_TEST(TcpEventsTest, View_OfEvent_PointsIntoIt) {
  const TypeParam event = Full<TypeParam>();
  const auto view = View(event);
  EXPECT_EQ(view.connection.owner->comm.data(), event.connection.owner->comm.data());
}

TEST(TcpEvents, Own_AfterTheViewsBytesChanged_KeepsItsOwn) {
  TcpClose source = Full<TcpClose>();
  const TcpClose owned = Own(View(source));
  std::fill(source.connection.owner->comm.begin(), source.connection.owner->comm.end(), '!');
  std::fill(source.user->comm.begin(), source.user->comm.end(), '!');
  EXPECT_EQ(owned, Full<TcpClose>());
}

TEST(TcpEvents, SourceAndDestination_FollowTheRole) {
  Connection c = FullConnection();
  c.role = TcpRole::kClient;
  EXPECT_EQ(c.source(), c.local);
  EXPECT_EQ(c.destination(), c.remote);
  c.role = TcpRole::kServer;
  EXPECT_EQ(c.source(), c.remote);
  EXPECT_EQ(c.destination(), c.local);
  c.role = std::nullopt;
  EXPECT_EQ(c.source(), c.local);
  EXPECT_EQ(c.destination(), c.remote);
}

TEST(TcpEvents, ConnectionId_IsOrderedAndHashed) {
  const ConnectionId first{.birth = At(1), .tag = 2};
  const ConnectionId second{.birth = At(1), .tag = 3};
  const ConnectionId third{.birth = At(2), .tag = 2};
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_EQ(std::unordered_set<ConnectionId>({first, second, third, first}).size(), 3u);
}

TEST(TcpEvents, CloseReason_HasAName) {
  const std::vector<std::string_view> names = {"fin",   "remote reset", "local reset",   "timeout",
                                               "error", "unseen",       "unknown reason"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(Name(static_cast<CloseReason>(i)), names[i]);
  }
}

}  // namespace
}  // namespace masflow::internal
