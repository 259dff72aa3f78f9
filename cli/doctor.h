// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_CLI_DOCTOR_H_
#define MASFLOW_CLI_DOCTOR_H_

#include "flags.h"

namespace masflow_cli {

// Shows what this kernel lets MasFlow do. Returns the exit code: kOk if all streams work.
int RunDoctor(const Flags& flags);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_DOCTOR_H_
