// SPDX-License-Identifier: Apache-2.0
//
// Recordings that hold both streams, and those of before there were two.
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "replay/recording_format.h"
#include "tcp_testing.h"

namespace masflow::internal {
namespace {

constexpr StreamKind kProcess = StreamKind::kProcess;
constexpr StreamKind kTcp = StreamKind::kTcp;

const TcpOptions kAllTcp = {.listeners = true};

// What a host with both streams sees until the session is idle or ends.
struct Seen {
  std::vector<ProcessEvent> processes;
  std::vector<TcpEvent> tcp;
  std::vector<Loss> losses;
  SessionStats stats;
};

Seen Watch(Session& session, const std::function<void()>& produce = {}) {
  Seen seen;
  ProcessStream processes = OpenProcesses(session, kAllProcesses);
  TcpStream tcp = OpenTcp(session, kAllTcp);
  processes.OnExec([&](const auto& e) { seen.processes.emplace_back(Own(e)); });
  const auto keep = [&](const auto& e) { seen.tcp.emplace_back(Own(e)); };
  tcp.OnConnect(keep);
  tcp.OnAccept(keep);
  tcp.OnData(keep);
  tcp.OnClose(keep);
  tcp.OnOpen(keep);
  tcp.OnListen(keep);
  session.OnLoss([&](const Loss& loss) { seen.losses.push_back(loss); });
  if (produce) {
    produce();
  }
  for (int turns = 0; turns < 10'000; ++turns) {
    const DrainResult result = session.Drain(3);
    if (result.ended || (!result.more && produce)) {
      break;
    }
  }
  session.Stop();
  seen.stats = session.stats();
  return seen;
}

TEST(ReplayTcp, TheHostOfAReplaySeesWhatTheHostOfTheRecordingSaw) {
  const ScratchDir dir;
  Seen recorded;
  {
    FakeSource fake;
    auto session = Session::Create({.source = fake.source(), .record_to = dir / "r.mfr"});
    ASSERT_TRUE(session.ok()) << session.status();
    recorded = Watch(*session, [&] {
      PushExecs(fake, 1, 20);
      for (int i = 0; i < 10; ++i) {
        for (const TcpEvent& event : OneOfEachTcpEvent()) {
          std::visit([&](const auto& e) { fake.Push(e); }, event);
        }
      }
      fake.PushLoss({.stream = kTcp, .reason = LossReason::kTableFull, .count = 3});
    });
    EXPECT_TRUE(session->status().ok()) << session->status();
  }
  EXPECT_EQ(recorded.processes.size(), 20u);
  EXPECT_EQ(recorded.tcp.size(), 60u);
  auto session = Session::Create({.source = Replay{dir / "r.mfr"}});
  ASSERT_TRUE(session.ok()) << session.status();
  const Seen replayed = Watch(*session);
  EXPECT_TRUE(session->status().ok()) << session->status();
  EXPECT_EQ(replayed.processes, recorded.processes);
  EXPECT_EQ(replayed.tcp, recorded.tcp);
  EXPECT_EQ(replayed.losses, recorded.losses);
  for (const StreamKind kind : {kProcess, kTcp}) {
    EXPECT_EQ(replayed.stats[kind].produced, recorded.stats[kind].produced);
    EXPECT_EQ(replayed.stats[kind].delivered, recorded.stats[kind].delivered);
    EXPECT_EQ(replayed.stats[kind].lost, recorded.stats[kind].lost);
    ExpectBalanced(replayed.stats[kind]);
  }
}

std::shared_ptr<RecordSource> Source(const std::string& bytes) {
  auto source = MakeReplaySource(MemFile(bytes), "r.mfr");
  EXPECT_TRUE(source.ok()) << source.status();
  return *source;
}

// What the streams that are open get of the recording.
std::vector<Bytes> Replayed(const std::string& bytes, const std::vector<StreamConfig>& configs) {
  const auto source = Source(bytes);
  for (const StreamConfig& config : configs) {
    EXPECT_TRUE(source->Open(config).ok());
  }
  TestSink sink;
  EXPECT_TRUE(DrainAll(*source, sink).ended);
  EXPECT_TRUE(source->EndStatus().ok()) << source->EndStatus();
  return sink.records();
}

TEST(ReplayTcp, AStreamThatIsNotOpen_IsPassedOver) {
  const std::string bytes = WriteRecording([](RecordingWriter& writer) {
    writer.AddRecord(kProcess, EncodeRecord(TestExec(5)));
    writer.AddRecord(kTcp, EncodeRecord(TestConnect(5)));
  });
  EXPECT_EQ(Replayed(bytes, {kAllProcesses}), std::vector<Bytes>{EncodeRecord(TestExec(5))});
  EXPECT_EQ(Replayed(bytes, {kAllTcp}), std::vector<Bytes>{EncodeRecord(TestConnect(5))});
  EXPECT_EQ(Replayed(bytes, {kAllTcp, kAllProcesses}).size(), 2u);
}

// A recording of version 1, which knew of processes only.
std::string Version1(std::uint64_t tcp_records) {
  std::string bytes = WriteRecording([&](RecordingWriter& writer) {
    writer.AddRecord(kProcess, EncodeRecord(TestExec(5)));
    for (std::uint64_t i = 0; i < tcp_records; ++i) {
      writer.AddRecord(kTcp, EncodeRecord(TestConnect(5)));
    }
  });
  RecordingHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  header.format_version = 1;
  std::memcpy(bytes.data(), &header, sizeof(header));
  bytes.resize(bytes.size() - (kStreamKinds - 1) * sizeof(EndTotals));
  const FrameHeader end = {.size = sizeof(FrameHeader) + sizeof(EndTotals), .type = 5};
  std::memcpy(bytes.data() + bytes.size() - end.size, &end, sizeof(end));
  return bytes;
}

TEST(ReplayTcp, Version1_CanStillBeRead) {
  EXPECT_EQ(Replayed(Version1(0), {kAllProcesses, kAllTcp}),
            std::vector<Bytes>{EncodeRecord(TestExec(5))});
  const auto more_than_counted = Source(Version1(1));
  ASSERT_TRUE(more_than_counted->Open(kAllTcp).ok());
  TestSink sink;
  DrainAll(*more_than_counted, sink);
  EXPECT_EQ(more_than_counted->EndStatus().code(), absl::StatusCode::kDataLoss);
}

TcpOptions TreeOf(std::uint32_t pid) {
  return {.filter = {.process = {.trees = {pid}}}};
}

// Both with the process stream open, also by another filter, and without.
TEST(ReplayTcp, Trees_FollowTheProcessRecords) {
  const std::string bytes = WriteRecording([](RecordingWriter& writer) {
    for (const auto& [pid, ppid] : {std::pair{6u, 5u}, {7u, 6u}, {9u, 1u}}) {
      writer.AddRecord(kProcess, EncodeRecord(TestFork(pid, ppid)));
      writer.AddRecord(kProcess, EncodeRecord(TestExit(pid, 1)));
    }
    for (const std::uint32_t pid : {5, 6, 7, 9}) {
      writer.AddRecord(kTcp, EncodeRecord(TestConnect(pid)));
    }
  });
  const std::vector<Bytes> expected = {EncodeRecord(TestConnect(5)), EncodeRecord(TestConnect(6)),
                                       EncodeRecord(TestConnect(7))};
  EXPECT_EQ(Replayed(bytes, {TreeOf(5)}), expected);
  const ProcessOptions none = {.filter = {.pids = {1000}}};
  EXPECT_EQ(Replayed(bytes, {none, TreeOf(5)}), expected);
}

TEST(ReplayTcp, Trees_KnowTheSnapshotWhateverItsOrder) {
  const std::string bytes = WriteRecording([](RecordingWriter& writer) {
    writer.AddRecord(kTcp, EncodeRecord(TestOpen(10)));
    writer.AddCaughtUp(kTcp);
    for (const auto& [pid, ppid] : {std::pair{10u, 60u}, {60u, 50u}, {70u, 1u}}) {
      ProcessExec e = TestExec(pid, ppid);
      e.pre_existing = true;
      writer.AddRecord(kProcess, EncodeRecord(e));
    }
    writer.AddCaughtUp(kProcess);
    writer.AddRecord(kTcp, EncodeRecord(TestConnect(70)));
  });
  EXPECT_EQ(Replayed(bytes, {TreeOf(50)}), std::vector<Bytes>{EncodeRecord(TestOpen(10))});
}

TEST(ReplayTcp, CgroupsCannotBeFiltered) {
  const ScratchDir dir;
  WriteFile(dir / "r.mfr", WriteRecording([](RecordingWriter&) {}));
  auto session = Session::Create({.source = Replay{dir / "r.mfr"}});
  ASSERT_TRUE(session.ok()) << session.status();
  const TcpOptions options = {.filter = {.process = {.cgroups = {"/kubepods"}}}};
  EXPECT_EQ(TcpStream::Open(*session, options).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace masflow::internal
