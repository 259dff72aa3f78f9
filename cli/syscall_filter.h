// SPDX-License-Identifier: Apache-2.0
//
// --seccomp: what of the kernel is left to the command while it shows events.
#ifndef MASFLOW_CLI_SYSCALL_FILTER_H_
#define MASFLOW_CLI_SYSCALL_FILTER_H_

#include <absl/status/status.h>

namespace masflow_cli {

// From now on any other system call ends this process at once, by SIGSYS. `servers`: those of
// threads that ask servers are let too. Needs no_new_privs.
absl::Status FilterSyscalls(bool servers);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_SYSCALL_FILTER_H_
