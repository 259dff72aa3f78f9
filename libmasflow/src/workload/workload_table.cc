// SPDX-License-Identifier: Apache-2.0
#include "workload/workload_table.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "workload/cgroup_path.h"

namespace masflow::internal {

WorkloadTable::WorkloadTable() = default;
WorkloadTable::~WorkloadTable() = default;

void WorkloadTable::Apply(const WorkloadNews& news, std::vector<std::uint64_t>* changed) {
  if (const auto* made = std::get_if<CgroupMade>(&news)) {
    Add(*made, changed);
  } else if (const auto* gone = std::get_if<CgroupGone>(&news)) {
    Remove(*gone);
  } else if (const auto* pod = std::get_if<PodNames>(&news)) {
    Rename(names_.Add(*pod), changed);
  } else if (const auto* pod_gone = std::get_if<PodGone>(&news)) {
    // What still runs in the pod keeps its names: its end is what told the source.
    static_cast<void>(names_.Remove(*pod_gone));
  } else if (const auto* service = std::get_if<ServiceNames>(&news)) {
    names_.Add(*service);
  } else if (const auto* service_gone = std::get_if<ServiceGone>(&news)) {
    names_.Remove(*service_gone);
  }
}

void WorkloadTable::Add(const CgroupMade& made, std::vector<std::uint64_t>* changed) {
  if (cgroups_.size() >= kMaxCgroups || cgroups_.contains(made.id)) {
    return;  // told twice: by the kernel and by the walk
  }
  changed->push_back(made.id);
  const CgroupIdentity identity = IdentifyCgroup(made.path);
  if (!identity.found()) {
    cgroups_[made.id] = {};
    return;
  }
  auto workload = std::make_shared<Workload>();
  workload->cgroup_id = made.id;
  workload->cgroup_path = made.path;
  workload->runtime = identity.runtime;
  workload->container_id = identity.container_id;
  workload->pod_uid = identity.pod_uid;
  workload->qos = identity.qos;
  workload->outer_path = identity.outer_path;
  names_.Name(workload.get());
  if (!workload->pod_uid.empty()) {
    cgroups_of_pod_[workload->pod_uid].push_back(made.id);
  }
  cgroups_[made.id].workload = std::move(workload);
}

void WorkloadTable::Remove(const CgroupGone& gone) {
  const auto found = cgroups_.find(gone.id);
  if (found == cgroups_.end() || std::exchange(found->second.gone, true)) {
    return;
  }
  gone_.push_back(gone.id);
  if (gone_.size() > kMaxGone) {
    Forget(gone_.front());
    gone_.pop_front();
  }
}

void WorkloadTable::Forget(std::uint64_t id) {
  const auto found = cgroups_.find(id);
  if (found == cgroups_.end()) {
    return;
  }
  if (const std::shared_ptr<const Workload>& workload = found->second.workload) {
    const auto pod = cgroups_of_pod_.find(workload->pod_uid);
    if (pod != cgroups_of_pod_.end()) {
      std::erase(pod->second, id);
      if (pod->second.empty()) {
        cgroups_of_pod_.erase(pod);
      }
    }
  }
  cgroups_.erase(found);
}

void WorkloadTable::Rename(const std::string& uid, std::vector<std::uint64_t>* changed) {
  const auto pod = cgroups_of_pod_.find(uid);
  if (pod == cgroups_of_pod_.end()) {
    return;
  }
  for (const std::uint64_t id : pod->second) {
    std::shared_ptr<const Workload>& workload = cgroups_[id].workload;
    auto renamed = std::make_shared<Workload>(*workload);
    names_.Name(renamed.get());
    workload = std::move(renamed);
    changed->push_back(id);
  }
}

const Workload* WorkloadTable::FindPeer(const IpAddress& address) const {
  return names_.FindPeer(address);
}

}  // namespace masflow::internal
