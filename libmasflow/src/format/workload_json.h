// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_FORMAT_WORKLOAD_JSON_H_
#define MASFLOW_FORMAT_WORKLOAD_JSON_H_

#include "format/json_line.h"
#include "masflow/workload.h"

namespace masflow::internal {

// By the conventions: container.id, k8s.pod.name, … Null: nothing.
void AddWorkload(const Workload* workload, JsonLine* line);
// What no convention names.
void AddWorkloadExtras(const Workload* workload, JsonLine* line);
// The other end of a connection: masflow.peer.k8s.…
void AddPeer(const Workload* peer, JsonLine* line);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_WORKLOAD_JSON_H_
