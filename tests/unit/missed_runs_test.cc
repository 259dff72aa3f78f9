// SPDX-License-Identifier: Apache-2.0
#include "bpf/missed_runs.h"

#include <gtest/gtest.h>

namespace masflow::internal {
namespace {

TEST(MissedByBothTest, NothingSkipped_NothingMissed) {
  EXPECT_EQ(MissedByBoth(0, 0, 0), 0u);
}

TEST(MissedByBothTest, WhatTheTwinTookOverIsNotMissed) {
  EXPECT_EQ(MissedByBoth(7, 7, 0), 0u);
  EXPECT_EQ(MissedByBoth(7, 7, 3), 0u);  // the first one ran, those three times
}

TEST(MissedByBothTest, WhatBothSkippedIsMissed) {
  EXPECT_EQ(MissedByBoth(5, 7, 2), 2u);
  EXPECT_EQ(MissedByBoth(5, 7, 9), 2u);
}

// The first was skipped a moment ago, and its twin is yet to run.
TEST(MissedByBothTest, TheTwinsTurnIsAwaited) {
  EXPECT_EQ(MissedByBoth(4, 5, 0), 0u);
  EXPECT_EQ(MissedByBoth(4, 6, 1), 1u);
}

// The counters are read one after the other, while they move.
TEST(MissedByBothTest, NeverBelowNothing) {
  EXPECT_EQ(MissedByBoth(8, 7, 2), 0u);
}

// The first left them to the twin, as there was no room for its marks: as if it had been skipped.
TEST(MissedByBothTest, LeftToTheTwinAndSkipped) {
  const std::uint64_t two_left = static_cast<std::uint64_t>(-2);
  EXPECT_EQ(MissedByBoth(two_left, 0, 2), 2u);
}

}  // namespace
}  // namespace masflow::internal
