// SPDX-License-Identifier: Apache-2.0
//
// AsioDriver::AsyncNext.
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>  // Boost 1.74's awaitable.hpp uses std::exchange without it
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "asio_testing.h"
#include "masflow/asio.h"
#include "test_support.h"

namespace masflow::internal {
namespace {

using boost::system::error_code;

std::uint32_t PidOf(const ProcessEvent& event) {
  return std::visit([](const auto& e) { return e.process.id.pid; }, event);
}

class AsyncNextTest : public AsioTest {
 protected:
  AsyncNextTest() { Drive(); }

  // Asks once; what comes goes to pids_ or errors_.
  void Ask() {
    driver_->AsyncNext(*processes_, [this](error_code error, ProcessEvent event) {
      if (error) {
        errors_.push_back(error);
      } else {
        pids_.push_back(PidOf(event));
      }
    });
  }

  std::vector<error_code> errors_;
};

TEST_F(AsyncNextTest, Callback_GetsTheEventWhole) {
  std::optional<ProcessEvent> got;
  driver_->AsyncNext(*processes_, [&](error_code error, ProcessEvent event) {
    EXPECT_FALSE(error);
    got = std::move(event);
  });
  ProcessExec exec = FullExec();
  exec.pre_existing = false;
  fake_.Push(exec);
  EXPECT_FALSE(got.has_value());
  Poll();
  EXPECT_EQ(got, ProcessEvent(exec));
}

TEST_F(AsyncNextTest, Callback_MoveOnly_Works) {
  auto held = std::make_unique<int>(5);
  int got = 0;
  driver_->AsyncNext(*processes_,
                     [&got, held = std::move(held)](error_code, ProcessEvent) { got = *held; });
  fake_.Push(TestExit(1));
  Poll();
  EXPECT_EQ(got, 5);
}

TEST_F(AsyncNextTest, Callback_IsNeverCalledFromTheCallThatAsks) {
  PushExecs(fake_, 1, 1);
  bool inside = true;
  bool called = false;
  driver_->AsyncNext(*processes_, [&](error_code, ProcessEvent) {
    EXPECT_FALSE(inside);
    called = true;
  });
  session_->Drain(10);
  EXPECT_FALSE(called) << "nor from Drain";
  inside = false;
  Poll();
  EXPECT_TRUE(called);
}

TEST_F(AsyncNextTest, Callback_RunsOnItsOwnExecutor) {
  asio::io_context other(1);
  bool called = false;
  driver_->AsyncNext(
      *processes_,
      asio::bind_executor(other.get_executor(), [&](error_code, ProcessEvent) { called = true; }));
  fake_.Push(TestExec(1));
  Poll();
  EXPECT_FALSE(called);
  EXPECT_EQ(other.run_for(kDeadline), 1u) << "and keeps that one from returning early";
  EXPECT_TRUE(called);
}

TEST_F(AsyncNextTest, Future_GetsTheEvent) {
  std::future<ProcessEvent> next = driver_->AsyncNext(*processes_, asio::use_future);
  fake_.Push(TestExec(1));
  Poll();
  ASSERT_EQ(next.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_EQ(next.get(), ProcessEvent(TestExec(1)));
}

TEST_F(AsyncNextTest, Future_StartsNoThread) {
  const auto threads = CountEntries("/proc/self/task");
  std::future<ProcessEvent> next = driver_->AsyncNext(*processes_, asio::use_future);
  fake_.Push(TestExec(1));
  Poll();
  next.wait_for(kDeadline);
  EXPECT_EQ(CountEntries("/proc/self/task"), threads);
}

TEST_F(AsyncNextTest, Future_AtTheEnd_Throws) {
  std::future<ProcessEvent> next = driver_->AsyncNext(*processes_, asio::use_future);
  fake_.End();
  Poll();
  ASSERT_EQ(next.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  try {
    next.get();
    FAIL();
  } catch (const boost::system::system_error& e) {
    EXPECT_EQ(e.code(), asio::error::eof);
  }
}

asio::awaitable<void> CollectUntilThrow(AsioDriver& driver, ProcessStream& stream,
                                        std::vector<std::uint32_t>& pids) {
  for (;;) {
    pids.push_back(PidOf(co_await driver.AsyncNext(stream, asio::use_awaitable)));
  }
}

TEST_F(AsyncNextTest, Awaitable_Loop_GetsEachOnceInOrderAndThenThrows) {
  std::exception_ptr thrown;
  asio::co_spawn(io_, CollectUntilThrow(*driver_, *processes_, pids_),
                 [&](std::exception_ptr e) { thrown = e; });
  PushExecs(fake_, 1, 1000);
  fake_.End();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(pids_, PidRange(1, 1000));
  ASSERT_NE(thrown, nullptr);
  EXPECT_THROW(std::rethrow_exception(thrown), boost::system::system_error);
  EXPECT_EQ(ProcessStats(*session_).delivered, 1000u);
  ExpectBalanced(ProcessStats(*session_));
}

asio::awaitable<void> CollectUntilError(AsioDriver& driver, ProcessStream& stream,
                                        std::vector<std::uint32_t>& pids, error_code& error) {
  for (;;) {
    const ProcessEvent event =
        co_await driver.AsyncNext(stream, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_return;
    }
    pids.push_back(PidOf(event));
  }
}

TEST_F(AsyncNextTest, RedirectError_AtTheEnd_IsEof) {
  error_code error;
  asio::co_spawn(io_, CollectUntilError(*driver_, *processes_, pids_, error), asio::detached);
  PushExecs(fake_, 1, 3);
  fake_.End();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(pids_, PidRange(1, 3));
  EXPECT_EQ(error, asio::error::eof);
}

TEST_F(AsyncNextTest, WhileOneIsOutstanding_AnotherIsAlreadyStarted) {
  Ask();
  Ask();
  Poll();
  EXPECT_EQ(errors_, std::vector<error_code>{asio::error::already_started});
  fake_.Push(TestExec(1));
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 1)) << "the first one is not affected";
}

TEST_F(AsyncNextTest, StreamDestroyed_OperationAborted) {
  Ask();
  Poll();
  processes_.reset();
  Poll();
  EXPECT_EQ(errors_, std::vector<error_code>{asio::error::operation_aborted});
}

TEST_F(AsyncNextTest, SessionStopped_Eof) {
  Ask();
  session_->Stop();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(errors_, std::vector<error_code>{asio::error::eof});
  Ask();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(errors_.size(), 2u);
  EXPECT_EQ(errors_.back(), asio::error::eof) << "asked after the end";
}

TEST_F(AsyncNextTest, SessionDestroyed_Eof) {
  Ask();
  session_.reset();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(errors_, std::vector<error_code>{asio::error::eof});
}

TEST_F(AsyncNextTest, DriverDestroyed_CompletesWhenTheStreamEnds) {
  Ask();
  Poll();
  driver_.reset();
  Poll();
  EXPECT_TRUE(errors_.empty());
  session_->Stop();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(errors_, std::vector<error_code>{asio::error::eof});
}

TEST_F(AsyncNextTest, NobodyAsks_RecordsWaitInTheSourceWithoutTurning) {
  Ask();
  PushExecs(fake_, 1, 10);
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 1));
  EXPECT_FALSE(Readable(session_->poll_fd()));
  PushExecs(fake_, 11, 20);
  io_.restart();
  EXPECT_EQ(io_.poll(), 0u);
  EXPECT_EQ(ProcessStats(*session_).delivered, 1u);
  EXPECT_EQ(ProcessStats(*session_).produced, 20u);
  for (std::uint32_t asked = 2; asked <= 20; ++asked) {
    Ask();
    Poll();
  }
  EXPECT_EQ(pids_, PidRange(1, 20)) << "none is lost, none comes twice";
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(AsyncNextTest, AfterTheFirstCall_CallbacksAreNotCalledAnyMore) {
  processes_->OnExec([this](const ProcessExecView& e) { pids_.push_back(e.process.id.pid); });
  fake_.Push(TestExec(1));
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 1));
  processes_->OnExec([](const ProcessExecView&) { FAIL(); });
  Ask();
  PushExecs(fake_, 2, 3);
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 2));
  EXPECT_EQ(ProcessStats(*session_).unheard, 0u);
}

TEST_F(AsyncNextTest, AskedForInACallback_TakesOverFromTheNextRecord) {
  processes_->OnExec([this](const ProcessExecView&) { Ask(); });
  PushExecs(fake_, 1, 3);
  Poll();
  EXPECT_EQ(pids_, PidRange(2, 2));
  EXPECT_EQ(ProcessStats(*session_).delivered, 2u);
  Ask();
  Poll();
  EXPECT_EQ(pids_, PidRange(2, 3));
}

TEST_F(AsyncNextTest, Loss_IsStillReported) {
  std::uint64_t lost = 0;
  session_->OnLoss([&](const Loss& loss) { lost += loss.count; });
  Ask();
  fake_.PushLoss(TestLoss(3));
  Poll();
  EXPECT_EQ(lost, 3u);
}

TEST_F(AsyncNextTest, MalformedRecord_IsPassedOver) {
  Ask();
  fake_.PushRecord(StreamKind::kProcess, std::vector<std::byte>(9));
  fake_.Push(TestExec(1));
  Poll();
  EXPECT_EQ(pids_, PidRange(1, 1));
  EXPECT_EQ(ProcessStats(*session_).malformed, 1u);
}

TEST_F(AsyncNextTest, AskedAgainInItsHandler_GetsEachOnceInOrder) {
  std::function<void()> ask = [&] {
    driver_->AsyncNext(*processes_, [&](error_code error, ProcessEvent event) {
      if (!error) {
        pids_.push_back(PidOf(event));
        ask();
      }
    });
  };
  ask();
  PushExecs(fake_, 1, 500);
  fake_.End();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(pids_, PidRange(1, 500));
}

TEST_F(AsyncNextTest, AskedFromAnotherThread_NoneLostNoneTwice) {
  constexpr std::uint32_t kRecords = 2000;
  asio::io_context consumer(1);
  std::vector<std::uint32_t> pids;
  std::function<void()> ask = [&] {
    driver_->AsyncNext(*processes_, asio::bind_executor(consumer.get_executor(),
                                                        [&](error_code error, ProcessEvent event) {
                                                          if (!error) {
                                                            pids.push_back(PidOf(event));
                                                            ask();
                                                          }
                                                        }));
  };
  ask();
  std::thread consuming([&] { consumer.run_for(kDeadline); });
  std::thread producing([&] {
    PushExecs(fake_, 1, kRecords);
    fake_.End();
  });
  EXPECT_TRUE(RunToEnd());
  consuming.join();
  producing.join();
  EXPECT_EQ(pids, PidRange(1, kRecords));
  ExpectBalanced(ProcessStats(*session_));
}

TEST(AsyncNext, StrandOnAContextOfTwoThreads_CoroutineGetsEachOnceInOrder) {
  FakeSource fake;
  Session session = NewSession(fake);
  ProcessStream processes = OpenProcesses(session);
  asio::io_context io;
  const auto strand = asio::make_strand(io);
  AsioDriver driver(strand, session, 16);
  std::vector<std::uint32_t> pids;
  error_code error;
  asio::co_spawn(strand, CollectUntilError(driver, processes, pids, error), asio::detached);
  std::thread producer([&] {
    PushExecs(fake, 1, 2000);
    fake.End();
  });
  std::thread other([&] { io.run_for(kDeadline); });
  io.run_for(kDeadline);
  other.join();
  producer.join();
  EXPECT_TRUE(io.stopped());
  EXPECT_EQ(pids, PidRange(1, 2000));
  EXPECT_EQ(error, asio::error::eof);
}

}  // namespace
}  // namespace masflow::internal
