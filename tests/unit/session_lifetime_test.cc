// SPDX-License-Identifier: Apache-2.0
//
// Sessions and streams that are moved, destroyed and opened at odd moments.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/session.h"
#include "test_support.h"

namespace masflow::internal {
namespace {

using SessionLifetimeTest = FakeSessionTest;

TEST_F(SessionLifetimeTest, Stream_DestroyedInItsCallback_HearsNoMore) {
  processes_->OnExec([this, alive = std::string(64, 'a')](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    if (e.process.id.pid == 2) {
      processes_.reset();
      EXPECT_EQ(alive, std::string(64, 'a')) << "the callback that runs stays";
      EXPECT_EQ(e.filename, "/bin/ls") << "so does the event";
    }
  });
  PushExecs(fake_, 1, 5);
  EXPECT_EQ(session_->Drain(10).records, 2u);
  EXPECT_EQ(session_->Drain(10).records, 0u);
  EXPECT_EQ(pids_, PidRange(1, 2));
  EXPECT_EQ(ProcessStats(*session_).delivered, 2u);
  EXPECT_FALSE(session_->Drain(10).ended) << "only the stream is gone";
}

TEST_F(SessionLifetimeTest, Stream_DestroyedInItsCallback_CanBeOpenedAfterTheTurn) {
  processes_->OnExec([this](const ProcessExecView&) { processes_.reset(); });
  fake_.Push(TestExec(1));
  session_->Drain(10);
  processes_ = OpenProcesses(*session_);
  CollectExecs();
  fake_.Push(TestExec(2));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(2, 2));
}

TEST_F(SessionLifetimeTest, Stream_DestroyedInOnLoss_Works) {
  CollectExecs();
  session_->OnLoss([this](const Loss&) { processes_.reset(); });
  fake_.Push(TestExec(1));
  fake_.PushLoss(TestLoss(1));
  DrainAll();
  EXPECT_FALSE(processes_.has_value());
  EXPECT_EQ(ProcessStats(*session_).lost_total(), 1u);
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(SessionLifetimeTest, Stream_Destroyed_ReleasesWhatItsCallbacksHold) {
  const auto held = std::make_shared<int>(0);
  processes_->OnExec([held](const ProcessExecView&) {});
  processes_->OnExit([held](const ProcessExitView&) {});
  EXPECT_EQ(held.use_count(), 3);
  processes_.reset();
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(SessionLifetimeTest, Stream_DestroyedInItsCallback_ReleasesWhatItsCallbacksHold) {
  const auto held = std::make_shared<int>(0);
  processes_->OnExec([this, held](const ProcessExecView&) { processes_.reset(); });
  fake_.Push(TestExec(1));
  session_->Drain(10);
  EXPECT_EQ(held.use_count(), 1);
}

// A callback may own the very stream that it belongs to.
TEST_F(SessionLifetimeTest, Stream_OwnedByItsCallback_DestroyedWithIt) {
  auto owned = std::make_shared<ProcessStream>(*std::move(processes_));
  ProcessStream* const stream = owned.get();
  stream->OnExec([this, owned = std::move(owned)](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    owned->OnExec(nullptr);
  });
  PushExecs(fake_, 1, 3);
  session_->Drain(10);
  EXPECT_EQ(pids_, PidRange(1, 1));
  EXPECT_EQ(session_->Drain(10).records, 0u);
  EXPECT_TRUE(ProcessStream::Open(*session_).ok()) << "the first one is closed";
}

TEST_F(SessionLifetimeTest, Session_DestroyedFirst_StreamJustEnds) {
  CollectExecs();
  PushExecs(fake_, 1, 3);
  session_->Drain(1);
  session_.reset();
  processes_->OnExec([](const ProcessExecView&) { FAIL(); });
  processes_.reset();
  EXPECT_EQ(pids_, PidRange(1, 1));
}

TEST_F(SessionLifetimeTest, Session_DestroyedInACallback_Works) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    session_.reset();
    EXPECT_EQ(e.filename, "/bin/ls");
  });
  PushExecs(fake_, 1, 3);
  const DrainResult result = session_->Drain(10);
  EXPECT_TRUE(result.ended);
  EXPECT_EQ(pids_, PidRange(1, 1));
  processes_->OnExec(nullptr);
}

TEST_F(SessionLifetimeTest, SessionAndStream_DestroyedInACallback_Work) {
  const auto held = std::make_shared<int>(0);
  processes_->OnExec([this, held](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    processes_.reset();
    session_.reset();
    EXPECT_EQ(e.filename, "/bin/ls");
  });
  PushExecs(fake_, 1, 3);
  EXPECT_TRUE(session_->Drain(10).ended);
  EXPECT_EQ(pids_, PidRange(1, 1));
  EXPECT_EQ(held.use_count(), 1);
}

TEST_F(SessionLifetimeTest, SessionAndStream_DestroyedInOnLoss_Work) {
  session_->OnLoss([this](const Loss&) {
    session_.reset();
    processes_.reset();
  });
  fake_.PushLoss(TestLoss(1));
  EXPECT_TRUE(session_->Drain(10).ended);
}

TEST_F(SessionLifetimeTest, SessionStreamAndHandle_DestroyedInACallback_Work) {
  std::optional<DrainHandle> handle(session_->drain_handle());
  processes_->OnExec([&](const ProcessExecView&) {
    processes_.reset();
    session_.reset();
    handle.reset();
  });
  fake_.Push(TestExec(1));
  EXPECT_TRUE(handle->Drain(10).ended);
}

TEST_F(SessionLifetimeTest, Session_ThrowsAndIsDestroyedInACallback_Works) {
  processes_->OnExec([this](const ProcessExecView&) {
    processes_.reset();
    session_.reset();
    throw std::string("as usual");
  });
  fake_.Push(TestExec(1));
  EXPECT_THROW(session_->Drain(10), std::string);
}

TEST_F(SessionLifetimeTest, DrainHandle_OutlivesTheSession_SaysEnded) {
  const DrainHandle handle = session_->drain_handle();
  session_.reset();
  EXPECT_TRUE(Readable(handle.poll_fd()));
  EXPECT_TRUE(handle.poll_fd() >= 0);
  DrainHandle copy = handle;
  EXPECT_TRUE(copy.Drain(10).ended);
}

TEST_F(SessionLifetimeTest, Session_Moved_GoesOn) {
  CollectExecs();
  fake_.Push(TestExec(1));
  session_->Drain(10);
  const int fd = session_->poll_fd();
  Session moved(std::move(*session_));
  session_.reset();
  EXPECT_EQ(moved.poll_fd(), fd);
  fake_.Push(TestExec(2));
  moved.Drain(10);
  EXPECT_EQ(pids_, PidRange(1, 2));
  EXPECT_EQ(ProcessStats(moved).delivered, 2u);
}

TEST_F(SessionLifetimeTest, Session_Assigned_EndsTheOneItHeld) {
  CollectExecs();
  const DrainHandle old = session_->drain_handle();
  const FakeSource other;
  *session_ = NewSession(other);
  EXPECT_TRUE(DrainHandle(old).Drain(1).ended);
  EXPECT_FALSE(session_->Drain(1).ended);
  EXPECT_TRUE(ProcessStream::Open(*session_).ok());
}

TEST_F(SessionLifetimeTest, Session_AssignedWhileItsThreadRuns_EndsBoth) {
  ASSERT_TRUE(session_->RunInThread().ok());
  const FakeSource other;
  *session_ = NewSession(other);
  session_->Wait();
  EXPECT_TRUE(session_->RunInThread().ok());
}

TEST_F(SessionLifetimeTest, Stream_Moved_GoesOn) {
  CollectExecs();
  ProcessStream moved(std::move(*processes_));
  processes_.reset();
  fake_.Push(TestExec(1));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 1));
}

TEST_F(SessionLifetimeTest, Stream_Assigned_ClosesTheOneItHeld) {
  const FakeSource other_fake;
  Session other = NewSession(other_fake);
  *processes_ = OpenProcesses(other);
  EXPECT_TRUE(ProcessStream::Open(*session_).ok());
  EXPECT_EQ(ProcessStream::Open(other).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(SessionLifetimeTest, TwoSessions_ShareNothing) {
  FakeSource other_fake;
  Session other = NewSession(other_fake);
  ProcessStream other_processes = OpenProcesses(other);
  std::vector<std::uint32_t> other_pids;
  CollectExecs();
  other_processes.OnExec([&](const ProcessExecView& e) {
    other_pids.push_back(e.process.id.pid);
    DrainAll();  // the other session, from a callback of this one
  });
  PushExecs(fake_, 1, 3);
  PushExecs(other_fake, 10, 11);
  other.Drain(10);
  EXPECT_EQ(pids_, PidRange(1, 3));
  EXPECT_EQ(other_pids, PidRange(10, 11));
  session_->Stop();
  other_fake.Push(TestExec(12));
  other.Drain(10);
  EXPECT_EQ(other_pids, PidRange(10, 12));
}

TEST_F(SessionLifetimeTest, FakeSource_DestroyedFirst_SessionGoesOn) {
  auto fake = std::make_unique<FakeSource>();
  Session session = NewSession(*fake);
  ProcessStream stream = OpenProcesses(session);
  fake->Push(TestExec(1));
  fake.reset();
  stream.OnExec([this](const ProcessExecView& e) { pids_.push_back(e.process.id.pid); });
  session.Drain(10);
  EXPECT_EQ(pids_, PidRange(1, 1));
}

}  // namespace
}  // namespace masflow::internal
