// SPDX-License-Identifier: Apache-2.0
//
// What a host does in its callbacks while the kernel goes on sending.
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "live.h"
#include "spawn.h"
#include "truth.h"
#include <masflow/asio.h>

namespace masflow::kernel_test {
namespace {

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

const std::size_t kTimes = Scaled(200);
const std::size_t kRecords = 2 * (kTimes + 1);  // of the shell too

class HostTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    absl::StatusOr<Session> session = Session::Create();
    ASSERT_TRUE(session.ok()) << session.status();
    session_ = *std::move(session);
    absl::StatusOr<ProcessStream> stream =
        ProcessStream::Open(*session_, {.filter = {.trees = {Self()}}});
    ASSERT_TRUE(stream.ok()) << stream.status();
    stream_ = *std::move(stream);
  }

  static Child Storm() {
    return Spawn(
        {"/bin/sh", "-c",
         "i=0; while [ $i -lt " + std::to_string(kTimes) + " ]; do /bin/true; i=$((i+1)); done"});
  }

  template <class Callback>
  void OnEach(Callback callback) {
    stream_->OnExec([callback](const ProcessExecView& e) { callback(e.process.id, 0); });
    stream_->OnExit([callback](const ProcessExitView& e) { callback(e.process.id, 1); });
  }

  StreamStats stats() const { return session_->stats()[StreamKind::kProcess]; }

  std::optional<Session> session_;
  std::optional<ProcessStream> stream_;
};

using Seen = std::set<std::pair<ProcessId, int>>;

TEST_F(HostTest, ThrowsInEachThirdCallback) {
  Seen seen;
  std::size_t calls = 0;
  std::size_t thrown = 0;
  OnEach([&](const ProcessId& process, int kind) {
    EXPECT_TRUE(seen.emplace(process, kind).second) << "process " << process.pid << " twice";
    if (++calls % 3 == 0) {
      throw std::runtime_error("by the host");
    }
  });
  Child shell = Storm();
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (calls < kRecords && std::chrono::steady_clock::now() < end) {
    try {
      session_->Drain(16);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_EQ(seen.size(), kRecords);
  EXPECT_EQ(thrown, kRecords / 3);
  EXPECT_EQ(stats().delivered, kRecords);
  EXPECT_EQ(stats().lost_total(), 0u);
}

TEST_F(HostTest, StopsInACallback) {
  std::size_t calls = 0;
  OnEach([&](const ProcessId&, int) {
    if (++calls == 100) {
      session_->Stop();
    }
  });
  ASSERT_TRUE(session_->RunInThread().ok());
  Child shell = Storm();
  session_->Wait();
  EXPECT_EQ(calls, 100u);
  EXPECT_EQ(stats().delivered, 100u);
}

TEST_F(HostTest, DestroysTheStreamInACallback) {
  std::size_t calls = 0;
  OnEach([&](const ProcessId&, int) {
    if (++calls == 100) {
      stream_.reset();
    }
  });
  Child shell = Storm();
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (stream_.has_value() && std::chrono::steady_clock::now() < end) {
    session_->Drain(16);
  }
  shell.Wait();
  session_->Drain(16);
  EXPECT_EQ(calls, 100u);
  EXPECT_TRUE(ProcessStream::Open(*session_).ok());  // its place is free
}

TEST_F(HostTest, AwaitsEventsInACoroutine) {
  boost::asio::io_context io;
  AsioDriver driver(io.get_executor(), *session_);
  Seen seen;
  Child shell = Storm();
  const auto read = [&]() -> boost::asio::awaitable<void> {
    while (seen.size() < kRecords) {
      const ProcessEvent event = co_await driver.AsyncNext(*stream_, boost::asio::use_awaitable);
      const auto* const exit = std::get_if<ProcessExit>(&event);
      const ProcessId id = std::visit([](const auto& e) { return e.process.id; }, event);
      EXPECT_TRUE(seen.emplace(id, exit != nullptr).second) << "process " << id.pid << " twice";
    }
    io.stop();
  };
  boost::asio::co_spawn(io, read, boost::asio::detached);
  boost::asio::steady_timer guard(io, kDeadline);
  guard.async_wait([&](const boost::system::error_code&) { io.stop(); });
  io.run();
  EXPECT_EQ(seen.size(), kRecords);
  EXPECT_EQ(stats().delivered, kRecords);
  EXPECT_EQ(stats().unheard, 0u);
  session_->Stop();
}

}  // namespace
}  // namespace masflow::kernel_test
