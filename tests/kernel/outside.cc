// SPDX-License-Identifier: Apache-2.0
#include "outside.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace masflow::kernel_test {

internal::ForcedMechanisms ForcedFromOutside() {
  internal::ForcedMechanisms forced;
  const char* const text = std::getenv("MASFLOW_TEST_FORCE");
  std::istringstream entries(text == nullptr ? "" : text);
  for (std::string entry; std::getline(entries, entry, ';');) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos) {
      ADD_FAILURE() << "MASFLOW_TEST_FORCE: no '=' in \"" << entry << "\"";
      continue;
    }
    forced[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return forced;
}

void ExpectForced(const Session& session, const internal::ForcedMechanisms& own) {
  const internal::ForcedMechanisms forced = ForcedFromOutside();
  for (const HookSupport& hook : session.support().hooks) {
    const auto wanted = forced.find(hook.hook);
    if (wanted != forced.end() && !own.contains(hook.hook)) {
      EXPECT_EQ(hook.mechanism, wanted->second)
          << hook.hook << ": "
          << (hook.refused.empty() ? std::string() : hook.refused.back().reason);
    }
  }
}

std::size_t Slowness() {
  const char* const text = std::getenv("MASFLOW_TEST_SLOWNESS");
  return text == nullptr ? 1 : std::max(1ul, std::strtoul(text, nullptr, 10));
}

std::size_t Scaled(std::size_t events) {
  constexpr std::size_t kStillAStorm = 50;
  return std::max(events / Slowness(), std::min(events, kStillAStorm));
}

}  // namespace masflow::kernel_test
