// SPDX-License-Identifier: Apache-2.0
//
// What the conversions between the two flavours of events share.
#ifndef MASFLOW_CORE_EVENT_CONVERT_H_
#define MASFLOW_CORE_EVENT_CONVERT_H_

#include <memory>
#include <optional>
#include <string_view>

#include "masflow/events.h"
#include "masflow/tcp_events.h"

namespace masflow::internal {

// One that the host made without a shared owner is copied.
inline std::shared_ptr<const Workload> Share(const Workload* workload) {
  if (workload == nullptr) {
    return nullptr;
  }
  std::shared_ptr<const Workload> shared = workload->weak_from_this().lock();
  return shared != nullptr ? shared : std::make_shared<const Workload>(*workload);
}

template <class To>
WorkloadPointer<To> ConvertWorkload(const Workload* workload) {
  return Share(workload);
}
template <>
inline WorkloadPointer<std::string_view> ConvertWorkload<std::string_view>(
    const Workload* workload) {
  return workload;
}
template <class To>
WorkloadPointer<To> ConvertWorkload(const std::shared_ptr<const Workload>& workload) {
  return ConvertWorkload<To>(workload.get());
}

template <class To, class From>
BasicProcess<To> ConvertProcess(const BasicProcess<From>& from) {
  return {.id = from.id,
          .parent = from.parent,
          .uid = from.uid,
          .gid = from.gid,
          .cgroup_id = from.cgroup_id,
          .comm = To(from.comm),
          .workload = ConvertWorkload<To>(from.workload)};
}

template <class To, class From>
BasicConnection<To> ConvertConnection(const BasicConnection<From>& from) {
  BasicConnection<To> to = {.id = from.id,
                            .local = from.local,
                            .remote = from.remote,
                            .role = from.role,
                            .role_inferred = from.role_inferred,
                            .netns = from.netns,
                            .owner_inferred = from.owner_inferred,
                            .pre_existing = from.pre_existing,
                            .peer = ConvertWorkload<To>(from.peer)};
  if (from.owner.has_value()) {
    to.owner = ConvertProcess<To>(*from.owner);
  }
  return to;
}

template <class To, class From>
std::optional<To> ConvertText(const std::optional<From>& from) {
  return from.has_value() ? std::optional<To>(To(*from)) : std::nullopt;
}

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_EVENT_CONVERT_H_
