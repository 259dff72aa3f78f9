// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "asio_testing.h"
#include "masflow/asio.h"
#include "test_support.h"

namespace masflow::internal {
namespace {

using AsioDriverTest = AsioTest;

TEST_F(AsioDriverTest, Callbacks_RunOnTheContext) {
  CollectExecs();
  Drive();
  PushExecs(fake_, 1, 3);
  EXPECT_EQ(pids_, PidRange(1, 0)) << "nothing runs outside of it";
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 3));
  PushExecs(fake_, 4, 5);
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 5));
}

TEST_F(AsioDriverTest, Idle_WaitsWithoutTurning) {
  Drive();
  Poll();
  io_.restart();
  EXPECT_EQ(io_.poll(), 0u);
  EXPECT_FALSE(io_.stopped()) << "there is a driver to wait for";
}

// What a host does beside: its handler runs at least once for each budget of records.
TEST_F(AsioDriverTest, Storm_AnotherHandler_RunsAtLeastOncePerBudget) {
  constexpr std::size_t kBudget = 100;
  constexpr std::uint32_t kRecords = 50'000;
  std::size_t since = 0;
  std::size_t longest = 0;
  std::size_t runs = 0;
  processes_->OnExec([&](const ProcessExecView&) { longest = std::max(longest, ++since); });
  PushExecs(fake_, 1, kRecords);
  fake_.End();
  bool ended = false;
  std::function<void()> beside = [&] {
    ++runs;
    since = 0;
    ended = ended || ProcessStats(*session_).delivered == kRecords;
    if (!ended) {
      asio::post(io_, beside);
    }
  };
  Drive(kBudget);
  asio::post(io_, beside);
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(ProcessStats(*session_).delivered, kRecords);
  EXPECT_GE(runs, kRecords / kBudget);
  EXPECT_LE(longest, kBudget);
}

// Also one that waits for a descriptor, which a loop of posted handlers could starve.
TEST_F(AsioDriverTest, EndlessStorm_ATimer_StillFires) {
  processes_->OnExec([this](const ProcessExecView& e) { fake_.Push(Own(e)); });
  PushExecs(fake_, 1, 10);
  Drive(5);
  asio::steady_timer timer(io_, std::chrono::milliseconds(20));
  bool fired = false;
  timer.async_wait([&](const boost::system::error_code&) {
    fired = true;
    session_->Stop();
  });
  EXPECT_TRUE(RunToEnd());
  EXPECT_TRUE(fired);
}

TEST_F(AsioDriverTest, Stop_FromACallback_RunReturns) {
  processes_->OnExec([this](const ProcessExecView&) { session_->Stop(); });
  Drive();
  PushExecs(fake_, 1, 3);
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(ProcessStats(*session_).delivered, 1u);
}

TEST_F(AsioDriverTest, Stop_FromAnotherHandler_RunReturns) {
  Drive();
  Poll();
  asio::post(io_, [this] { session_->Stop(); });
  EXPECT_TRUE(RunToEnd());
}

TEST_F(AsioDriverTest, Stop_FromAnotherThread_RunReturns) {
  std::atomic<bool> running{false};
  asio::post(io_, [&] { running = true; });
  Drive();
  std::thread other([&] {
    Eventually([&] { return running.load(); });
    session_->Stop();
  });
  EXPECT_TRUE(RunToEnd());
  other.join();
}

TEST_F(AsioDriverTest, EndOfTheSource_RunReturns) {
  CollectExecs();
  Drive(2);
  PushExecs(fake_, 1, 5);
  fake_.End();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(pids_, PidRange(1, 5));
}

TEST_F(AsioDriverTest, Driver_OnAnEndedSession_RunReturns) {
  session_->Stop();
  Drive();
  EXPECT_TRUE(RunToEnd());
}

TEST_F(AsioDriverTest, Driver_Destroyed_RunReturnsAndNothingIsCalled) {
  CollectExecs();
  Drive();
  fake_.Push(TestExec(1));
  driver_.reset();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(pids_, PidRange(1, 0));
}

TEST_F(AsioDriverTest, Driver_DestroyedInACallback_TurnEndsAndNoOtherFollows) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    driver_.reset();
  });
  Drive(2);
  PushExecs(fake_, 1, 5);
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(pids_, PidRange(1, 2)) << "the turn in progress is handed out";
  Drive();
  Poll();
  EXPECT_EQ(pids_.back(), 5u) << "another one goes on";
}

// Between two turns the next one is posted already.
TEST_F(AsioDriverTest, Driver_DestroyedBetweenTurns_NoOtherFollows) {
  CollectExecs();
  Drive(2);
  PushExecs(fake_, 1, 6);
  while (pids_.empty()) {
    io_.restart();
    io_.run_one_for(kDeadline);
  }
  driver_.reset();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(pids_, PidRange(1, 2));
}

TEST_F(AsioDriverTest, DriverStreamAndSession_DestroyedInACallback_RunReturns) {
  processes_->OnExec([this](const ProcessExecView&) {
    processes_.reset();
    session_.reset();
    driver_.reset();
  });
  Drive();
  PushExecs(fake_, 1, 2);
  EXPECT_TRUE(RunToEnd());
  EXPECT_FALSE(driver_.has_value());
}

TEST_F(AsioDriverTest, SessionAndStream_DestroyedInACallback_RunReturns) {
  processes_->OnExec([this](const ProcessExecView&) {
    processes_.reset();
    session_.reset();
  });
  Drive();
  PushExecs(fake_, 1, 2);
  EXPECT_TRUE(RunToEnd());
}

TEST_F(AsioDriverTest, Session_DestroyedBeforeTheDriver_RunReturns) {
  Drive();
  Poll();
  session_.reset();
  EXPECT_TRUE(RunToEnd());
}

TEST_F(AsioDriverTest, Session_MovedAfterwards_GoesOn) {
  CollectExecs();
  Drive();
  Session moved(std::move(*session_));
  session_.reset();
  fake_.Push(TestExec(1));
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 1));
  moved.Stop();
  EXPECT_TRUE(RunToEnd());
}

TEST_F(AsioDriverTest, Context_DestroyedWithoutARun_IsSafe) {
  auto io = std::make_unique<asio::io_context>(1);
  auto driver = std::make_unique<AsioDriver>(io->get_executor(), *session_);
  fake_.Push(TestExec(1));
  driver.reset();
  io.reset();
  CollectExecs();
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 1)) << "the session is whole";
}

TEST_F(AsioDriverTest, Exception_GoesThroughRun_NextRunGoesOnWithTheNextRecord) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    if (e.process.id.pid % 2 == 0) {
      throw std::runtime_error("even");
    }
  });
  PushExecs(fake_, 1, 6);
  fake_.End();
  Drive();
  int thrown = 0;
  for (bool done = false; !done;) {
    try {
      done = RunToEnd();
      ASSERT_TRUE(done);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_EQ(thrown, 3);
  EXPECT_EQ(pids_, PidRange(1, 6));
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(AsioDriverTest, Exception_WithTheDriverGone_RunReturns) {
  processes_->OnExec([this](const ProcessExecView&) {
    driver_.reset();
    throw std::runtime_error("gone");
  });
  fake_.Push(TestExec(1));
  Drive();
  EXPECT_THROW(RunToEnd(), std::runtime_error);
  EXPECT_TRUE(RunToEnd());
}

TEST_F(AsioDriverTest, OnEnd_CalledOnceAfterTheLastEvent) {
  CollectExecs();
  Drive(2);
  std::vector<std::size_t> seen;
  driver_->OnEnd([&] { seen.push_back(pids_.size()); });
  PushExecs(fake_, 1, 5);
  Poll();
  EXPECT_THAT(seen, ::testing::IsEmpty()) << "it goes on";
  PushExecs(fake_, 6, 7);
  fake_.End();
  EXPECT_TRUE(RunToEnd());
  Poll();
  EXPECT_THAT(seen, ::testing::ElementsAre(7));
}

TEST_F(AsioDriverTest, OnEnd_AfterStopOnAnotherThread_RunsOnTheContext) {
  Drive();
  std::thread::id on;
  driver_->OnEnd([&] { on = std::this_thread::get_id(); });
  std::thread([this] { session_->Stop(); }).join();
  EXPECT_EQ(on, std::thread::id());
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(on, std::this_thread::get_id());
}

TEST_F(AsioDriverTest, OnEnd_SetAfterTheEnd_IsCalled) {
  Drive();
  session_->Stop();
  EXPECT_TRUE(RunToEnd());
  int calls = 0;
  driver_->OnEnd([&] { ++calls; });
  EXPECT_EQ(calls, 0) << "nothing runs outside of the context";
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(calls, 1);
}

TEST_F(AsioDriverTest, OnEnd_ReplacedOrDriverGone_IsNotCalled) {
  int calls = 0;
  Drive();
  driver_->OnEnd([&] { ++calls; });
  driver_->OnEnd(nullptr);
  session_->Stop();
  EXPECT_TRUE(RunToEnd());
  driver_->OnEnd([&] { ++calls; });
  driver_.reset();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(calls, 0);
}

TEST_F(AsioDriverTest, OnEnd_MayDestroyAllAndThrow) {
  Drive();
  driver_->OnEnd([this] {
    processes_.reset();
    session_.reset();
    driver_.reset();
    throw std::runtime_error("ended");
  });
  fake_.End();
  EXPECT_THROW(RunToEnd(), std::runtime_error);
  EXPECT_TRUE(RunToEnd());
}

TEST_F(AsioDriverTest, TwoSessions_OneContext_BothAreServed) {
  FakeSource other_fake;
  Session other = NewSession(other_fake);
  ProcessStream other_processes = OpenProcesses(other);
  std::vector<std::uint32_t> other_pids;
  CollectExecs();
  other_processes.OnExec([&](const ProcessExecView& e) { other_pids.push_back(e.process.id.pid); });
  Drive(3);
  AsioDriver other_driver(io_.get_executor(), other, 3);
  PushExecs(fake_, 1, 10);
  PushExecs(other_fake, 11, 20);
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 10));
  EXPECT_EQ(other_pids, PidRange(11, 20));
}

TEST_F(AsioDriverTest, Driver_AfterAnotherOfTheSameSession_GoesOn) {
  CollectExecs();
  for (std::uint32_t pid = 1; pid <= 3; ++pid) {
    Drive();
    fake_.Push(TestExec(pid));
    Poll();
    driver_.reset();
    Poll();
  }
  EXPECT_EQ(pids_, PidRange(1, 3));
}

TEST(AsioDriver, Strand_OnAContextOfTwoThreads_CallsOneAtATime) {
  constexpr std::uint32_t kRecords = 20'000;
  FakeSource fake;
  Session session = NewSession(fake);
  ProcessStream processes = OpenProcesses(session);
  asio::io_context io;
  const auto strand = asio::make_strand(io);
  std::vector<std::uint32_t> pids;  // without a lock
  bool always_on_the_strand = true;
  processes.OnExec([&](const ProcessExecView& e) {
    pids.push_back(e.process.id.pid);
    always_on_the_strand = always_on_the_strand && strand.running_in_this_thread();
  });
  auto driver = std::make_unique<AsioDriver>(strand, session, 16);
  std::thread producer([&] {
    PushExecs(fake, 1, kRecords);
    fake.End();
  });
  std::thread other([&] { io.run_for(kDeadline); });
  io.run_for(kDeadline);
  EXPECT_TRUE(io.stopped());
  other.join();
  producer.join();
  EXPECT_EQ(pids, PidRange(1, kRecords));
  EXPECT_TRUE(always_on_the_strand);
}

}  // namespace
}  // namespace masflow::internal
