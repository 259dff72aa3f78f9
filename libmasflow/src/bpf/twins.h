// SPDX-License-Identifier: Apache-2.0
//
// Hooks with two programs, of which the second takes over what the kernel lets the first one
// miss: bpf/twin.bpf.h.
#ifndef MASFLOW_BPF_TWINS_H_
#define MASFLOW_BPF_TWINS_H_

#include <string>
#include <utility>
#include <vector>

#include <bpf/libbpf.h>

#include "bpf/environment.h"

namespace masflow::internal {

struct HookTwin {
  std::string first;
  std::string twin;
  int hook = 0;  // MF_TWIN_*
};

// These on kernels that need them, else none.
inline std::vector<HookTwin> TwinsWhereNeeded(const Environment& environment,
                                              std::vector<HookTwin> twins) {
  return environment.PreemptsPrograms() ? std::move(twins) : std::vector<HookTwin>{};
}

// Before the load.
template <typename Skeleton>
void ConfigureTwins(const Environment& environment, Skeleton* skeleton) {
  skeleton->rodata->has_twins = environment.PreemptsPrograms();
  bpf_map__set_autocreate(skeleton->maps.told, environment.PreemptsPrograms());
}

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_TWINS_H_
