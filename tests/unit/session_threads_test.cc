// SPDX-License-Identifier: Apache-2.0
//
// Sessions driven by their own thread, and used from several. Also run under TSan.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/session.h"
#include "test_support.h"

namespace masflow::internal {
namespace {

constexpr std::uint32_t kStorm = 100'000;

using SessionThreadsTest = FakeSessionTest;

TEST_F(SessionThreadsTest, RunInThread_Storm_WithUsersOnOtherThreads_LosesNothing) {
  std::uint32_t execs = 0;
  std::uint32_t last = 0;
  std::atomic<std::uint32_t> exits{0};
  std::atomic<bool> in_order{true};
  processes_->OnExec([&](const ProcessExecView& e) {
    ++execs;
    in_order = in_order && e.process.id.pid == last + 1;
    last = e.process.id.pid;
  });
  session_->OnLoss([](const Loss&) {});
  ASSERT_TRUE(session_->RunInThread().ok());
  std::atomic<bool> done{false};
  std::thread producer([&] {
    PushExecs(fake_, 1, kStorm);
    fake_.End();
  });
  std::thread user([&] {
    std::uint64_t seen = 0;
    while (!done) {
      const StreamStats stats = ProcessStats(*session_);
      EXPECT_GE(stats.delivered + stats.unheard, seen) << "counts only grow";
      EXPECT_GE(stats.produced, stats.delivered + stats.unheard);
      seen = stats.delivered + stats.unheard;
      processes_->OnExit([&](const ProcessExitView&) { ++exits; });
      session_->OnLoss([](const Loss&) {});
      session_->ToWallTime(At(1));
    }
  });
  session_->Wait();
  done = true;
  producer.join();
  user.join();
  EXPECT_EQ(execs, kStorm);
  EXPECT_TRUE(in_order);
  EXPECT_EQ(exits, 0u);
  EXPECT_EQ(ProcessStats(*session_).delivered, kStorm);
  ExpectBalanced(ProcessStats(*session_));
}

TEST_F(SessionThreadsTest, Stop_InAStorm_NoCallbackAfterIt) {
  std::atomic<bool> stopped{false};
  std::atomic<std::uint32_t> late{0};
  std::atomic<std::uint32_t> execs{0};
  processes_->OnExec([&](const ProcessExecView&) {
    ++execs;
    late += stopped ? 1 : 0;
  });
  ASSERT_TRUE(session_->RunInThread().ok());
  std::thread producer([&] {
    for (std::uint32_t pid = 1; pid <= kStorm && !stopped; ++pid) {
      fake_.Push(TestExec(pid));
    }
  });
  EXPECT_TRUE(Eventually([&] { return execs > 100; }));
  session_->Stop();
  stopped = true;
  const std::uint64_t delivered = ProcessStats(*session_).delivered;
  producer.join();
  session_->Wait();
  EXPECT_EQ(late, 0u);
  EXPECT_EQ(ProcessStats(*session_).delivered, delivered);
}

// The records never cease, so the driving thread never sleeps.
TEST_F(SessionThreadsTest, CallsFromOtherThreads_InAnEndlessStorm_GetTheirTurn) {
  processes_->OnExec([this](const ProcessExecView& e) { fake_.Push(Own(e)); });
  PushExecs(fake_, 1, 1000);
  ASSERT_TRUE(session_->RunInThread().ok());
  std::atomic<int> calls{0};
  auto user = std::async(std::launch::async, [&] {
    for (; calls < 200; ++calls) {
      processes_->OnExit([](const ProcessExitView&) {});
    }
  });
  EXPECT_EQ(user.wait_for(std::chrono::seconds(10)), std::future_status::ready)
      << calls << " calls";
  session_->Stop();
}

// A callback that waits until it is released.
class Slow {
 public:
  void operator()(const ProcessExecView&) {
    entered_.set_value();
    released_.get_future().wait_for(kDeadline);
    left_ = true;
  }
  bool WaitUntilEntered() {
    return entered_.get_future().wait_for(kDeadline) == std::future_status::ready;
  }
  void Release() { released_.set_value(); }
  bool left() const { return left_; }

 private:
  std::promise<void> entered_;
  std::promise<void> released_;
  std::atomic<bool> left_{false};
};

TEST_F(SessionThreadsTest, Readers_DuringASlowCallback_DoNotWait) {
  Slow slow;
  processes_->OnExec(std::ref(slow));
  ASSERT_TRUE(session_->RunInThread().ok());
  fake_.Push(TestExec(1));
  ASSERT_TRUE(slow.WaitUntilEntered());
  fake_.Push(TestExec(2));
  auto reader = std::async(std::launch::async, [this] {
    EXPECT_EQ(ProcessStats(*session_).produced, 2u);
    EXPECT_EQ(ProcessStats(*session_).delivered, 1u);
    EXPECT_EQ(session_->support().source, "fake");
    EXPECT_GT(session_->ToWallTime(At(1)), WallTime());
    EXPECT_TRUE(session_->status().ok());
    EXPECT_GE(session_->poll_fd(), 0);
  });
  EXPECT_EQ(reader.wait_for(kDeadline), std::future_status::ready);
  EXPECT_FALSE(slow.left());
  slow.Release();
  session_->Stop();
}

TEST_F(SessionThreadsTest, Writers_DuringASlowCallback_WaitForItsEnd) {
  const std::vector<std::function<void()>> writers = {
      [this] { processes_->OnExec(nullptr); },
      [this] { session_->OnLoss(nullptr); },
      [this] { processes_.reset(); },
      [this] { session_->Stop(); },
  };
  ASSERT_TRUE(session_->RunInThread().ok());
  for (const auto& writer : writers) {
    if (!processes_.has_value()) {
      processes_ = OpenProcesses(*session_);
    }
    Slow slow;
    processes_->OnExec(std::ref(slow));
    fake_.Push(TestExec(1));
    ASSERT_TRUE(slow.WaitUntilEntered());
    auto call = std::async(std::launch::async, [&] {
      writer();
      return slow.left();
    });
    slow.Release();
    ASSERT_EQ(call.wait_for(kDeadline), std::future_status::ready);
    EXPECT_TRUE(call.get());
    if (processes_.has_value()) {
      processes_->OnExec(nullptr);
    }
  }
}

TEST_F(SessionThreadsTest, StreamDestroyed_InAStorm_NoCallbackAfterIt) {
  ASSERT_TRUE(session_->RunInThread().ok());
  for (int round = 0; round < 50; ++round) {
    auto called = std::make_unique<std::atomic<int>>(0);  // gone as soon as the stream is
    processes_->OnExec([&called](const ProcessExecView&) { ++*called; });
    PushExecs(fake_, 1, 500);
    ASSERT_TRUE(Eventually([&] { return *called > 0; }));
    processes_.reset();
    called.reset();
    processes_ = OpenProcesses(*session_);
  }
}

TEST_F(SessionThreadsTest, TwoDrivers_AtOnce_TakeTurns) {
  std::vector<std::uint32_t> pids;  // without a lock: callbacks never run at once
  processes_->OnExec([&](const ProcessExecView& e) { pids.push_back(e.process.id.pid); });
  PushExecs(fake_, 1, 20'000);
  fake_.End();
  const auto drive = [this] {
    while (!session_->Drain(7).ended) {
    }
  };
  std::thread other(drive);
  drive();
  other.join();
  EXPECT_EQ(pids, PidRange(1, 20'000));
}

TEST_F(SessionThreadsTest, RunInThread_Twice_FailedPrecondition) {
  EXPECT_TRUE(session_->RunInThread().ok());
  EXPECT_EQ(session_->RunInThread().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SessionThreadsTest, RunInThread_AfterStop_EndsAtOnce) {
  session_->Stop();
  ASSERT_TRUE(session_->RunInThread().ok());
  session_->Wait();
}

TEST_F(SessionThreadsTest, RunInThread_CallbackThrows_WaitRethrowsAndTheSessionIsStopped) {
  processes_->OnExec([this](const ProcessExecView& e) {
    pids_.push_back(e.process.id.pid);
    if (e.process.id.pid == 2) {
      throw std::runtime_error("at 2");
    }
  });
  PushExecs(fake_, 1, 4);
  ASSERT_TRUE(session_->RunInThread().ok());
  EXPECT_THROW(session_->Wait(), std::runtime_error);
  EXPECT_THROW(session_->Wait(), std::runtime_error) << "each time";
  EXPECT_EQ(pids_, PidRange(1, 2));
  EXPECT_TRUE(session_->Drain(10).ended);
  EXPECT_EQ(ProcessStream::Open(*session_).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ProcessStats(*session_).delivered, 2u);
}

TEST_F(SessionThreadsTest, RunInThread_OnLossThrows_WaitRethrows) {
  session_->OnLoss([](const Loss&) { throw std::runtime_error("loss"); });
  fake_.PushLoss(TestLoss(1));
  ASSERT_TRUE(session_->RunInThread().ok());
  EXPECT_THROW(session_->Wait(), std::runtime_error);
}

TEST_F(SessionThreadsTest, RunInThread_StoppedInACallback_WaitReturns) {
  processes_->OnExec([this](const ProcessExecView&) { session_->Stop(); });
  PushExecs(fake_, 1, 2);
  ASSERT_TRUE(session_->RunInThread().ok());
  session_->Wait();
  EXPECT_EQ(ProcessStats(*session_).delivered, 1u);
}

TEST_F(SessionThreadsTest, RunInThread_SessionDestroyedInACallback_ThreadLetsGo) {
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = held;
  const DrainHandle handle = session_->drain_handle();
  processes_->OnExec([this, held = std::move(held)](const ProcessExecView&) {
    session_.reset();
    processes_.reset();
  });
  ASSERT_TRUE(session_->RunInThread().ok());
  fake_.Push(TestExec(1));
  EXPECT_TRUE(Eventually([&] { return watch.expired(); }));
  EXPECT_TRUE(DrainHandle(handle).Drain(1).ended);
}

TEST_F(SessionThreadsTest, RunInThread_SessionMoved_GoesOn) {
  std::promise<void> called;
  processes_->OnExec([&](const ProcessExecView&) { called.set_value(); });
  ASSERT_TRUE(session_->RunInThread().ok());
  Session moved(std::move(*session_));
  session_.reset();
  fake_.Push(TestExec(1));
  EXPECT_EQ(called.get_future().wait_for(kDeadline), std::future_status::ready);
  moved.Stop();
  moved.Wait();
}

TEST(SessionThreads, CreateAndDestroy_ManyTimes_LeavesNothingBehind) {
  const auto once = [](std::uint32_t i) {
    FakeSource fake;
    Session session = NewSession(fake);
    ProcessStream stream = OpenProcesses(session, {.snapshot = i % 2 == 0});
    stream.OnExec([](const ProcessExecView&) {});
    EXPECT_TRUE(session.RunInThread().ok());
    PushExecs(fake, 1, i % 5);
    if (i % 3 == 0) {
      session.Stop();
    } else if (i % 3 == 1) {
      fake.End();
      session.Wait();
    }
  };
  once(0);
  const auto descriptors = CountEntries("/proc/self/fd");
  const auto threads = CountEntries("/proc/self/task");
  for (std::uint32_t i = 0; i < 1000; ++i) {
    once(i);
  }
  EXPECT_EQ(CountEntries("/proc/self/fd"), descriptors);
  // A joined thread can be seen there for a moment.
  EXPECT_TRUE(Eventually([&] { return CountEntries("/proc/self/task") == threads; }));
}

// The blocked signals of the thread named "masflow"; false if there is none.
bool ReadLibraryThreadMask(std::uint64_t* mask) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const std::string status = ReadFile(task.path() / "status");
    constexpr std::string_view kMask = "\nSigBlk:\t";
    if (const auto at = status.find(kMask);
        status.starts_with("Name:\tmasflow\n") && at != std::string::npos) {
      *mask = std::stoull(status.substr(at + kMask.size(), 16), nullptr, 16);
      return true;
    }
  }
  return false;
}

volatile sig_atomic_t signals_handled = 0;
volatile sig_atomic_t handled_by_main = 0;

TEST_F(SessionThreadsTest, Signals_StayWithTheHostsThreads) {
  signals_handled = 0;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = [](int) {
    signals_handled = signals_handled + 1;
    handled_by_main = gettid() == getpid() ? 1 : 0;
  };
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  std::atomic<std::uint32_t> execs{0};
  processes_->OnExec([&](const ProcessExecView&) { ++execs; });
  ASSERT_TRUE(session_->RunInThread().ok());
  std::uint64_t blocked = 0;
  ASSERT_TRUE(Eventually([&] { return ReadLibraryThreadMask(&blocked); })) << "its name";
  constexpr std::uint64_t kAllButKillStopAndGlibcsOwn = 0xffff'fffe'7ffb'feff;
  EXPECT_EQ(blocked & kAllButKillStopAndGlibcsOwn, kAllButKillStopAndGlibcsOwn);

  // Blocked here too, the signal stays pending, unless the library's thread would take it.
  sigset_t usr1;
  sigset_t mask;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &usr1, &mask), 0);
  ASSERT_EQ(kill(getpid(), SIGUSR1), 0);
  fake_.Push(TestExec(1));
  EXPECT_TRUE(Eventually([&] { return execs == 1; })) << "the thread has been awake since";
  EXPECT_EQ(signals_handled, 0);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_EQ(sigismember(&pending, SIGUSR1), 1);
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, &mask, nullptr), 0);
  EXPECT_TRUE(Eventually([] { return signals_handled == 1; }));
  EXPECT_EQ(handled_by_main, 1);
  sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(SessionThreadsTest, RunInThread_NoThreadToBeHad_LeavesTheSignalMask) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_getattr_default_np(&attributes), 0);
  std::size_t stack = 0;
  ASSERT_EQ(pthread_attr_getstacksize(&attributes, &stack), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, std::size_t{1} << 47), 0);
  ASSERT_EQ(pthread_setattr_default_np(&attributes), 0);
  const absl::Status status = session_->RunInThread();
  pthread_attr_setstacksize(&attributes, stack);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGUSR1), 0);
  EXPECT_EQ(sigismember(&mask, SIGINT), 0);
  CollectExecs();
  fake_.Push(TestExec(1));
  DrainAll();
  EXPECT_EQ(pids_, PidRange(1, 1)) << "the session can be driven in another way";
}

}  // namespace
}  // namespace masflow::internal
