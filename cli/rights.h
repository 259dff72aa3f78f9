// SPDX-License-Identifier: Apache-2.0
//
// Attaching needs rights, showing events needs next to none. What is not needed any more is given
// up before the first event is read: see docs/rights.md.
#ifndef MASFLOW_CLI_RIGHTS_H_
#define MASFLOW_CLI_RIGHTS_H_

#include <absl/status/status.h>

#include "flags.h"

namespace masflow_cli {

// For good, and also for whatever would be executed: becomes the user of --user, drops all
// capabilities but those that the kernel or the log directory still ask for, sets no_new_privs, and
// applies the filter of --seccomp. Nothing else may run in this process yet.
absl::Status GiveUpRights(const Flags& flags);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_RIGHTS_H_
