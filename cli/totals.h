// SPDX-License-Identifier: Apache-2.0
//
// The last line on stderr.
#ifndef MASFLOW_CLI_TOTALS_H_
#define MASFLOW_CLI_TOTALS_H_

#include <cstdint>
#include <string>

#include "masflow/stats.h"

namespace masflow_cli {

// Records of which the library has said what became of them.
std::uint64_t Settled(const masflow::StreamStats& stats);

// "1234 events, 12 lost (ring full 12), 3 unread"; what is zero is left out, but for the
// first two. `unwritten`: lines that stdout did not take.
std::string Totals(const masflow::StreamStats& stats, std::uint64_t unwritten);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_TOTALS_H_
