// SPDX-License-Identifier: Apache-2.0
//
// The last line on stderr.
#ifndef MASFLOW_CLI_TOTALS_H_
#define MASFLOW_CLI_TOTALS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "flags.h"
#include "masflow/stats.h"

namespace masflow_cli {

// What the library delivered and stdout does not have.
struct Unshown {
  std::uint64_t filtered = 0;   // exchanges that a filter of the command hid
  std::uint64_t unwritten = 0;  // lines that stdout did not take
};

// Whether the library has said of all records that `due` counts as produced what became
// of them, each stream by itself.
bool AllSettled(const masflow::SessionStats& due, const masflow::SessionStats& now);

// "1234 events, 12 lost (ring full 12), 3 unread"; what is zero is left out, but for the
// first two. Of several streams the sum, then each:
// "1234 events, 0 lost: process 234 events, 0 lost; tcp 1000 events, 0 lost".
std::string Totals(const masflow::SessionStats& stats, const Flags& flags, const Unshown& unshown);

// Of each program in the kernel that ran how often, and how long a run took; or why that is not
// known.
std::string Costs(const std::vector<masflow::ProgramCost>& programs);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_TOTALS_H_
