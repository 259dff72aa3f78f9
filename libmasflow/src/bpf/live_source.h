// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_LIVE_SOURCE_H_
#define MASFLOW_BPF_LIVE_SOURCE_H_

#include <chrono>
#include <memory>

#include <absl/status/statusor.h>

#include "bpf/hook_plan.h"
#include "core/record_source.h"

namespace masflow::internal {

struct LiveSourceOptions {
  std::chrono::microseconds latency = std::chrono::milliseconds(10);
  WorkloadOptions workloads{};  // but the filter, which the session applies
  ForcedMechanisms forced{};    // for tests
};

// The running kernel. Errors as Session::Create.
absl::StatusOr<std::shared_ptr<RecordSource>> MakeLiveSource(LiveSourceOptions options);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_LIVE_SOURCE_H_
