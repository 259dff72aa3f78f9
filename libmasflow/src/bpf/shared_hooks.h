// SPDX-License-Identifier: Apache-2.0
//
// Hook points that the streams about connections have alike, each with programs of its own.
#ifndef MASFLOW_BPF_SHARED_HOOKS_H_
#define MASFLOW_BPF_SHARED_HOOKS_H_

#include <string>
#include <vector>

#include "bpf/environment.h"
#include "bpf/hook_plan.h"

namespace masflow::internal {

// The pass over the table of connections (TablePass): `iterator` is a program, and
// "<iterator>_run" the one that is run by a call, for which `run_maps` are.
HookPoint TablePassPoint(const Environment& environment, std::string name,
                         const std::string& iterator, std::vector<std::string> run_maps = {});

// Who belongs to the trees of a filter: "<prefix>_fork", "<prefix>_exit" and the twins of both.
HookPoint TreePoint(const Environment& environment, const std::string& prefix);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_SHARED_HOOKS_H_
