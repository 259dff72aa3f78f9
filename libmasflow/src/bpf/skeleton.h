// SPDX-License-Identifier: Apache-2.0
//
// What the generated skeletons of bpf/ leave to do.
#ifndef MASFLOW_BPF_SKELETON_H_
#define MASFLOW_BPF_SKELETON_H_

#include <cerrno>
#include <cstdlib>

#include <absl/status/status.h>
#include <bpf/libbpf.h>

#include "bpf/environment.h"

namespace masflow::internal {

// As Skeleton::open(), but of the object for this kernel: that of `Plain`, which has the same
// programs, maps and variables, before Linux 6.2. `create` is <skeleton>__create_skeleton. Null
// with errno.
template <class Plain, class Skeleton>
Skeleton* OpenSkeleton(const Environment& environment, int (*create)(Skeleton*)) {
  auto* const skeleton = static_cast<Skeleton*>(std::calloc(1, sizeof(Skeleton)));
  if (skeleton == nullptr) {
    return nullptr;
  }
  int error = -create(skeleton);
  if (error == 0) {
    bpf_object_skeleton* const parts = skeleton->skeleton;
    parts->data = const_cast<void*>(environment.CanCast() ? Skeleton::elf_bytes(&parts->data_sz)
                                                          : Plain::elf_bytes(&parts->data_sz));
    error = -bpf_object__open_skeleton(parts, nullptr);
  }
  if (error != 0) {
    Skeleton::destroy(skeleton);
    errno = error;
    return nullptr;
  }
  return skeleton;
}

// Of a skeleton that was loaded: whether its variables are there. libbpf asks the kernel once a
// process whether they can be mapped, takes any failure for a no, and goes on without them.
inline absl::Status CheckData(const bpf_object_skeleton& skeleton) {
  for (int i = 0; i < skeleton.map_cnt; ++i) {
    void** const data = skeleton.maps[i].mmaped;
    if (data != nullptr && *data == nullptr) {
      return absl::UnavailableError(
          "the variables of the programs cannot be mapped, for the kernel had no memory when "
          "libbpf "
          "first asked for it in this process; start it again");
    }
  }
  return absl::OkStatus();
}

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_SKELETON_H_
