// SPDX-License-Identifier: Apache-2.0
//
// Workloads at the end of text lines: "  pod=default/web-0 container=nginx".
#ifndef MASFLOW_FORMAT_WORKLOAD_TEXT_H_
#define MASFLOW_FORMAT_WORKLOAD_TEXT_H_

#include "format/line.h"
#include "masflow/events.h"
#include "masflow/tcp_events.h"

namespace masflow::internal {

// Nothing for a process of the host.
void AppendWorkload(const ProcessView& process, Line* out);
// That of the owner, and the peer.
void AppendWorkloads(const ConnectionView& connection, Line* out);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_WORKLOAD_TEXT_H_
