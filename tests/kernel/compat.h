// SPDX-License-Identifier: Apache-2.0
//
// System calls as 32-bit programs make them, from a 64-bit one.
#ifndef MASFLOW_KERNEL_COMPAT_H_
#define MASFLOW_KERNEL_COMPAT_H_

#include <cstddef>
#include <string>

namespace masflow::kernel_test {

// Their numbers on i386.
inline constexpr int kCompatWrite = 4;
inline constexpr int kCompatExecve = 11;
inline constexpr int kCompatConnect = 362;
inline constexpr int kCompatAccept4 = 364;

// Whether this kernel takes such calls.
bool HasCompatCalls();

// Its result; negative: -errno. Pointers have to be below 4 GiB: see LowMemory.
long CompatCall(int number, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0,
                unsigned long d = 0);

// Memory whose address fits into 32 bits.
class LowMemory {
 public:
  explicit LowMemory(const std::string& content);
  ~LowMemory();
  LowMemory(const LowMemory&) = delete;
  LowMemory& operator=(const LowMemory&) = delete;

  unsigned long address() const { return reinterpret_cast<unsigned long>(memory_); }

 private:
  const std::size_t size_;
  void* memory_ = nullptr;
};

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_COMPAT_H_
