// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_WORKLOAD_TABLE_H_
#define MASFLOW_WORKLOAD_WORKLOAD_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "masflow/tcp_events.h"
#include "masflow/workload.h"
#include "wire/workload_record.h"
#include "workload/name_table.h"

namespace masflow::internal {

// From the id of a cgroup, or the address of a peer, to what is known of its workload. Made of
// what the source tells; bounded. By one thread at a time.
class WorkloadTable {
 public:
  // Cgroups that are followed at once, those that are gone included: beyond, ids stay unknown.
  static constexpr std::size_t kMaxCgroups = 200'000;
  // So many that are gone are kept for the records that still name them.
  static constexpr std::size_t kMaxGone = 8192;

  WorkloadTable();
  ~WorkloadTable();
  WorkloadTable(const WorkloadTable&) = delete;
  WorkloadTable& operator=(const WorkloadTable&) = delete;

  // The cgroups of which something else is to be said than before are added to `changed`.
  void Apply(const WorkloadNews& news, std::vector<std::uint64_t>* changed);

  struct Found {
    bool known = false;                  // the cgroup is; of a process of the host there is
    const Workload* workload = nullptr;  // no workload
  };
  // As long as the next Apply().
  Found Find(std::uint64_t cgroup_id) const {
    const auto found = cgroups_.find(cgroup_id);
    return found == cgroups_.end() ? Found{} : Found{true, found->second.workload.get()};
  }
  // Null: no pod or service has this address.
  const Workload* FindPeer(const IpAddress& address) const;

  std::size_t cgroups() const { return cgroups_.size(); }
  std::size_t pods() const { return names_.pods(); }

 private:
  struct Cgroup {
    std::shared_ptr<const Workload> workload;  // null: of the host
    bool gone = false;
  };

  void Add(const CgroupMade& made, std::vector<std::uint64_t>* changed);
  void Remove(const CgroupGone& gone);
  // Says anew what is known of the pod with this UID, as cgroups carry it.
  void Rename(const std::string& uid, std::vector<std::uint64_t>* changed);
  void Forget(std::uint64_t id);

  absl::flat_hash_map<std::uint64_t, Cgroup> cgroups_;
  absl::flat_hash_map<std::string, std::vector<std::uint64_t>> cgroups_of_pod_;  // by UID
  std::deque<std::uint64_t> gone_;                                               // oldest first
  NameTable names_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_WORKLOAD_TABLE_H_
