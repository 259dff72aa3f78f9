// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_SKELETON_DATA_H_
#define MASFLOW_BPF_SKELETON_DATA_H_

#include <absl/status/status.h>
#include <bpf/libbpf.h>

namespace masflow::internal {

// Of a skeleton that was loaded: whether its variables are there. libbpf asks the kernel once a
// process whether they can be mapped, takes any failure for a no, and goes on without them.
inline absl::Status CheckData(const bpf_object_skeleton& skeleton) {
  for (int i = 0; i < skeleton.map_cnt; ++i) {
    void** const data = skeleton.maps[i].mmaped;
    if (data != nullptr && *data == nullptr) {
      return absl::UnavailableError(
          "the variables of the programs cannot be mapped, for the kernel had no memory when libbpf "
          "first asked for it in this process; start it again");
    }
  }
  return absl::OkStatus();
}

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_SKELETON_DATA_H_
