// SPDX-License-Identifier: Apache-2.0
//
// The filter of a replay on HTTP records.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"
#include "replay/connection_memory.h"
#include "replay/record_filter.h"
#include "replay_testing.h"

namespace masflow::internal {
namespace {

using Filter = std::unique_ptr<RecordFilter>;

Filter With(TcpFilter filter) {
  absl::StatusOr<Filter> made = MakeRecordFilter(HttpOptions{.filter = std::move(filter)});
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

Talk WholeTalk(std::uint32_t pid) {
  Talk talk(pid);
  talk.Send(Get("/")).Receive(Ok("x")).Progress().End();
  return talk;
}

// How many of the records pass; either none or all are to.
std::size_t CountPassing(const Filter& filter, const std::vector<Bytes>& records) {
  std::size_t passing = 0;
  for (const Bytes& record : records) {
    passing += filter->Passes(record) ? 1 : 0;
  }
  return passing;
}
constexpr std::size_t kAll = 5;

TEST(HttpRecordFilter, Empty_LetsAllPass) {
  const Filter filter = With({});
  EXPECT_EQ(CountPassing(filter, WholeTalk(5).records), kAll);
  Talk without = WholeTalk(6);
  without.records.erase(without.records.begin());
  EXPECT_EQ(CountPassing(filter, without.records), kAll - 1);
}

TEST(HttpRecordFilter, AConnectionsRecordsGoTheWayOfTheFirst) {
  const std::string local = "192.0.2.1";
  struct Case {
    TcpFilter filter;
    std::size_t passing;
  };
  for (const Case& c : {
           Case{{.process = {.pids = {5}}}, kAll},
           Case{{.process = {.pids = {6}}}, 0},
           Case{{.process = {.uids = {1000}}}, kAll},
           Case{{.process = {.comms = {"no"}}}, 0},
           Case{{.ports = {80}}, kAll},
           Case{{.ports = {81}}, 0},
           Case{{.local_ports = {40'000}}, kAll},
           Case{{.local_ports = {80}}, 0},
           Case{{.remote_ports = {80}}, kAll},
           Case{{.remote_ports = {40'000}}, 0},
           Case{{.addresses = {"192.0.2.0/24"}}, kAll},
           Case{{.addresses = {"203.0.113.0/24"}}, 0},
           Case{{.loopback = false}, kAll},
       }) {
    EXPECT_EQ(CountPassing(With(c.filter), WholeTalk(5).records), c.passing);
  }
}

TEST(HttpRecordFilter, Loopback_NotWanted_IsDropped) {
  Connection connection = TestConnection(5);
  connection.remote.address = V4(127, 0, 0, 1);
  const mf_http_connection wire = {.base =
                                       WriteConnection(MF_KIND_HTTP_CONNECTION, At(1), connection)};
  EXPECT_FALSE(With({.loopback = false})->Passes(Assemble(wire)));
  EXPECT_TRUE(With({.ports = {80}})->Passes(Assemble(wire)));
}

TEST(HttpRecordFilter, AnotherOwner_DoesNotChangeTheVerdict) {
  Talk talk(5);
  talk.Send(Get("/")).OwnedBy(6).Receive(Ok("x")).End();
  EXPECT_EQ(CountPassing(With({.process = {.pids = {5}}}), talk.records), kAll);
  EXPECT_EQ(CountPassing(With({.process = {.pids = {6}}}), talk.records), 0u);
}

TEST(HttpRecordFilter, WithoutItsFirstRecord_PassesOnlyWhereNothingIsFiltered) {
  Talk talk = WholeTalk(5);
  talk.records.erase(talk.records.begin());
  EXPECT_EQ(CountPassing(With({.process = {.pids = {5}}}), talk.records), 0u);
  EXPECT_EQ(CountPassing(With({.ports = {80}}), talk.records), 0u);
}

TEST(HttpRecordFilter, AfterItsEnd_AConnectionIsJudgedAnew) {
  const Filter filter = With({.process = {.pids = {5}}});
  Talk talk(5);
  talk.Send(Get("/")).End(MF_HTTP_END_SENT).Receive(Ok("x")).End();
  EXPECT_EQ(CountPassing(filter, talk.records), kAll) << "half an end is none";
  Talk other(5);
  other.records.clear();
  other.OwnedBy(6).Send(Get("/"));
  EXPECT_EQ(CountPassing(filter, other.records), 0u);
}

TEST(HttpRecordFilter, Trees_FollowTheRecordsOfProcesses) {
  const Filter filter = With({.process = {.trees = {5}}});
  EXPECT_EQ(CountPassing(filter, WholeTalk(7).records), 0u);
  filter->FollowProcess(EncodeRecord(TestFork(8, 5)));
  EXPECT_EQ(CountPassing(filter, WholeTalk(8).records), kAll);
}

TEST(HttpRecordFilter, Cgroups_AreRefused) {
  EXPECT_EQ(
      MakeRecordFilter(HttpOptions{.filter = {.process = {.cgroups = {"/x"}}}}).status().code(),
      absl::StatusCode::kUnimplemented);
}

TEST(HttpRecordFilter, UnknownAndShortRecords_AreForTheDecoder) {
  const Filter filter = With({.process = {.pids = {6}}});
  const Talk talk = WholeTalk(5);
  for (const Bytes& record : talk.records) {
    EXPECT_TRUE(filter->Passes(RecordBytes(record).first(10)));
  }
  EXPECT_TRUE(
      filter->Passes(WithHeader(talk.records[0], [](mf_header& header) { header.kind = 200; })));
}

// Forks that are recorded count also where only the HTTP stream is open.
TEST(ReplayHttp, ProcessRecordsCountForTrees) {
  const std::string bytes = WriteRecording([](RecordingWriter& writer) {
    writer.AddRecord(StreamKind::kProcess, EncodeRecord(TestFork(8, 5)));
    for (const std::uint32_t pid : {7u, 8u}) {
      for (const Bytes& record : WholeTalk(pid).records) {
        writer.AddRecord(StreamKind::kHttp, record);
      }
    }
  });
  auto source = MakeReplaySource(MemFile(bytes), "r.mfr");
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_TRUE((*source)->Open(HttpOptions{.filter = {.process = {.trees = {5}}}}).ok());
  TestSink sink;
  EXPECT_TRUE(DrainAll(**source, sink).ended);
  EXPECT_EQ(sink.records(), WholeTalk(8).records);
}

TEST(ConnectionMemory, ForgetsWhatWasNotAskedForDuringAGeneration) {
  ConnectionMemory<int> memory(2);
  const auto id = [](std::uint32_t tag) { return ConnectionId{.birth = At(1), .tag = tag}; };
  memory.Add(id(1), 1);
  memory.Add(id(2), 2);
  memory.Add(id(3), 3);
  ASSERT_NE(memory.Find(id(1)), nullptr);
  EXPECT_EQ(*memory.Find(id(1)), 1);
  memory.Add(id(4), 4);
  EXPECT_NE(memory.Find(id(1)), nullptr);
  EXPECT_NE(memory.Find(id(3)), nullptr);
  EXPECT_EQ(memory.Find(id(2)), nullptr);
  EXPECT_LE(memory.size(), 4u);
  memory.Forget(id(1));
  EXPECT_EQ(memory.Find(id(1)), nullptr);
}

}  // namespace
}  // namespace masflow::internal
