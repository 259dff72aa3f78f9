// SPDX-License-Identifier: Apache-2.0
//
// A stream opened with a snapshot, under a whole session.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/next_operation.h"
#include "masflow/process_stream.h"
#include "test_support.h"

namespace masflow::internal {
namespace {

using Strings = std::vector<std::string>;

ProcessExec Running(std::uint32_t pid, std::int64_t time) {
  ProcessExec e = TestExec(pid);
  e.time = At(time);
  e.pre_existing = true;
  return e;
}

class SessionSnapshotTest : public ::testing::Test {
 protected:
  SessionSnapshotTest() { Listen(); }

  void Listen() {
    processes_->OnExec([this](const ProcessExecView& e) {
      Note(e.pre_existing ? "running" : "exec", e.process.id.pid);
    });
    processes_->OnExit([this](const ProcessExitView& e) { Note("exit", e.process.id.pid); });
    processes_->OnExecFailure(
        [this](const ProcessExecFailureView& e) { Note("failure", e.process.id.pid); });
  }
  void Note(const std::string& kind, std::uint32_t pid) {
    seen_.push_back(kind + " " + std::to_string(pid));
    if (at_ == seen_.back()) {
      then_();
    }
  }
  DrainResult DrainAll(std::size_t max = 64) {
    DrainResult result;
    for (int turns = 0; turns < 1000; ++turns) {
      result = session_->Drain(max);
      EXPECT_LE(result.records, max);
      if (!result.more) {
        break;
      }
    }
    return result;
  }
  // Four processes; one execs before its entry was made, one exits after.
  void PushSnapshot() {
    for (std::uint32_t pid = 1; pid <= 4; ++pid) {
      fake_.Push(Running(pid, 100 + pid));
    }
    ProcessExec exec = TestExec(2);
    exec.time = At(90);
    fake_.Push(exec);
    fake_.Push(ProcessExit{.time = At(200), .process = TestProcess(3, 1), .exit_code = 0});
  }

  const Strings kAll = {"exec 2", "running 1", "running 3", "running 4", "exit 3"};
  FakeSource fake_;
  std::optional<Session> session_{NewSession(fake_)};
  std::optional<ProcessStream> processes_{OpenProcesses(*session_, {.snapshot = true})};
  Strings seen_;
  std::string at_;  // what is done as this comes: then_
  std::function<void()> then_;
};

TEST_F(SessionSnapshotTest, Snapshot_IsJoinedAndBalanced) {
  PushSnapshot();
  DrainAll();
  EXPECT_EQ(seen_, kAll);
  EXPECT_EQ(ProcessStats(*session_).merged, 1u);
  ExpectBalanced(ProcessStats(*session_));
  EXPECT_FALSE(Readable(session_->poll_fd()));
}

TEST_F(SessionSnapshotTest, Budget_OneRecordATurn_SameResult) {
  PushSnapshot();
  DrainAll(1);
  EXPECT_EQ(seen_, kAll);
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(SessionSnapshotTest, Empty_LiveRecordsPass) {
  DrainAll();
  fake_.Push(TestExec(5));
  DrainAll();
  EXPECT_EQ(seen_, Strings{"exec 5"});
}

TEST_F(SessionSnapshotTest, FailedExecBeforeTheEntry_ProcessIsStillAnnounced) {
  fake_.Push(Running(1, 100));
  fake_.Push(ProcessExecFailure{.time = At(90), .process = TestProcess(1, 1), .error = 2});
  DrainAll();
  EXPECT_EQ(seen_, (Strings{"failure 1", "running 1"}));
}

TEST_F(SessionSnapshotTest, ExitBeforeTheEntry_ProcessHasNeverBeen) {
  fake_.Push(Running(1, 100));
  fake_.Push(Running(2, 101));
  fake_.Push(ProcessExit{
      .time = At(90), .process = TestProcess(1, 1), .exit_code = 0, .duration = At(80) - At(0)});
  DrainAll();
  EXPECT_EQ(seen_, Strings{"running 2"});
  EXPECT_EQ(ProcessStats(*session_).merged, 2u);
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(SessionSnapshotTest, YoungerRecordFirst_NoDouble) {
  fake_.Push(Running(1, 100'000));
  fake_.Push(TestExec(5));
  ProcessExec younger = TestExec(6);
  younger.time = At(101'000);
  ProcessExec older = TestExec(1);
  older.time = At(99'000);
  fake_.Push(younger);
  fake_.Push(older);
  DrainAll();
  EXPECT_EQ(seen_, (Strings{"exec 5", "exec 1", "exec 6"}));
}

TEST_F(SessionSnapshotTest, MalformedRecord_IsCounted) {
  fake_.Push(Running(1, 100));
  fake_.PushRecord(StreamKind::kProcess, std::vector<std::byte>(7));
  fake_.PushRecord(StreamKind::kProcess, std::vector<std::byte>(200));
  DrainAll();
  EXPECT_EQ(seen_, Strings{"running 1"});
  EXPECT_EQ(ProcessStats(*session_).malformed, 2u);
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(SessionSnapshotTest, StopInACallback_IsTheLastOne) {
  at_ = "running 1";
  then_ = [this] { session_->Stop(); };
  PushSnapshot();
  EXPECT_TRUE(DrainAll().ended);
  EXPECT_EQ(seen_, (Strings{"exec 2", "running 1"}));
}

TEST_F(SessionSnapshotTest, StreamDestroyedInACallback_HearsNoMore) {
  at_ = "running 1";
  then_ = [this] { processes_.reset(); };
  PushSnapshot();
  DrainAll();
  EXPECT_EQ(seen_, (Strings{"exec 2", "running 1"}));
}

TEST_F(SessionSnapshotTest, SessionAndStreamDestroyedInACallback_Work) {
  at_ = "running 1";
  then_ = [this] {
    processes_.reset();
    session_.reset();
  };
  PushSnapshot();
  while (session_.has_value()) {
    session_->Drain(2);
  }
  EXPECT_EQ(seen_, (Strings{"exec 2", "running 1"}));
}

TEST_F(SessionSnapshotTest, ThrowInEachCallback_NoRecordTwiceNoneGone) {
  processes_->OnExec([this](const ProcessExecView& e) {
    Note(e.pre_existing ? "running" : "exec", e.process.id.pid);
    throw std::runtime_error("exec");
  });
  PushSnapshot();
  for (int turns = 0; turns < 100; ++turns) {
    try {
      if (!session_->Drain(3).more) {
        break;
      }
    } catch (const std::runtime_error&) {
      EXPECT_TRUE(Readable(session_->poll_fd()));
    }
  }
  EXPECT_EQ(seen_, kAll);
  ExpectBalanced(ProcessStats(*session_));
}

// A second exception in one turn would displace the first.
TEST_F(SessionSnapshotTest, ThrowInOnLossWhileRecordsAreHeld_AllPassThrough) {
  Strings thrown;
  processes_->OnExec([](const ProcessExecView&) { throw std::runtime_error("exec"); });
  session_->OnLoss([](const Loss&) { throw std::runtime_error("loss"); });
  fake_.Push(Running(1, 100));
  fake_.Push(Running(2, 101));
  fake_.Push(Running(3, 102));
  fake_.PushLoss(TestLoss(1));
  fake_.PushLoss(TestLoss(2));
  for (int turns = 0; turns < 100; ++turns) {
    try {
      const DrainResult result = session_->Drain(64);
      if (!result.more) {
        break;
      }
    } catch (const std::runtime_error& e) {
      thrown.emplace_back(e.what());
    }
  }
  std::sort(thrown.begin(), thrown.end());
  EXPECT_EQ(thrown, (Strings{"exec", "exec", "exec", "loss", "loss"}));
}

// One that is asked for at a time.
class Pull final : public NextOperation<ProcessEvent> {
 public:
  explicit Pull(Strings* seen) : seen_(seen) {}
  void Complete(ProcessEvent event) override {
    seen_->push_back(
        std::visit([](const auto& e) { return std::to_string(e.process.id.pid); }, event));
  }
  void Fail(Failure failure) override {
    seen_->push_back(failure == Failure::kEnded ? "ended" : "failed");
  }

 private:
  Strings* seen_;
};

TEST_F(SessionSnapshotTest, Pulled_NobodyAsks_HeldRecordsWaitWithoutSpinning) {
  Strings pulled;
  processes_->StartNext(std::make_unique<Pull>(&pulled));
  PushSnapshot();
  DrainAll();
  EXPECT_EQ(pulled, Strings{"2"});
  EXPECT_FALSE(Readable(session_->poll_fd()));
  EXPECT_FALSE(session_->Drain(10).more);
  EXPECT_FALSE(Readable(session_->poll_fd()));
}

TEST_F(SessionSnapshotTest, Pulled_SourceEnds_HeldRecordsComeBeforeTheEnd) {
  Strings pulled;
  PushSnapshot();
  fake_.End();
  for (std::size_t asked = 1; asked <= 6; ++asked) {
    processes_->StartNext(std::make_unique<Pull>(&pulled));
    DrainAll();
    ASSERT_EQ(pulled.size(), asked);
  }
  EXPECT_EQ(pulled, (Strings{"2", "1", "3", "4", "3", "ended"}));
  EXPECT_EQ(seen_, Strings{}) << "callbacks are not called any more";
  ExpectBalanced(ProcessStats(*session_));
}

}  // namespace
}  // namespace masflow::internal
