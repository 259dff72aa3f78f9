// SPDX-License-Identifier: Apache-2.0
#include "format/workload_json.h"

#include <string>
#include <string_view>

namespace masflow::internal {
namespace {

void AddText(std::string_view key, std::string_view text, JsonLine* line) {
  if (!text.empty()) {
    line->Text(key, text);
  }
}

// Where the conventions have a key for such an owner.
std::string_view OwnerKey(std::string_view kind) {
  return kind == "Deployment"    ? "k8s.deployment.name"
         : kind == "ReplicaSet"  ? "k8s.replicaset.name"
         : kind == "StatefulSet" ? "k8s.statefulset.name"
         : kind == "DaemonSet"   ? "k8s.daemonset.name"
         : kind == "Job"         ? "k8s.job.name"
         : kind == "CronJob"     ? "k8s.cronjob.name"
                                 : "";
}

}  // namespace

void AddWorkload(const Workload* workload, JsonLine* line) {
  if (workload == nullptr) {
    return;
  }
  AddText("container.id", workload->container_id, line);
  AddText("container.runtime.name", Name(workload->runtime), line);
  AddText("k8s.namespace.name", workload->pod_namespace, line);
  AddText("k8s.pod.name", workload->pod_name, line);
  AddText("k8s.pod.uid", workload->pod_uid, line);
  AddText("k8s.container.name", workload->container_name, line);
  AddText("k8s.pod.ip", workload->pod_ip, line);
  if (const std::string_view key = OwnerKey(workload->owner_kind); !key.empty()) {
    AddText(key, workload->owner_name, line);
  }
  for (const auto& [key, value] : workload->labels) {
    line->Text("k8s.pod.label.", key, value);
  }
}

void AddWorkloadExtras(const Workload* workload, JsonLine* line) {
  if (workload == nullptr) {
    return;
  }
  if (OwnerKey(workload->owner_kind).empty() && !workload->owner_kind.empty()) {
    line->Text("masflow.owner_kind", workload->owner_kind);
    AddText("masflow.owner_name", workload->owner_name, line);
  }
  AddText("masflow.node_ip", workload->node_ip, line);
  AddText("masflow.pod_qos", Name(workload->qos), line);
  AddText("masflow.names_from", Name(workload->names_from), line);
  AddText("masflow.outer_cgroup", workload->outer_path, line);
}

void AddPeer(const Workload* peer, JsonLine* line) {
  if (peer == nullptr) {
    return;
  }
  AddText("masflow.peer.k8s.namespace.name", peer->pod_namespace, line);
  AddText("masflow.peer.k8s.pod.name", peer->pod_name, line);
  AddText("masflow.peer.k8s.pod.uid", peer->pod_uid, line);
  AddText("masflow.peer.k8s.service.name", peer->service_name, line);
}

}  // namespace masflow::internal
