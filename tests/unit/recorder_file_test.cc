// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "replay/recorder.h"
#include "replay_testing.h"

namespace masflow::internal {
namespace {

using masflow::testing::FakeSource;

constexpr StreamKind kProcess = StreamKind::kProcess;

class RecorderFileTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<RecordSource>> Record(const std::string& path) {
    return MakeRecordingSource(fake_.source().source, path);
  }
  void ExpectRefused(const std::string& path, absl::StatusCode code, const std::string& why) {
    const auto source = Record(path);
    EXPECT_EQ(source.status().code(), code) << source.status();
    EXPECT_NE(source.status().message().find(path), absl::string_view::npos) << source.status();
    EXPECT_NE(source.status().message().find(why), absl::string_view::npos) << source.status();
  }
  static mode_t Mode(const std::string& path) {
    struct stat file {};
    EXPECT_EQ(stat(path.c_str(), &file), 0);
    return file.st_mode & 07777;
  }

  const ScratchDir dir_;
  FakeSource fake_;
};

TEST_F(RecorderFileTest, MakesAPrivateFileWhateverTheMask) {
  const mode_t before = umask(0277);
  EXPECT_TRUE(Record(dir_ / "r.mfr").ok());
  umask(before);
  EXPECT_EQ(Mode(dir_ / "r.mfr"), 0600u);
}

TEST_F(RecorderFileTest, EmptiesAndClosesUpAnExistingFile) {
  WriteFile(dir_ / "r.mfr", std::string(10'000, 'x'));
  ASSERT_EQ(chmod((dir_ / "r.mfr").c_str(), 0644), 0);
  EXPECT_TRUE(Record(dir_ / "r.mfr").ok());
  EXPECT_EQ(Mode(dir_ / "r.mfr"), 0600u);
  EXPECT_TRUE(ReplayAll(ReadFile(dir_ / "r.mfr")).ended.ok());
}

TEST_F(RecorderFileTest, RefusesASymbolicLink) {
  WriteFile(dir_ / "target", "precious");
  std::filesystem::create_symlink(dir_ / "target", dir_ / "r.mfr");
  ExpectRefused(dir_ / "r.mfr", absl::StatusCode::kAlreadyExists, "symbolic link");
  EXPECT_EQ(ReadFile(dir_ / "target"), "precious");
}

TEST_F(RecorderFileTest, RefusesAHardLink) {
  WriteFile(dir_ / "target", "precious");
  std::filesystem::create_hard_link(dir_ / "target", dir_ / "r.mfr");
  ExpectRefused(dir_ / "r.mfr", absl::StatusCode::kAlreadyExists, "hard links");
  EXPECT_EQ(ReadFile(dir_ / "target"), "precious");
}

TEST_F(RecorderFileTest, RefusesAFileOfAnotherUser) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root to give a file away";
  }
  WriteFile(dir_ / "r.mfr", "precious");
  ASSERT_EQ(chown((dir_ / "r.mfr").c_str(), 65534, 65534), 0);
  ExpectRefused(dir_ / "r.mfr", absl::StatusCode::kAlreadyExists, "belongs to user 65534");
  EXPECT_EQ(ReadFile(dir_ / "r.mfr"), "precious");
}

TEST_F(RecorderFileTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  ExpectRefused(dir_ / "fifo", absl::StatusCode::kAlreadyExists, "not a regular file");
  std::filesystem::create_directory(dir_ / "sub");
  ExpectRefused(dir_ / "sub", absl::StatusCode::kAlreadyExists, "directory");
  ExpectRefused("/dev/null", absl::StatusCode::kAlreadyExists, "not a regular file");
  ExpectRefused(dir_ / "none/r.mfr", absl::StatusCode::kNotFound, "No such file or directory");
}

TEST_F(RecorderFileTest, RefusesAFileInUse) {
  {
    const auto first = Record(dir_ / "r.mfr");
    ASSERT_TRUE(first.ok());
    ExpectRefused(dir_ / "r.mfr", absl::StatusCode::kFailedPrecondition, "being recorded to");
  }
  const std::string whole = ReadFile(dir_ / "r.mfr");
  const auto replay = MakeReplaySource(Replay{.path = dir_ / "r.mfr"});
  ASSERT_TRUE(replay.ok());
  const auto onto_itself = MakeRecordingSource(*replay, dir_ / "r.mfr");
  EXPECT_EQ(onto_itself.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFile(dir_ / "r.mfr"), whole);
}

TEST_F(RecorderFileTest, IsWrittenAtTheEndOfEachTurnAndWholeAfterTheLastClose) {
  const auto source = Record(dir_ / "r.mfr");
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Open(kAllProcesses).ok());
  TestSink sink;
  fake_.Push(TestExec(1));
  (*source)->Drain(10, sink);
  const Replayed open = ReplayAll(ReadFile(dir_ / "r.mfr"));
  EXPECT_EQ(open.log.size(), 2u);
  EXPECT_EQ(open.ended.code(), absl::StatusCode::kDataLoss);
  (*source)->Close(kProcess);
  EXPECT_TRUE(ReplayAll(ReadFile(dir_ / "r.mfr")).ended.ok());
  ASSERT_TRUE((*source)->Open(kAllProcesses).ok());
  fake_.Push(TestExec(2));
  (*source)->Drain(10, sink);
  (*source)->Close(kProcess);
  const Replayed twice = ReplayAll(ReadFile(dir_ / "r.mfr"));
  EXPECT_TRUE(twice.ended.ok()) << twice.ended;
  EXPECT_EQ(twice.counters.produced, 2u);
}

TEST_F(RecorderFileTest, ARecordIsWrittenBeforeItIsHandedOn) {
  const auto source = Record(dir_ / "r.mfr");
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Open(kAllProcesses).ok());
  fake_.Push(TestExec(1));
  TestSink sink;
  sink.react = [](const Delivery&) { return Verdict::kStop; };
  EXPECT_TRUE((*source)->Drain(10, sink).more);
  EXPECT_EQ(ReplayAll(ReadFile(dir_ / "r.mfr")).log.size(), 2u);
}

TEST_F(RecorderFileTest, AFullDiskEndsTheRecordingNotTheEvents) {
  const ScratchDir dir;
  const auto source = Record(dir / "r.mfr");
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Open(kAllProcesses).ok());
  fake_.PushRecord(kProcess, Bytes(100'000));  // stands for any failure to write
  fake_.Push(TestExec(2));
  fake_.End();
  TestSink sink;
  EXPECT_TRUE((*source)->Drain(10, sink).ended);
  EXPECT_EQ(sink.records().size(), 2u);
  EXPECT_EQ((*source)->EndStatus().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(RecorderFileTest, ForwardsAllElse) {
  const auto source = Record(dir_ / "r.mfr");
  ASSERT_TRUE(source.ok());
  const std::shared_ptr<RecordSource> inner = fake_.source().source;
  EXPECT_EQ((*source)->poll_fd(), inner->poll_fd());
  EXPECT_EQ((*source)->Support().source, "fake");
  EXPECT_EQ((*source)->Clock().realtime_ns, inner->Clock().realtime_ns);
  ASSERT_TRUE((*source)->Open(kAllProcesses).ok());
  TestSink sink;
  (*source)->Drain(10, sink);
  (*source)->SetPaused(kProcess, true);
  fake_.Push(TestExec(1));
  EXPECT_FALSE(Readable(**source));
  EXPECT_EQ((*source)->Drain(10, sink).records, 0u);
  (*source)->Wake();
  EXPECT_TRUE(Readable(**source));
  EXPECT_EQ((*source)->Counters(kProcess).produced, 1u);
}

}  // namespace
}  // namespace masflow::internal
