// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_CGROUP_PATH_H_
#define MASFLOW_WORKLOAD_CGROUP_PATH_H_

#include <string>
#include <string_view>

#include "masflow/workload.h"

namespace masflow::internal {

// What the path of a cgroup says by itself. Ids and UIDs are of the form that runtimes and the
// kubelet give them, so no control character gets out; what is not clear stays empty.
struct CgroupIdentity {
  ContainerRuntime runtime{};
  std::string_view container_id{};  // into the path
  std::string pod_uid{};
  PodQos qos{};
  std::string_view outer_path{};  // into the path: see Workload

  bool found() const { return !container_id.empty() || !pod_uid.empty(); }
};

// `path`: from the root of its hierarchy, v1 or v2, by either cgroup driver. Of containers within
// containers the innermost counts. Any bytes are safe; one look at each.
CgroupIdentity IdentifyCgroup(std::string_view path);

// The form of a pod's UID: a UUID, or the 32 hexadecimal digits of a static pod.
bool IsPodUid(std::string_view text);
// 64 hexadecimal digits.
bool IsContainerId(std::string_view text);

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_CGROUP_PATH_H_
