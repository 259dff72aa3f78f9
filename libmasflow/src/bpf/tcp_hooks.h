// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_TCP_HOOKS_H_
#define MASFLOW_BPF_TCP_HOOKS_H_

#include <string>
#include <vector>

#include "bpf/environment.h"
#include "bpf/hook_plan.h"
#include "masflow/tcp_stream.h"

namespace masflow::internal {

// The hook points of bpf/tcp.bpf.c, with their candidates.
std::vector<HookPoint> TcpHooks(const Environment& environment, const TcpOptions& options);

// Of these the programs of which a skipped run says nothing: it concerned another system call
// than theirs, or another program has done their work.
std::vector<std::string> TcpUncountedPrograms();

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_TCP_HOOKS_H_
