// SPDX-License-Identifier: Apache-2.0
//
// Filters of exchanges that only the whole exchange can answer: tried here, not in the kernel.
#ifndef MASFLOW_CLI_HTTP_MATCH_H_
#define MASFLOW_CLI_HTTP_MATCH_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "masflow/http_events.h"

namespace masflow_cli {

struct StatusRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

// Empty or absent: all pass. What was not observed passes no filter that is about it.
struct HttpMatch {
  std::vector<std::string> hosts{};  // with a port or, to mean any, without
  std::vector<StatusRange> statuses{};
  std::optional<std::chrono::nanoseconds> min_latency{};

  bool Passes(const masflow::HttpExchangeView& exchange) const;
};

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_HTTP_MATCH_H_
