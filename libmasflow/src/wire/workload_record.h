// SPDX-License-Identifier: Apache-2.0
//
// What is told of workloads, as bytes: cgroups (masflow_bpf/wire_cgroup.h, by the kernel) and
// names (by the sources of names, in a form of our own). So that a recording holds both as they
// came.
#ifndef MASFLOW_WIRE_WORKLOAD_RECORD_H_
#define MASFLOW_WIRE_WORKLOAD_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "masflow/workload.h"

namespace masflow::internal {

struct CgroupMade {
  std::uint64_t id = 0;
  std::string_view path{};  // into the record
};
struct CgroupGone {
  std::uint64_t id = 0;
};
struct PodGone {
  NamesFrom from{};
  std::string uid{};
};
struct ServiceGone {
  std::string service_namespace{};
  std::string name{};
};
using WorkloadNews =
    std::variant<CgroupMade, CgroupGone, PodNames, PodGone, ServiceNames, ServiceGone>;

// Nothing if the bytes are not well formed. Valid as long as they are.
std::optional<WorkloadNews> DecodeWorkload(std::span<const std::byte> record);

// At most 32 KiB: labels, containers and addresses beyond are left out, texts beyond 4 KiB cut.
std::vector<std::byte> EncodeWorkload(const WorkloadNews& news);

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_WORKLOAD_RECORD_H_
