// SPDX-License-Identifier: Apache-2.0
#include "bpf/filter_maps.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/task_iterator.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {
namespace {

constexpr std::uint8_t kListed = 1;

int MapFd(bpf_object* object, const char* name) {
  return bpf_map__fd(bpf_object__find_map_by_name(object, name));
}

template <class Key>
absl::Status Insert(bpf_object* object, const char* map, const std::vector<Key>& keys) {
  const int fd = MapFd(object, map);
  for (const Key& key : keys) {
    if (bpf_map_update_elem(fd, &key, &kListed, BPF_ANY) != 0) {
      return ErrnoStatus(errno, std::string("cannot fill the filter table ") + map);
    }
  }
  return absl::OkStatus();
}

// The members of `roots` that run, and all processes below them.
std::set<std::uint32_t> Descendants(const std::vector<mf_family_entry>& family,
                                    const std::vector<std::uint32_t>& roots) {
  std::unordered_multimap<std::uint32_t, std::uint32_t> children;
  std::set<std::uint32_t> running;
  for (const mf_family_entry& entry : family) {
    children.emplace(entry.ppid, entry.pid);
    running.insert(entry.pid);
  }
  std::set<std::uint32_t> found;
  std::vector<std::uint32_t> todo(roots);
  while (!todo.empty()) {
    const std::uint32_t pid = todo.back();
    todo.pop_back();
    if (running.count(pid) == 0 || !found.insert(pid).second) {
      continue;
    }
    const auto [begin, end] = children.equal_range(pid);
    for (auto child = begin; child != end; ++child) {
      todo.push_back(child->second);
    }
  }
  return found;
}

}  // namespace

FilterMaps::FilterMaps(ProcessFilter filter, std::vector<std::uint64_t> cgroup_ids,
                       int muted_cgroups)
    : filter_(std::move(filter)),
      cgroup_ids_(std::move(cgroup_ids)),
      muted_cgroups_(muted_cgroups) {}

absl::StatusOr<FilterMaps> FilterMaps::Create(const Environment& environment, ProcessFilter filter,
                                              int muted_cgroups) {
  std::vector<std::uint64_t> ids;
  for (const std::string& path : filter.cgroups) {
    absl::StatusOr<std::uint64_t> id = environment.CgroupId(path);
    if (!id.ok()) {
      return id.status();
    }
    ids.push_back(*id);
  }
  return FilterMaps(std::move(filter), std::move(ids), muted_cgroups);
}

absl::Status FilterMaps::Size(bpf_object* object) const {
  const std::array<std::pair<const char*, bool>, 5> maps{{{"filter_pids", !filter_.pids.empty()},
                                                          {"filter_trees", by_tree()},
                                                          {"filter_uids", by_uid()},
                                                          {"filter_comms", by_comm()},
                                                          {"filter_cgroups", by_cgroup()}}};
  for (const auto& [name, used] : maps) {
    if (!used) {
      bpf_map__set_max_entries(bpf_object__find_map_by_name(object, name), 1);
    }
  }
  bpf_map* const muted = bpf_object__find_map_by_name(object, "filter_muted");
  if (!by_workload()) {
    bpf_map__set_max_entries(muted, 1);
  } else if (const int error = -bpf_map__reuse_fd(muted, muted_cgroups_); error != 0) {
    return ErrnoStatus(error, "cannot share the table of the cgroups that are not wanted");
  }
  return absl::OkStatus();
}

absl::Status FilterMaps::Fill(bpf_object* object) const {
  std::vector<std::array<char, MF_COMM_LEN>> comms;
  for (const std::string& comm : filter_.comms) {
    std::memcpy(comms.emplace_back().data(), comm.data(), comm.size());
  }
  absl::Status status = Insert(object, "filter_pids", filter_.pids);
  status.Update(Insert(object, "filter_trees", filter_.trees));
  status.Update(Insert(object, "filter_uids", filter_.uids));
  status.Update(Insert(object, "filter_comms", comms));
  status.Update(Insert(object, "filter_cgroups", cgroup_ids_));
  return status;
}

// The fork hook runs already, and adds the children of whatever is in the table. So each
// look at the tasks adds a generation at least, and nothing can slip away below: once a
// look finds nothing new, the table is complete. What a look no longer finds has ended,
// perhaps before we entered it, so that its exit did not take it out; a pid must not stay
// listed for the next process that gets it.
absl::Status FilterMaps::SeedTrees(bpf_object* object, bpf_program* family) const {
  const int fd = MapFd(object, "filter_trees");
  std::set<std::uint32_t> entered(filter_.trees.begin(), filter_.trees.end());
  for (bool grew = true; grew;) {
    const absl::StatusOr<std::vector<mf_family_entry>> tasks = ReadFamily(family);
    if (!tasks.ok()) {
      return tasks.status();
    }
    const std::set<std::uint32_t> running = Descendants(*tasks, filter_.trees);
    grew = false;
    for (const std::uint32_t pid : running) {
      if (entered.insert(pid).second) {
        grew = true;
        if (bpf_map_update_elem(fd, &pid, &kListed, BPF_ANY) != 0) {
          return ErrnoStatus(errno, "cannot fill the filter table filter_trees");
        }
      }
    }
    for (const std::uint32_t pid : entered) {
      if (running.count(pid) == 0) {
        bpf_map_delete_elem(fd, &pid);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace masflow::internal
