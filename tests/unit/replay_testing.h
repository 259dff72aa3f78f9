// SPDX-License-Identifier: Apache-2.0
//
// What the tests of recorder, replay and fake source share.
#ifndef MASFLOW_TESTS_UNIT_REPLAY_TESTING_H_
#define MASFLOW_TESTS_UNIT_REPLAY_TESTING_H_

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/record_source.h"
#include "core/unique_fd.h"
#include "masflow/events.h"
#include "masflow/testing/fake_source.h"
#include "replay/recorder.h"
#include "replay/recording_writer.h"
#include "replay/replay_source.h"
#include "wire/process_encode.h"

namespace masflow::internal {

using Verdict = RecordSink::Verdict;
using Bytes = std::vector<std::byte>;

// One call of the sink.
struct Delivery {
  enum class What { kRecord, kLoss, kCaughtUp };
  What what{};
  StreamKind stream{};
  Bytes record{};
  Loss loss{};

  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// Keeps what it is handed; `react` may ask for a pause or a stop.
class TestSink : public RecordSink {
 public:
  std::vector<Delivery> log;
  std::vector<std::vector<std::byte>> workloads;
  std::function<Verdict(const Delivery&)> react;

  Verdict OnRecord(StreamKind stream, RecordBytes record) override {
    return Add({.what = Delivery::What::kRecord,
                .stream = stream,
                .record = {record.begin(), record.end()}});
  }
  void OnWorkload(RecordBytes news) override { workloads.emplace_back(news.begin(), news.end()); }
  void OnLoss(const Loss& loss) override {
    Add({.what = Delivery::What::kLoss, .stream = loss.stream, .loss = loss});
  }
  Verdict OnCaughtUp(StreamKind stream) override {
    return Add({.what = Delivery::What::kCaughtUp, .stream = stream});
  }

  std::vector<Bytes> records() const {
    std::vector<Bytes> records;
    for (const Delivery& delivery : log) {
      if (delivery.what == Delivery::What::kRecord) {
        records.push_back(delivery.record);
      }
    }
    return records;
  }
  std::size_t Count(Delivery::What what) const {
    std::size_t count = 0;
    for (const Delivery& delivery : log) {
      count += delivery.what == what ? 1 : 0;
    }
    return count;
  }

 private:
  Verdict Add(Delivery delivery) {
    log.push_back(std::move(delivery));
    return react ? react(log.back()) : Verdict::kContinue;
  }
};

class ScratchDir {
 public:
  ScratchDir() {
    std::string name = ::testing::TempDir() + "/masflow-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~ScratchDir() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// An unnamed file that holds these bytes.
inline UniqueFd MemFile(const std::string& bytes) {
  UniqueFd fd(memfd_create("recording", MFD_CLOEXEC));
  EXPECT_EQ(pwrite(fd.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return fd;
}

inline bool Readable(const RecordSource& source) {
  pollfd entry = {.fd = source.poll_fd(), .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) == 1;
}

inline Process TestProcess(std::uint32_t pid, std::uint32_t ppid) {
  return {.id = {.pid = pid, .start = std::chrono::nanoseconds(pid * 10)},
          .parent = {.pid = ppid, .start = std::chrono::nanoseconds(ppid * 10)},
          .uid = 1000,
          .gid = 100,
          .cgroup_id = 77,
          .comm = "ls"};
}

inline KernelTime At(std::int64_t ns) {
  return KernelTime(std::chrono::nanoseconds(ns));
}

inline ProcessExec TestExec(std::uint32_t pid, std::uint32_t ppid = 1) {
  return {.time = At(pid * 100),
          .process = TestProcess(pid, ppid),
          .tid = pid,
          .filename = "/bin/ls",
          .executable = "/usr/bin/ls",
          .args = std::string("ls\0-la\0", 7),
          .args_total_bytes = 7};
}

inline ProcessExit TestExit(std::uint32_t pid, std::uint32_t ppid = 1) {
  return {.time = At(pid * 100 + 50),
          .process = TestProcess(pid, ppid),
          .exit_code = std::uint8_t{0},
          .duration = std::chrono::nanoseconds(50)};
}

inline ProcessFork TestFork(std::uint32_t pid, std::uint32_t ppid = 1) {
  return {.time = At(pid * 100 - 10), .process = TestProcess(pid, ppid), .parent_tid = ppid};
}

inline Loss TestLoss(std::uint64_t count) {
  return {.stream = StreamKind::kProcess,
          .reason = LossReason::kRingFull,
          .count = count,
          .since = At(5),
          .until = At(6)};
}

inline SupportReport TestReport() {
  SupportReport report;
  report.kernel = "6.1.0-13";
  report.architecture = "x86_64";
  report.cgroup_hierarchy = "cgroup v2";
  return report;
}

inline const ProcessOptions kAllProcesses = {.forks = true, .failed_execs = true, .snapshot = true};

// Drains until nothing is left to be done; gives up after many turns.
inline DrainResult DrainAll(RecordSource& source, RecordSink& sink, std::size_t max = 64) {
  DrainResult result;
  for (int turns = 0; turns < 100'000; ++turns) {
    const DrainResult turn = source.Drain(max, sink);
    result.records += turn.records;
    result.more = turn.more;
    result.ended = turn.ended;
    if (!turn.more) {
      break;
    }
  }
  return result;
}

// A recording by hand, whole.
inline std::string WriteRecording(const std::function<void(RecordingWriter&)>& write) {
  const UniqueFd file = MemFile("");
  RecordingWriter writer(UniqueFd(dup(file.get())), "r.mfr");
  writer.AddHeader(TestReport(), {.monotonic_ns = 1, .realtime_ns = 1001});
  write(writer);
  writer.AddEnd();
  writer.Flush();
  struct stat size {};
  EXPECT_EQ(fstat(file.get(), &size), 0);
  std::string bytes(static_cast<std::size_t>(size.st_size), '\0');
  EXPECT_EQ(pread(file.get(), bytes.data(), bytes.size(), 0), size.st_size);
  return bytes;
}

// What was recorded, and what the recording session saw of it.
struct Recorded {
  std::string bytes;
  std::vector<Delivery> log;
};

// Records what `drive` pushes into a fake source and drains.
inline Recorded Record(
    const std::function<void(masflow::testing::FakeSource&, RecordSource&, RecordSink&)>& drive) {
  const ScratchDir dir;
  masflow::testing::FakeSource fake;
  TestSink sink;
  {
    auto source = MakeRecordingSource(fake.source().source, dir / "r.mfr");
    EXPECT_TRUE(source.ok()) << source.status();
    EXPECT_TRUE((*source)->Open(kAllProcesses).ok());
    drive(fake, **source, sink);
    (*source)->Close(StreamKind::kProcess);
    EXPECT_TRUE((*source)->EndStatus().ok());
  }
  return {.bytes = ReadFile(dir / "r.mfr"), .log = std::move(sink.log)};
}

// Replays `bytes` to its end, everything of it wanted.
struct Replayed {
  absl::Status created;
  absl::Status ended;
  std::vector<Delivery> log;
  SourceCounters counters;
};

inline Replayed ReplayAll(const std::string& bytes, std::size_t max = 64) {
  Replayed replayed;
  auto source = MakeReplaySource(MemFile(bytes), "r.mfr");
  replayed.created = source.status();
  if (!source.ok()) {
    return replayed;
  }
  EXPECT_TRUE((*source)->Open(kAllProcesses).ok());
  TestSink sink;
  EXPECT_TRUE(DrainAll(**source, sink, max).ended);
  replayed.ended = (*source)->EndStatus();
  replayed.log = std::move(sink.log);
  replayed.counters = (*source)->Counters(StreamKind::kProcess);
  return replayed;
}

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_UNIT_REPLAY_TESTING_H_
