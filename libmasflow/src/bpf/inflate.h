// SPDX-License-Identifier: Apache-2.0
//
// The objects of bpf/ are embedded compressed (docs/design/0013-compressed-objects.md).
#ifndef MASFLOW_BPF_INFLATE_H_
#define MASFLOW_BPF_INFLATE_H_

#include <cstddef>
#include <memory>

namespace masflow::internal {

struct Inflated {
  std::unique_ptr<std::byte[]> bytes{};
  std::size_t size = 0;
};

// What a whole file of gzip holds. Without bytes: errno is EBADMSG, as it is none or damaged, or
// ENOMEM. Throws nothing.
Inflated Inflate(const void* gzip, std::size_t gzip_size);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_INFLATE_H_
