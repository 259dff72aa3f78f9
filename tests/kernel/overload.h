// SPDX-License-Identifier: Apache-2.0
//
// What the tests of overload share.
#ifndef MASFLOW_KERNEL_OVERLOAD_H_
#define MASFLOW_KERNEL_OVERLOAD_H_

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "live.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {

inline std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

inline std::size_t OnePage() {
  return static_cast<std::size_t>(getpagesize());
}

inline std::string RingName(const testing::TestParamInfo<std::size_t>& ring) {
  return ring.param == OnePage() ? "OfAPage" : "AsUsual";
}

inline std::uint64_t LostFull(const StreamStats& stats) {
  return LostOf(stats, LossReason::kRingFull);
}

// As OnLoss() was told, of all reasons; each within its time.
inline std::uint64_t Reported(const std::vector<Loss>& losses, StreamKind stream) {
  std::uint64_t sum = 0;
  for (const Loss& loss : losses) {
    EXPECT_GT(loss.count, 0u);
    EXPECT_LE(loss.since, loss.until);
    sum += loss.stream == stream ? loss.count : 0;
  }
  return sum;
}

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_OVERLOAD_H_
