// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_CGROUP_WALK_H_
#define MASFLOW_BPF_CGROUP_WALK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace masflow::internal {

// All cgroups below the directory `mount`, a cgroup before those in it; `root` is put in front of
// their paths. At most 100,000. Those that vanish meanwhile are passed over.
void WalkCgroups(const std::string& mount, const std::string& root,
                 const std::function<void(std::uint64_t id, std::string_view path)>& found);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_CGROUP_WALK_H_
