// SPDX-License-Identifier: Apache-2.0
//
// The filter of a replay on TCP records.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "replay/record_filter.h"
#include "tcp_testing.h"

namespace masflow::internal {
namespace {

using Filter = std::unique_ptr<RecordFilter>;

Filter Make(TcpOptions options) {
  absl::StatusOr<Filter> filter = MakeRecordFilter(std::move(options));
  EXPECT_TRUE(filter.ok()) << filter.status();
  return *std::move(filter);
}

Filter With(TcpFilter filter) {
  return Make({.filter = std::move(filter), .listeners = true});
}

Filter ByOwner(ProcessFilter processes) {
  return With({.process = std::move(processes)});
}

template <class Event>
bool Passes(const Filter& filter, const Event& event) {
  return filter->Passes(EncodeRecord(event));
}

TcpConnect Between(const IpAddress& local, const IpAddress& remote) {
  TcpConnect e = TestConnect(5);
  e.connection.local.address = local;
  e.connection.remote.address = remote;
  return e;
}

TcpClose Unowned() {
  TcpClose e = TestClose(5);
  e.connection.owner = std::nullopt;
  e.accepted = false;
  return e;
}

TEST(TcpRecordFilter, Empty_LetsAllPassButListeners) {
  const Filter filter = Make({});
  EXPECT_TRUE(Passes(filter, TestConnect(5)));
  EXPECT_TRUE(Passes(filter, TcpAccept{.connection = TestConnection(5)}));
  EXPECT_TRUE(Passes(filter, TestData(5)));
  EXPECT_TRUE(Passes(filter, TestClose(5)));
  EXPECT_TRUE(Passes(filter, TestOpen(5)));
  EXPECT_TRUE(Passes(filter, Unowned()));
  EXPECT_TRUE(Passes(filter, Between(V4(127, 0, 0, 1), V4(127, 0, 0, 1))));
  EXPECT_TRUE(Passes(filter, TestCall(5)));
  EXPECT_FALSE(Passes(filter, TestListen(5)));
}

TEST(TcpRecordFilter, Data_PassesInEitherModeUnlessOff) {
  Bytes last = EncodeRecord(TestData(5));
  const std::uint32_t reason = MF_DATA_LAST;
  std::memcpy(last.data() + offsetof(mf_tcp_data, reason), &reason, sizeof(reason));
  for (const TcpDataMode mode : {TcpDataMode::kInterval, TcpDataMode::kCall, TcpDataMode::kOff}) {
    const Filter filter = Make({.data = mode});
    EXPECT_EQ(Passes(filter, TestData(5)), mode != TcpDataMode::kOff);
    EXPECT_EQ(filter->Passes(last), mode != TcpDataMode::kOff);
    EXPECT_EQ(Passes(filter, TestCall(5)), mode != TcpDataMode::kOff);
    EXPECT_TRUE(Passes(filter, TestClose(5)));
  }
}

TEST(TcpRecordFilter, PreExisting_NotWanted_IsDroppedInAllItsRecords) {
  const Filter filter = Make({.pre_existing = false, .listeners = true});
  TcpClose close = TestClose(5);
  TcpListen listen = TestListen(5);
  EXPECT_TRUE(Passes(filter, close));
  EXPECT_TRUE(Passes(filter, listen));
  close.connection.pre_existing = listen.connection.pre_existing = true;
  EXPECT_FALSE(Passes(filter, TestOpen(5)));
  EXPECT_FALSE(Passes(filter, close));
  EXPECT_TRUE(Passes(filter, listen)) << "it is no connection";
}

TEST(TcpRecordFilter, Owner_IsJudgedAsAProcessIs) {
  const Filter by_pid = ByOwner({.pids = {5, 6}});
  EXPECT_TRUE(Passes(by_pid, TestConnect(6)));
  EXPECT_FALSE(Passes(by_pid, TestConnect(7, 5))) << "a child is another process";
  EXPECT_TRUE(Passes(by_pid, TestListen(5)));
  const Filter by_user = ByOwner({.uids = {1000}});
  TcpData e = TestData(5);
  EXPECT_TRUE(Passes(by_user, e));
  e.connection.owner->uid = 0;
  EXPECT_FALSE(Passes(by_user, e));
  const Filter by_comm = ByOwner({.comms = {"curl"}});
  EXPECT_FALSE(Passes(by_comm, e));
  e.connection.owner->comm = "curl";
  EXPECT_TRUE(Passes(by_comm, e));
}

TEST(TcpRecordFilter, WithoutOwner_PassesOnlyIfProcessesAreNotFiltered) {
  EXPECT_TRUE(Passes(With({.ports = {80}}), Unowned()));
  for (const ProcessFilter& processes :
       {ProcessFilter{.pids = {0}}, ProcessFilter{.trees = {0}}, ProcessFilter{.uids = {0}},
        ProcessFilter{.comms = {"ls"}}}) {
    EXPECT_FALSE(Passes(ByOwner(processes), Unowned()));
  }
}

TEST(TcpRecordFilter, Trees_FollowParentsWithoutProcessRecords) {
  const Filter filter = ByOwner({.trees = {5}});
  EXPECT_TRUE(Passes(filter, TestConnect(5)));
  EXPECT_TRUE(Passes(filter, TestConnect(6, 5)));
  EXPECT_TRUE(Passes(filter, TestConnect(7, 6)));
  EXPECT_TRUE(Passes(filter, TestClose(7, 1))) << "its parent has gone";
  EXPECT_FALSE(Passes(filter, TestConnect(8, 1)));
}

TEST(TcpRecordFilter, Trees_ARecordThatIsNotWantedJoinsItsOwnerToo) {
  const Filter filter = Make({.filter = {.process = {.trees = {5}}, .remote_ports = {443}}});
  EXPECT_FALSE(Passes(filter, TestConnect(6, 5)));
  TcpConnect e = TestConnect(7, 6);
  e.connection.remote.port = 443;
  EXPECT_TRUE(Passes(filter, e));
}

// The process ring is emptied first, so what a short-lived process did comes after its end.
TEST(TcpRecordFilter, Trees_FollowProcessRecords_AlsoOfOnesThatHaveEnded) {
  const Filter filter = ByOwner({.trees = {5}});
  const auto follow = [&](const auto& event) { filter->FollowProcess(EncodeRecord(event)); };
  follow(TestFork(6, 5));
  follow(TestFork(7, 6));
  follow(TestExit(7, 6));
  follow(TestExit(6, 5));
  follow(TestExit(5));
  EXPECT_TRUE(Passes(filter, TestConnect(7, 6)));
  EXPECT_TRUE(Passes(filter, TestClose(5)));
  TcpConnect other = TestConnect(5);
  other.connection.owner->id.start += std::chrono::seconds(1);
  EXPECT_FALSE(Passes(filter, other)) << "another process of this pid";
}

TEST(TcpRecordFilter, Ports) {
  // TestConnect is from 40000 to 80.
  for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{40'000}}) {
    EXPECT_TRUE(Passes(With({.ports = {1, port}}), TestConnect(5)));
  }
  EXPECT_FALSE(Passes(With({.ports = {1}}), TestConnect(5)));
  EXPECT_TRUE(Passes(With({.local_ports = {40'000}}), TestConnect(5)));
  EXPECT_FALSE(Passes(With({.local_ports = {80}}), TestConnect(5)));
  EXPECT_TRUE(Passes(With({.remote_ports = {80}}), TestConnect(5)));
  EXPECT_FALSE(Passes(With({.remote_ports = {40'000}}), TestConnect(5)));
  EXPECT_TRUE(Passes(With({.local_ports = {80}}), TestListen(5)));
  EXPECT_FALSE(Passes(With({.ports = {80}, .remote_ports = {443}}), TestConnect(5)))
      << "the lists are joined by and";
}

TEST(TcpRecordFilter, Addresses) {
  // TestConnect is from 192.0.2.1 to 198.51.100.2.
  for (const char* text : {"192.0.2.0/24", "198.51.100.2", "::ffff:192.0.2.1", "0.0.0.0/0"}) {
    EXPECT_TRUE(Passes(With({.addresses = {"10.0.0.0/8", text}}), TestConnect(5))) << text;
  }
  for (const char* text : {"198.51.100.3", "::/0"}) {
    EXPECT_FALSE(Passes(With({.addresses = {"10.0.0.0/8", text}}), TestConnect(5))) << text;
  }
  EXPECT_TRUE(Passes(With({.addresses = {"2001:db8::/32"}}), Between(kV6Loopback, kV6Example)));
}

TEST(TcpRecordFilter, Loopback_NotWanted_DropsWhatHasOneAtAnyEnd) {
  const Filter filter = With({.loopback = false});
  EXPECT_TRUE(Passes(filter, TestConnect(5)));
  EXPECT_TRUE(Passes(filter, TestListen(5))) << "on all addresses";
  EXPECT_FALSE(Passes(filter, Between(V4(127, 0, 0, 1), V4(10, 0, 0, 1))));
  EXPECT_FALSE(Passes(filter, Between(V4(10, 0, 0, 1), V4(127, 9, 9, 9))));
  EXPECT_FALSE(Passes(filter, Between(kV6Loopback, kV6Loopback)));
}

TEST(TcpRecordFilter, WhatCannotBeJudged_Passes) {
  const Filter filter = ByOwner({.pids = {6}});
  EXPECT_TRUE(filter->Passes({}));
  Bytes bytes = EncodeRecord(TestConnect(5));
  EXPECT_FALSE(filter->Passes(bytes));
  EXPECT_TRUE(filter->Passes(RecordBytes(bytes).first(sizeof(mf_tcp_base) - 1)));
  bytes[0] = std::byte{99};  // kind
  EXPECT_TRUE(filter->Passes(bytes));
}

TEST(TcpRecordFilter, WhatCannotBeApplied_IsRefused) {
  const auto code = [](TcpFilter filter) {
    return MakeRecordFilter(TcpOptions{.filter = std::move(filter)}).status().code();
  };
  EXPECT_EQ(code({.process = {.cgroups = {"/kubepods"}}}), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(code({.addresses = {"nowhere"}}), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace masflow::internal
