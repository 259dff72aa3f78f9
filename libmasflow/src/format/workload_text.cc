// SPDX-License-Identifier: Apache-2.0
#include "format/workload_text.h"

#include <cstddef>
#include <string_view>

#include "format/escape.h"
#include "masflow/workload.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kIdDigits = 12;  // as tools of containers print ids

void AppendPod(const Workload& workload, Line* out) {
  if (workload.pod_name.empty()) {
    AppendEscaped(workload.pod_uid, out);
    return;
  }
  AppendEscaped(workload.pod_namespace, out);
  out->Append('/');
  AppendEscaped(workload.pod_name, out);
}

void AppendContainer(const Workload& workload, Line* out) {
  if (!workload.container_name.empty()) {
    AppendEscaped(workload.container_name, out);
    return;
  }
  if (const std::string_view runtime = Name(workload.runtime); !runtime.empty()) {
    out->Append(runtime);
    out->Append('/');
  }
  AppendEscaped(std::string_view(workload.container_id).substr(0, kIdDigits), out);
}

}  // namespace

void AppendWorkload(const ProcessView& process, Line* out) {
  if (process.workload == nullptr) {
    return;
  }
  const Workload& workload = *process.workload;
  out->Append(' ');
  if (!workload.pod_uid.empty()) {
    out->Append(" pod=");
    AppendPod(workload, out);
  }
  if (!workload.container_id.empty()) {
    out->Append(" container=");
    AppendContainer(workload, out);
  }
}

void AppendWorkloads(const ConnectionView& connection, Line* out) {
  if (connection.owner.has_value()) {
    AppendWorkload(*connection.owner, out);
  }
  if (connection.peer == nullptr) {
    return;
  }
  const Workload& peer = *connection.peer;
  if (peer.service_name.empty()) {
    out->Append("  peer=");
    AppendPod(peer, out);
  } else {
    out->Append("  peer=service ");
    AppendEscaped(peer.pod_namespace, out);
    out->Append('/');
    AppendEscaped(peer.service_name, out);
  }
}

}  // namespace masflow::internal
