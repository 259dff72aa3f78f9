// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_CLI_RUN_H_
#define MASFLOW_CLI_RUN_H_

#include <chrono>

#include "flags.h"

namespace masflow_cli {

// Shows events until the end. `start`: when the command began. Returns the exit code.
int RunEvents(const Flags& flags, std::chrono::steady_clock::time_point start);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_RUN_H_
