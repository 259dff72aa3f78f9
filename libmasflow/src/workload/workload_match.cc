// SPDX-License-Identifier: Apache-2.0
#include "workload/workload_match.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace masflow::internal {
namespace {

using Verdict = WorkloadMatch::Verdict;

constexpr std::size_t kMinIdDigits = 12;  // as tools of containers print them

Verdict JudgeName(const std::vector<std::string>& wanted, const std::string& name, bool in_pod) {
  if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end()) {
    return wanted.empty() || !name.empty() ? Verdict::kYes : Verdict::kNo;
  }
  return name.empty() && in_pod ? Verdict::kNotYet : Verdict::kNo;
}

Verdict Both(Verdict a, Verdict b) {
  if (a == Verdict::kNo || b == Verdict::kNo) {
    return Verdict::kNo;
  }
  return a == Verdict::kNotYet ? a : b;
}

}  // namespace

WorkloadMatch::WorkloadMatch(WorkloadFilter filter)
    : filter_(std::move(filter)), active_(!filter_.empty()) {}

Verdict WorkloadMatch::Judge(const Workload* workload) const {
  if (!active_) {
    return Verdict::kYes;
  }
  if (workload == nullptr) {
    return Verdict::kNo;
  }
  const bool in_pod = !workload->pod_uid.empty();
  return Both(Both(JudgeName(filter_.pods, workload->pod_name, in_pod),
                   JudgeName(filter_.namespaces, workload->pod_namespace, in_pod)),
              JudgeContainer(*workload));
}

Verdict WorkloadMatch::JudgeContainer(const Workload& workload) const {
  const bool by_id = std::any_of(
      filter_.containers.begin(), filter_.containers.end(), [&](const std::string& wanted) {
        return wanted.size() >= kMinIdDigits && workload.container_id.starts_with(wanted);
      });
  const bool in_container = !workload.pod_uid.empty() && !workload.container_id.empty();
  return by_id ? Verdict::kYes
               : JudgeName(filter_.containers, workload.container_name, in_container);
}

}  // namespace masflow::internal
