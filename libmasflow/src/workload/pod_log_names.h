// SPDX-License-Identifier: Apache-2.0
//
// The names that the kubelet gives to log directories and files. Nothing but what has the form of
// Kubernetes' names comes out.
#ifndef MASFLOW_WORKLOAD_POD_LOG_NAMES_H_
#define MASFLOW_WORKLOAD_POD_LOG_NAMES_H_

#include <optional>
#include <string_view>

namespace masflow::internal {

// Into the text that was parsed.
struct PodDirectoryName {
  std::string_view pod_namespace;
  std::string_view name;
  std::string_view uid;  // of a static pod 32 hexadecimal digits; the one that cgroups carry
};
// "<namespace>_<pod>_<uid>"
std::optional<PodDirectoryName> ParsePodDirectory(std::string_view text);

struct ContainerLogName {
  std::string_view pod_namespace;
  std::string_view pod_name;
  std::string_view container;
  std::string_view container_id;
};
// "<pod>_<namespace>_<container>-<id>.log"
std::optional<ContainerLogName> ParseContainerLog(std::string_view text);

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_POD_LOG_NAMES_H_
