// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_TRACEPOINT_H_
#define MASFLOW_BPF_TRACEPOINT_H_

#include <cstdint>
#include <string>

struct bpf_link;
struct bpf_program;

namespace masflow::internal {

// What perf_event_open calls the tracepoint "<group>/<name>"; 0 with errno.
std::uint64_t TracepointId(const std::string& group_and_name);

// As bpf_program__attach for a program of SEC("tracepoint/<group>/<name>"), but also where
// tracefs is not mounted: then it is looked into without being mounted anywhere, for which
// CAP_SYS_ADMIN is needed. Null with errno.
bpf_link* AttachTracepoint(bpf_program* program);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_TRACEPOINT_H_
