// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the path of a cgroup and as names of log files and directories. What comes out of
// them has the form of ids and names, so it can hold nothing else.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "record_fuzz.h"
#include "workload/cgroup_path.h"
#include "workload/pod_log_names.h"

namespace masflow::internal {
namespace {

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool Within(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void CheckPath(std::string_view path) {
  const CgroupIdentity identity = IdentifyCgroup(path);
  Require(identity.container_id.empty() || IsContainerId(identity.container_id), "no id");
  Require(identity.pod_uid.empty() || IsPodUid(identity.pod_uid), "no UID");
  Require(Within(identity.container_id, path), "an id from elsewhere");
  Require(path.starts_with(identity.outer_path), "an outer container that is not outside");
  Require(identity.outer_path.empty() || identity.found(), "an outer container of nothing");
  Require(identity.qos == PodQos::kUnknown || !identity.pod_uid.empty(), "a class of no pod");
  // A level below says nothing else.
  Require(IdentifyCgroup(std::string(path) + "/init.scope").container_id == identity.container_id,
          "what is below is elsewhere");
}

void CheckNames(std::string_view text) {
  if (const auto pod = ParsePodDirectory(text)) {
    Require(IsName(pod->pod_namespace) && IsName(pod->name) && IsPodUid(pod->uid), "no pod");
    Require(Within(pod->name, text), "a name from elsewhere");
  }
  if (const auto log = ParseContainerLog(text)) {
    Require(IsName(log->pod_namespace) && IsName(log->pod_name) && IsName(log->container) &&
                IsContainerId(log->container_id),
            "no container");
  }
}

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  masflow::internal::CheckPath(text);
  masflow::internal::CheckNames(text);
  return 0;
}
