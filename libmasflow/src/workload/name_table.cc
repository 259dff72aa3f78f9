// SPDX-License-Identifier: Apache-2.0
#include "workload/name_table.h"

#include <algorithm>
#include <utility>

#include <absl/hash/hash.h>

#include "core/ip_prefix.h"

namespace masflow::internal {
namespace {

std::size_t Rank(NamesFrom from) {
  return static_cast<std::size_t>(from) - 1;  // kNobody tells nothing
}

std::string SourceKey(NamesFrom from, const std::string& uid) {
  return std::to_string(static_cast<int>(from)) + uid;
}

std::string ServiceKey(const std::string& service_namespace, const std::string& name) {
  return service_namespace + "/" + name;
}

void Fill(const PodNames& pod, Workload* workload) {
  workload->pod_namespace = pod.pod_namespace;
  workload->pod_name = pod.name;
  workload->names_from = pod.from;
  workload->labels = pod.labels;
  workload->owner_kind = pod.owner_kind;
  workload->owner_name = pod.owner_name;
  workload->node_ip = pod.node_ip;
  if (!pod.pod_ips.empty()) {
    workload->pod_ip = pod.pod_ips.front();
  }
}

}  // namespace

const PodNames* NameTable::Pod::best() const {
  const auto found =
      std::find_if(told.rbegin(), told.rend(), [](const auto& names) { return names != nullptr; });
  return found == told.rend() ? nullptr : found->get();
}

std::size_t NameTable::AddressHash::operator()(const IpAddress& address) const {
  return absl::Hash<std::array<std::uint8_t, 16>>()(address.bytes);
}

const std::string& NameTable::CgroupUid(NamesFrom from, const std::string& uid) const {
  const auto found = cgroup_uids_.find(SourceKey(from, uid));
  return found == cgroup_uids_.end() ? uid : found->second;
}

std::string NameTable::Add(const PodNames& pod) {
  if (pod.from == NamesFrom::kNobody || pod.uid.empty()) {
    return {};
  }
  std::string cgroup_uid = pod.cgroup_uid.empty() ? pod.uid : pod.cgroup_uid;
  if (pods_.size() >= kMaxPods && !pods_.contains(cgroup_uid)) {
    return {};
  }
  if (cgroup_uid != pod.uid) {
    cgroup_uids_[SourceKey(pod.from, pod.uid)] = cgroup_uid;
  }
  Pod& known = pods_[cgroup_uid];
  known.told[Rank(pod.from)] = std::make_unique<PodNames>(pod);
  Publish(cgroup_uid, known);
  return cgroup_uid;
}

std::string NameTable::Remove(const PodGone& gone) {
  if (gone.from == NamesFrom::kNobody) {
    return {};
  }
  std::string cgroup_uid = CgroupUid(gone.from, gone.uid);
  const auto pod = pods_.find(cgroup_uid);
  cgroup_uids_.erase(SourceKey(gone.from, gone.uid));
  if (pod == pods_.end()) {
    return {};
  }
  pod->second.told[Rank(gone.from)].reset();
  if (pod->second.best() != nullptr) {
    Publish(cgroup_uid, pod->second);
  } else {
    SetAddresses(cgroup_uid, {}, nullptr);
    pods_.erase(pod);
  }
  return cgroup_uid;
}

void NameTable::Publish(const std::string& cgroup_uid, const Pod& pod) {
  const PodNames& names = *pod.best();
  std::shared_ptr<Workload> peer;
  if (!names.pod_ips.empty()) {
    peer = std::make_shared<Workload>();
    peer->pod_uid = cgroup_uid;
    Fill(names, peer.get());
  }
  SetAddresses(cgroup_uid, names.pod_ips, peer);
}

void NameTable::Add(const ServiceNames& service) {
  if (service.cluster_ips.empty()) {
    return Remove({service.service_namespace, service.name});  // it has become headless
  }
  std::string key = ServiceKey(service.service_namespace, service.name);
  if (addresses_.size() >= kMaxPods + kMaxServices && !addresses_.contains(key)) {
    return;
  }
  auto peer = std::make_shared<Workload>();
  peer->pod_namespace = service.service_namespace;
  peer->service_name = service.name;
  peer->names_from = NamesFrom::kApiServer;
  SetAddresses(key, service.cluster_ips, peer);
}

void NameTable::Remove(const ServiceGone& gone) {
  SetAddresses(ServiceKey(gone.service_namespace, gone.name), {}, nullptr);
}

void NameTable::SetAddresses(const std::string& owner, const std::vector<std::string>& ips,
                             const std::shared_ptr<const Workload>& workload) {
  if (const auto before = addresses_.find(owner); before != addresses_.end()) {
    for (const IpAddress& address : before->second) {
      const auto peer = peers_.find(address);
      if (peer != peers_.end() && peer->second.owner == owner) {
        peers_.erase(peer);
      }
    }
    addresses_.erase(before);
  }
  std::vector<IpAddress> addresses;
  for (const std::string& ip : ips) {
    const absl::StatusOr<IpPrefix> parsed = ParseIpPrefix(ip);
    if (parsed.ok()) {
      peers_[parsed->address] = {.owner = owner, .workload = workload};
      addresses.push_back(parsed->address);
    }
  }
  if (!addresses.empty()) {
    addresses_[owner] = std::move(addresses);
  }
}

void NameTable::Name(Workload* workload) const {
  const auto found = pods_.find(workload->pod_uid);
  if (workload->pod_uid.empty() || found == pods_.end()) {
    return;
  }
  Fill(*found->second.best(), workload);
  // A container's name may be known to another source than the one whose word counts for the pod.
  for (const std::unique_ptr<PodNames>& names : found->second.told) {
    if (names == nullptr) {
      continue;
    }
    for (const PodNames::Container& container : names->containers) {
      if (container.id == workload->container_id && !container.id.empty()) {
        workload->container_name = container.name;
      }
    }
  }
}

const Workload* NameTable::FindPeer(const IpAddress& address) const {
  const auto peer = peers_.find(address);
  return peer == peers_.end() ? nullptr : peer->second.workload.get();
}

}  // namespace masflow::internal
