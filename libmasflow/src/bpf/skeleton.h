// SPDX-License-Identifier: Apache-2.0
//
// What the generated skeletons of bpf/ leave to do.
#ifndef MASFLOW_BPF_SKELETON_H_
#define MASFLOW_BPF_SKELETON_H_

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include <absl/status/status.h>
#include <bpf/libbpf.h>

#include "bpf/environment.h"
#include "bpf/inflate.h"

namespace masflow::internal {

// The function of a skeleton that returns its object, compressed.
using GzipBytes = const void* (*)(std::size_t*);

// Opens a skeleton that was created, with this object. 0, or what errno shall be.
inline int OpenObject(bpf_object_skeleton* skeleton, GzipBytes gzip_bytes) {
  std::size_t size = 0;
  const void* const gzip = gzip_bytes(&size);
  const Inflated object = Inflate(gzip, size);
  if (object.bytes == nullptr) {
    return errno;
  }
  skeleton->data = object.bytes.get();
  skeleton->data_sz = object.size;
  const int error = -bpf_object__open_skeleton(skeleton, nullptr);
  // libbpf has copied what it needs.
  skeleton->data = nullptr;
  skeleton->data_sz = 0;
  return error;
}

// As Skeleton::open(), which would need the object as it was before it was compressed. `create` is
// <skeleton>__create_skeleton. Null with errno.
template <class Skeleton>
Skeleton* OpenSkeleton(int (*create)(Skeleton*), GzipBytes gzip_bytes = Skeleton::gzip_bytes) {
  auto* const skeleton = static_cast<Skeleton*>(std::calloc(1, sizeof(Skeleton)));
  if (skeleton == nullptr) {
    return nullptr;
  }
  int error = -create(skeleton);
  if (error == 0) {
    error = OpenObject(skeleton->skeleton, gzip_bytes);
  }
  if (error != 0) {
    Skeleton::destroy(skeleton);
    errno = error;
    return nullptr;
  }
  return skeleton;
}

// The same with the object for this kernel: that of `Plain`, which has the same programs, maps and
// variables, before Linux 6.2.
template <class Plain, class Skeleton>
Skeleton* OpenSkeleton(const Environment& environment, int (*create)(Skeleton*)) {
  return OpenSkeleton(create, environment.CanCast() ? Skeleton::gzip_bytes : Plain::gzip_bytes);
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
