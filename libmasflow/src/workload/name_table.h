// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_NAME_TABLE_H_
#define MASFLOW_WORKLOAD_NAME_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "masflow/tcp_events.h"
#include "masflow/workload.h"
#include "wire/workload_record.h"

namespace masflow::internal {

// What the sources of names have told of pods and services. Several may tell of one pod: then
// the API server's word goes before the kubelet's, and that before the log directory's.
class NameTable {
 public:
  static constexpr std::size_t kMaxPods = 100'000;
  static constexpr std::size_t kMaxServices = 100'000;

  // The UID, as cgroups carry it, of the pod that this was about; empty: there is none.
  std::string Add(const PodNames& pod);
  std::string Remove(const PodGone& gone);
  void Add(const ServiceNames& service);
  void Remove(const ServiceGone& gone);

  // Fills in the names of `workload`, which has its pod's UID and container id.
  void Name(Workload* workload) const;
  const Workload* FindPeer(const IpAddress& address) const;

  std::size_t pods() const { return pods_.size(); }

 private:
  static constexpr std::size_t kSources = 4;  // NamesFrom but kNobody, worst first

  struct Pod {
    std::array<std::unique_ptr<PodNames>, kSources> told;

    const PodNames* best() const;
  };
  struct AddressHash {
    std::size_t operator()(const IpAddress& address) const;
  };

  const std::string& CgroupUid(NamesFrom from, const std::string& uid) const;
  void Publish(const std::string& cgroup_uid, const Pod& pod);
  // From now on the addresses are those of `owner`, and no others are.
  void SetAddresses(const std::string& owner, const std::vector<std::string>& ips,
                    const std::shared_ptr<const Workload>& workload);

  absl::flat_hash_map<std::string, Pod> pods_;  // by the UID that cgroups carry
  // By source (a digit) and own UID, where the cgroups' is another one.
  absl::flat_hash_map<std::string, std::string> cgroup_uids_;
  struct Peer {
    std::string owner;  // the UID of the pod or "namespace/name" of the service
    std::shared_ptr<const Workload> workload;
  };
  absl::flat_hash_map<IpAddress, Peer, AddressHash> peers_;
  absl::flat_hash_map<std::string, std::vector<IpAddress>> addresses_;  // by owner
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_NAME_TABLE_H_
