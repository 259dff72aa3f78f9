// SPDX-License-Identifier: Apache-2.0
#include "workload/pod_log_names.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "workload/cgroup_path.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kMaxLabel = 63;       // RFC 1123, of namespaces and containers
constexpr std::size_t kMaxSubdomain = 253;  // of pods

bool IsName(std::string_view text, std::size_t max, bool dots) {
  return !text.empty() && text.size() <= max && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (dots && c == '.');
  });
}

// At each '_', which no name of Kubernetes holds; nothing unless there are three parts.
std::optional<std::array<std::string_view, 3>> SplitInThree(std::string_view text) {
  const std::size_t first = text.find('_');
  const std::size_t last = text.rfind('_');
  if (first == last || text.find('_', first + 1) != last) {
    return std::nullopt;
  }
  return std::array{text.substr(0, first), text.substr(first + 1, last - first - 1),
                    text.substr(last + 1)};
}

}  // namespace

std::optional<PodDirectoryName> ParsePodDirectory(std::string_view text) {
  const auto parts = SplitInThree(text);
  if (!parts.has_value()) {
    return std::nullopt;
  }
  const auto& [pod_namespace, name, uid] = *parts;
  if (!IsName(pod_namespace, kMaxLabel, false) || !IsName(name, kMaxSubdomain, true) ||
      !IsPodUid(uid)) {
    return std::nullopt;
  }
  return PodDirectoryName{.pod_namespace = pod_namespace, .name = name, .uid = uid};
}

std::optional<ContainerLogName> ParseContainerLog(std::string_view text) {
  constexpr std::string_view kSuffix = ".log";
  const auto parts = SplitInThree(text);
  if (!parts.has_value() || !text.ends_with(kSuffix)) {
    return std::nullopt;
  }
  const std::string_view container = (*parts)[2].substr(0, (*parts)[2].size() - kSuffix.size());
  const std::size_t dash = container.rfind('-');
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const ContainerLogName log{.pod_namespace = (*parts)[1],
                             .pod_name = (*parts)[0],
                             .container = container.substr(0, dash),
                             .container_id = container.substr(dash + 1)};
  if (!IsName(log.pod_namespace, kMaxLabel, false) || !IsName(log.pod_name, kMaxSubdomain, true) ||
      !IsName(log.container, kMaxLabel, false) || !IsContainerId(log.container_id)) {
    return std::nullopt;
  }
  return log;
}

}  // namespace masflow::internal
