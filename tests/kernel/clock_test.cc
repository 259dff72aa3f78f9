// SPDX-License-Identifier: Apache-2.0
//
// The clock of the machine is set while events flow.
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>

#include "live.h"
#include "outside.h"
#include "spawn.h"

namespace masflow::kernel_test {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// Back on its course at the end, but for what passed meanwhile.
class SetClock {
 public:
  explicit SetClock(seconds by) : by_(by) { Move(by_); }
  SetClock(const SetClock&) = delete;
  ~SetClock() { Move(-by_); }

 private:
  static void Move(seconds by) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += by.count();
    EXPECT_EQ(clock_settime(CLOCK_REALTIME, &now), 0);
  }

  const seconds by_;
};

class ClockTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (Slowness() == 1) {
      GTEST_SKIP() << "sets the clock of the machine: for an emulated one";
    }
  }

  static const ProcessExit* RunOne(Live* live) {
    Child child = Spawn({"/bin/true"});
    child.Wait();
    return live->Await<ProcessExit>(child.pid());
  }
};

TEST_F(ClockTest, SetBackAnHour) {
  const auto live = Live::Open(ProcessFilter{.trees = {static_cast<std::uint32_t>(getpid())}});
  ASSERT_NE(live, nullptr);
  const ProcessExit* const before = RunOne(live.get());
  ASSERT_NE(before, nullptr);
  const auto set_at = std::chrono::steady_clock::now();
  const SetClock back(-hours(1));
  // Up to a second of them may be dated by the clock as it was.
  const ProcessExit* after = nullptr;
  do {
    after = RunOne(live.get());
    ASSERT_NE(after, nullptr);
  } while (std::chrono::steady_clock::now() - set_at < seconds(2));
  EXPECT_GT(after->process.id.start, before->process.id.start);
  EXPECT_GT(after->time, before->time);
  const auto age = std::chrono::system_clock::now() - live->session().ToWallTime(after->time);
  EXPECT_GE(age, seconds(0));
  EXPECT_LT(age, kDeadline);
  EXPECT_TRUE(live->Settle());
  EXPECT_EQ(live->stats().lost_total(), 0u);
}

}  // namespace
}  // namespace masflow::kernel_test
