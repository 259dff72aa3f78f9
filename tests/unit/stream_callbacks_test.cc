// SPDX-License-Identifier: Apache-2.0
//
// What callbacks may do: throw, replace themselves, call back into the session.
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/process_stream.h"
#include "test_support.h"

namespace masflow::internal {
namespace {

using StreamCallbacksTest = FakeSessionTest;
using Strings = std::vector<std::string>;

TEST_F(StreamCallbacksTest, EachKind_GoesToItsCallback) {
  std::vector<ProcessEvent> seen;
  const auto keep = [&](const auto& view) { seen.emplace_back(Own(view)); };
  processes_->OnExec(keep);
  processes_->OnExit(keep);
  processes_->OnFork(keep);
  processes_->OnExecFailure(keep);
  ProcessExit exit = FullExit();
  exit.exit_code = std::nullopt;
  ProcessExec exec = FullExec();
  exec.pre_existing = false;
  fake_.Push(FullFork());
  fake_.Push(exec);
  fake_.Push(FullExecFailure());
  fake_.Push(exit);
  DrainAll();
  EXPECT_EQ(seen, (std::vector<ProcessEvent>{FullFork(), exec, FullExecFailure(), exit}));
}

TEST_F(StreamCallbacksTest, None_RecordIsUnheard) {
  fake_.Push(TestExec(1));
  DrainAll();
  CollectExecs();
  fake_.Push(TestExec(2));
  DrainAll();
  processes_->OnExec(nullptr);
  fake_.Push(TestExec(3));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(2, 2));
  EXPECT_EQ(ProcessStats(*session_).unheard, 2u);
}

TEST_F(StreamCallbacksTest, ReplacedInsideItself_RunsToItsEndThenTheNewOne) {
  Strings seen;
  const auto held = std::make_shared<int>(0);
  processes_->OnExec([&, held, text = std::string(64, 'f')](const ProcessExecView&) {
    processes_->OnExec([&](const ProcessExecView&) { seen.emplace_back("second"); });
    processes_->OnExec([&](const ProcessExecView&) { seen.emplace_back("third"); });
    EXPECT_EQ(held.use_count(), 2);
    seen.push_back(text);
  });
  PushExecs(fake_, 1, 3);
  DrainAll();
  EXPECT_EQ(seen, (Strings{std::string(64, 'f'), "third", "third"}));
  EXPECT_EQ(held.use_count(), 1) << "the replaced one is released";
}

TEST_F(StreamCallbacksTest, RemovedInsideItself_RunsToItsEnd) {
  processes_->OnExec([this, pids = &pids_](const ProcessExecView& e) {
    processes_->OnExec(nullptr);
    pids->push_back(e.process.id.pid);
  });
  PushExecs(fake_, 1, 3);
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 1));
  EXPECT_EQ(ProcessStats(*session_).unheard, 2u);
}

TEST_F(StreamCallbacksTest, OnLoss_ReplacedInsideItself_RunsToItsEndThenTheNewOne) {
  Strings seen;
  session_->OnLoss([&, text = std::string(64, 'f')](const Loss&) {
    session_->OnLoss([&](const Loss&) { seen.emplace_back("second"); });
    seen.push_back(text);
  });
  fake_.PushLoss(TestLoss(1));
  fake_.PushLoss(TestLoss(1));
  DrainAll();
  EXPECT_EQ(seen, (Strings{std::string(64, 'f'), "second"}));
}

// Whose destructors call back into the library.
TEST_F(StreamCallbacksTest, ReplacedOne_WhoseEndReplacesAnother_Works) {
  struct OnEnd {
    std::function<void()> what;
    ~OnEnd() { what(); }
  };
  int ends = 0;
  auto of_exec = std::make_shared<OnEnd>([&] {
    ++ends;
    for (int i = 0; i < 20; ++i) {
      processes_->OnExec([](const ProcessExecView&) {});
    }
  });
  auto of_loss = std::make_shared<OnEnd>([&] {
    ++ends;
    for (int i = 0; i < 20; ++i) {
      session_->OnLoss([](const Loss&) {});
    }
  });
  processes_->OnExec([this, of_exec = std::move(of_exec)](const ProcessExecView&) {
    processes_->OnExec(nullptr);
  });
  session_->OnLoss(
      [this, of_loss = std::move(of_loss)](const Loss&) { session_->OnLoss(nullptr); });
  fake_.Push(TestExec(1));
  fake_.PushLoss(TestLoss(1));
  DrainAll();
  DrainAll();
  EXPECT_EQ(ends, 2);
}

TEST_F(StreamCallbacksTest, Drain_InACallback_DoesNothing) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    const DrainResult inner = session_->Drain(10);
    EXPECT_EQ(inner.records, 0u);
    EXPECT_FALSE(inner.more);
    EXPECT_FALSE(inner.ended);
  });
  PushExecs(fake_, 1, 3);
  EXPECT_EQ(session_->Drain(10).records, 3u);
  EXPECT_EQ(pids_, PidRange(1, 3));
}

TEST_F(StreamCallbacksTest, Open_InACallback_Works) {
  const FakeSource other_fake;
  Session other = NewSession(other_fake);
  bool opened = false;
  processes_->OnExec([&](const ProcessExecView&) {
    EXPECT_EQ(ProcessStream::Open(*session_).status().code(), absl::StatusCode::kAlreadyExists);
    opened = ProcessStream::Open(other).ok();
  });
  fake_.Push(TestExec(1));
  DrainAll();
  EXPECT_TRUE(opened);
}

TEST_F(StreamCallbacksTest, Open_InACallbackAfterStop_FailedPrecondition) {
  processes_->OnExec([&](const ProcessExecView&) {
    session_->Stop();
    EXPECT_EQ(ProcessStream::Open(*session_).status().code(),
              absl::StatusCode::kFailedPrecondition);
  });
  fake_.Push(TestExec(1));
  DrainAll();
  EXPECT_EQ(ProcessStats(*session_).delivered, 1u);
}

TEST_F(StreamCallbacksTest, Push_InACallback_IsDelivered) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    if (e.process.id.pid < 5) {
      fake_.Push(TestExec(e.process.id.pid + 1));
    }
  });
  fake_.Push(TestExec(1));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 5));
}

// Drains until all is out, whatever is thrown; what was thrown, in that order.
Strings DrainThroughThrows(Session& session) {
  Strings thrown;
  for (int turns = 0; turns < 1000; ++turns) {
    try {
      if (!session.Drain(4).more) {
        break;
      }
    } catch (const std::runtime_error& e) {
      thrown.emplace_back(e.what());
      EXPECT_TRUE(Readable(session.poll_fd())) << "what is left must not wait for another record";
    }
  }
  return thrown;
}

TEST_F(StreamCallbacksTest, Throw_InEachCallback_NoRecordTwiceNoneGone) {
  Strings seen;
  const auto fail = [&](const char* kind) {
    return [&, kind](const auto& e) {
      seen.push_back(kind + std::to_string(e.process.id.pid));
      throw std::runtime_error(seen.back());
    };
  };
  processes_->OnExec(fail("exec"));
  processes_->OnExit(fail("exit"));
  processes_->OnFork(fail("fork"));
  processes_->OnExecFailure(fail("failure"));
  session_->OnLoss([&](const Loss& loss) {
    seen.push_back("loss" + std::to_string(loss.count));
    throw std::runtime_error(seen.back());
  });
  fake_.Push(TestFork(1));
  fake_.Push(TestExec(1));
  fake_.Push(ProcessExecFailure{.time = At(1), .process = TestProcess(1, 1)});
  fake_.Push(TestExit(1));
  PushExecs(fake_, 2, 6);
  fake_.PushLoss(TestLoss(7));
  fake_.PushLoss(TestLoss(8));
  const Strings thrown = DrainThroughThrows(*session_);
  EXPECT_EQ(thrown, seen) << "each one passes through";
  Strings records;
  Strings losses;
  for (const std::string& s : seen) {
    (s.starts_with("loss") ? losses : records).push_back(s);
  }
  EXPECT_EQ(records, (Strings{"fork1", "exec1", "failure1", "exit1", "exec2", "exec3", "exec4",
                              "exec5", "exec6"}));
  EXPECT_EQ(losses, (Strings{"loss7", "loss8"}));
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(StreamCallbacksTest, Throw_NextDrain_GoesOnWithTheNextRecord) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    if (e.process.id.pid == 2) {
      throw std::runtime_error("at 2");
    }
  });
  PushExecs(fake_, 1, 4);
  EXPECT_THROW(session_->Drain(10), std::runtime_error);
  EXPECT_EQ(pids_, PidRange(1, 2));
  const DrainResult result = session_->Drain(10);
  EXPECT_EQ(result.records, 2u);
  EXPECT_FALSE(result.more);
  EXPECT_EQ(pids_, PidRange(1, 4));
  EXPECT_EQ(ProcessStats(*session_).delivered, 4u);
}

TEST_F(StreamCallbacksTest, Throw_WithALossInTheSameTurn_LossFollows) {
  Strings seen;
  processes_->OnExec([](const ProcessExecView&) { throw std::runtime_error("exec"); });
  session_->OnLoss([&](const Loss& loss) { seen.push_back(std::to_string(loss.count)); });
  fake_.Push(TestExec(1));
  fake_.PushLoss(TestLoss(5));
  EXPECT_THROW(session_->Drain(10), std::runtime_error);
  EXPECT_EQ(seen, Strings{});
  EXPECT_TRUE(Readable(session_->poll_fd()));
  session_->Drain(10);
  EXPECT_EQ(seen, Strings{"5"});
}

TEST_F(StreamCallbacksTest, Throw_AfterStop_PassesThroughAndTheSessionEnds) {
  processes_->OnExec([this](const ProcessExecView&) {
    session_->Stop();
    throw std::runtime_error("stopped");
  });
  PushExecs(fake_, 1, 2);
  EXPECT_THROW(session_->Drain(10), std::runtime_error);
  EXPECT_TRUE(session_->Drain(10).ended);
  EXPECT_EQ(ProcessStats(*session_).delivered, 1u);
}

TEST_F(StreamCallbacksTest, Throw_AfterTheStreamIsGone_PassesThrough) {
  processes_->OnExec([this](const ProcessExecView&) {
    processes_.reset();
    throw std::runtime_error("gone");
  });
  PushExecs(fake_, 1, 2);
  EXPECT_THROW(session_->Drain(10), std::runtime_error);
  EXPECT_EQ(session_->Drain(10).records, 0u);
}

TEST_F(StreamCallbacksTest, Throw_AfterReplacingItself_NewOneIsNext) {
  processes_->OnExec([this](const ProcessExecView&) {
    CollectExecs();
    throw std::runtime_error("replaced");
  });
  PushExecs(fake_, 1, 3);
  EXPECT_THROW(session_->Drain(10), std::runtime_error);
  DrainAll();
  EXPECT_EQ(pids_, PidRange(2, 3));
}

TEST_F(StreamCallbacksTest, Throw_AnythingAtAll_PassesThrough) {
  processes_->OnExec([](const ProcessExecView&) { throw 42; });
  fake_.Push(TestExec(1));
  EXPECT_THROW(session_->Drain(10), int);
}

}  // namespace
}  // namespace masflow::internal
