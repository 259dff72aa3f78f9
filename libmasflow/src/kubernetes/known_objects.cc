// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/known_objects.h"

#include <utility>
#include <variant>
#include <vector>

#include <absl/hash/hash.h>

namespace masflow::internal {
namespace {

std::string KeyOf(const KubeObject& object) {
  const auto* service = std::get_if<ServiceNames>(&object);
  return service == nullptr ? std::get<PodNames>(object).uid
                            : service->service_namespace + "/" + service->name;
}

std::uint64_t DigestOf(const ServiceNames& service) {
  return absl::HashOf(service.cluster_ips);
}

std::uint64_t DigestOf(const PodNames& pod) {
  std::vector<std::pair<std::string, std::string>> containers;
  for (const PodNames::Container& container : pod.containers) {
    containers.emplace_back(container.id, container.name);
  }
  return absl::HashOf(pod.cgroup_uid, pod.pod_namespace, pod.name, containers, pod.labels,
                      pod.owner_kind, pod.owner_name, pod.pod_ips, pod.node_ip);
}

}  // namespace

void KnownObjects::Put(KubeObject object) {
  const std::uint64_t digest = std::visit([](const auto& of) { return DigestOf(of); }, object);
  const auto [entry, is_new] = known_.try_emplace(KeyOf(object));
  const bool same = !is_new && entry->second.digest == digest;
  entry->second = {.digest = digest, .list = list_};
  if (same) {
    return;
  }
  if (auto* service = std::get_if<ServiceNames>(&object)) {
    sink_->OnService(std::move(*service));
  } else {
    sink_->OnPod(std::get<PodNames>(std::move(object)));
  }
}

void KnownObjects::Gone(const KubeObject& object) {
  const std::string key = KeyOf(object);
  if (known_.erase(key) != 0) {
    TellGone(key);
  }
}

void KnownObjects::EndList() {
  for (auto entry = known_.begin(); entry != known_.end();) {
    const auto here = entry++;
    if (here->second.list != list_) {
      TellGone(here->first);
      known_.erase(here);
    }
  }
}

// No UID has a slash, and each key of a service has.
void KnownObjects::TellGone(const std::string& key) {
  const std::size_t slash = key.find('/');
  if (slash == std::string::npos) {
    sink_->OnPodGone(key);
  } else {
    sink_->OnServiceGone(key.substr(0, slash), key.substr(slash + 1));
  }
}

}  // namespace masflow::internal
