// SPDX-License-Identifier: Apache-2.0
//
// The user-space end of bpf/filter.bpf.h: a ProcessFilter as switches and map entries.
#ifndef MASFLOW_BPF_FILTER_MAPS_H_
#define MASFLOW_BPF_FILTER_MAPS_H_

#include <cstdint>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "bpf/environment.h"
#include "masflow/process_stream.h"

struct bpf_object;
struct bpf_program;

namespace masflow::internal {

class FilterMaps {
 public:
  // Looks the cgroups up. `muted_cgroups`: the map of those of which nothing shall come (see
  // WorkloadFeed), borrowed for as long as objects are opened; -1: there is none.
  static absl::StatusOr<FilterMaps> Create(const Environment& environment, ProcessFilter filter,
                                           int muted_cgroups);

  bool by_pid() const { return !filter_.pids.empty() || by_tree(); }
  bool by_tree() const { return !filter_.trees.empty(); }
  bool by_uid() const { return !filter_.uids.empty(); }
  bool by_comm() const { return !filter_.comms.empty(); }
  bool by_cgroup() const { return !filter_.cgroups.empty(); }

  bool by_workload() const { return muted_cgroups_ >= 0; }

  bool any() const { return by_pid() || by_uid() || by_comm() || by_cgroup() || by_workload(); }

  // Before the load: the switches of bpf/filter.bpf.h and bpf/task.bpf.h.
  template <class Rodata>
  void Configure(const Environment& environment, Rodata* rodata) const {
    rodata->cgroup_v1_subsys = environment.cgroups().v1_subsys;
    rodata->filter_by_pid = by_pid();
    rodata->filter_by_tree = by_tree();
    rodata->filter_by_uid = by_uid();
    rodata->filter_by_comm = by_comm();
    rodata->filter_by_cgroup = by_cgroup();
    rodata->filter_by_workload = by_workload();
  }
  // Before the load: maps of unused lists shrink to one entry, that of the muted is shared.
  absl::Status Size(bpf_object* object) const;
  // After the load, before the attach.
  absl::Status Fill(bpf_object* object) const;
  // After the attach: finds the descendants that run already. `family` is mf_family.
  absl::Status SeedTrees(bpf_object* object, bpf_program* family) const;

 private:
  FilterMaps(ProcessFilter filter, std::vector<std::uint64_t> cgroup_ids, int muted_cgroups);

  ProcessFilter filter_;
  std::vector<std::uint64_t> cgroup_ids_;
  int muted_cgroups_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_FILTER_MAPS_H_
