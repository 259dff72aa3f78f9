// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_HTTP_HOOKS_H_
#define MASFLOW_BPF_HTTP_HOOKS_H_

#include <string>
#include <vector>

#include "bpf/environment.h"
#include "bpf/hook_plan.h"
#include "masflow/http_stream.h"

namespace masflow::internal {

// The hook points of bpf/http.bpf.c, with their candidates.
std::vector<HookPoint> HttpHooks(const Environment& environment, const HttpOptions& options);

// Of these the programs of which a skipped run says nothing: another one has done their work.
std::vector<std::string> HttpUncountedPrograms();

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_HTTP_HOOKS_H_
