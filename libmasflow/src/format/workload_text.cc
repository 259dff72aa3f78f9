// SPDX-License-Identifier: Apache-2.0
#include "format/workload_text.h"

#include <cstddef>
#include <string_view>

#include "masflow/format.h"
#include "masflow/workload.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kIdDigits = 12;  // as tools of containers print ids

void AppendPod(const Workload& workload, std::string* out) {
  if (workload.pod_name.empty()) {
    AppendEscaped(workload.pod_uid, out);
    return;
  }
  AppendEscaped(workload.pod_namespace, out);
  out->push_back('/');
  AppendEscaped(workload.pod_name, out);
}

void AppendContainer(const Workload& workload, std::string* out) {
  if (!workload.container_name.empty()) {
    AppendEscaped(workload.container_name, out);
    return;
  }
  if (const std::string_view runtime = Name(workload.runtime); !runtime.empty()) {
    out->append(runtime);
    out->push_back('/');
  }
  AppendEscaped(std::string_view(workload.container_id).substr(0, kIdDigits), out);
}

}  // namespace

void AppendWorkload(const ProcessView& process, std::string* out) {
  if (process.workload == nullptr) {
    return;
  }
  const Workload& workload = *process.workload;
  out->push_back(' ');
  if (!workload.pod_uid.empty()) {
    out->append(" pod=");
    AppendPod(workload, out);
  }
  if (!workload.container_id.empty()) {
    out->append(" container=");
    AppendContainer(workload, out);
  }
}

void AppendWorkloads(const ConnectionView& connection, std::string* out) {
  if (connection.owner.has_value()) {
    AppendWorkload(*connection.owner, out);
  }
  if (connection.peer == nullptr) {
    return;
  }
  const Workload& peer = *connection.peer;
  if (peer.service_name.empty()) {
    out->append("  peer=");
    AppendPod(peer, out);
  } else {
    out->append("  peer=service ");
    AppendEscaped(peer.pod_namespace, out);
    out->push_back('/');
    AppendEscaped(peer.service_name, out);
  }
}

}  // namespace masflow::internal
