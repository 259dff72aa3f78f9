// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_SECRET_TEXT_H_
#define MASFLOW_HTTP_SECRET_TEXT_H_

#include <string.h>

#include <cstddef>
#include <memory>
#include <string>

namespace masflow::internal {

// Memory that is overwritten before it is given back, also as what is in it grows: heads hold
// credentials, and what malloc keeps for the next one who asks would be in a core dump.
template <typename T>
class WipingAllocator {
 public:
  using value_type = T;

  WipingAllocator() = default;
  template <typename U>
  WipingAllocator(const WipingAllocator<U>& /*other*/) {}  // NOLINT(google-explicit-constructor)

  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* memory, std::size_t n) {
    explicit_bzero(memory, n * sizeof(T));
    std::allocator<T>().deallocate(memory, n);
  }

  template <typename U>
  bool operator==(const WipingAllocator<U>& /*other*/) const {
    return true;
  }
};

// The first 15 bytes may stay where the object was: no header is among those of a head.
using SecretText = std::basic_string<char, std::char_traits<char>, WipingAllocator<char>>;

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_SECRET_TEXT_H_
