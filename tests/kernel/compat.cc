// SPDX-License-Identifier: Apache-2.0
#include "compat.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <gtest/gtest.h>

#include "spawn.h"

namespace masflow::kernel_test {
namespace {

constexpr int kCompatGetpid = 20;

}  // namespace

#if defined(__x86_64__)

bool HasCompatCalls() {
  // Without IA32 emulation the instruction is a fault.
  Child child = Fork([] { return CompatCall(kCompatGetpid) == getpid() ? 0 : 1; });
  return child.Wait() == 0;
}

long CompatCall(int number, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  long result = number;
  // The upper halves of r8 to r11 do not survive on some kernels.
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(a), "c"(b), "d"(c), "S"(d), "D"(0L)
               : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int>(result);
}

LowMemory::LowMemory(const std::string& content) : size_(content.size() + 1) {
  memory_ =
      mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (memory_ == MAP_FAILED) {
    ADD_FAILURE() << "mmap: " << std::strerror(errno);
    return;
  }
  std::memcpy(memory_, content.c_str(), size_);
}

LowMemory::~LowMemory() {
  munmap(memory_, size_);
}

#else

bool HasCompatCalls() {
  return false;
}

long CompatCall(int, unsigned long, unsigned long, unsigned long, unsigned long) {
  return -ENOSYS;
}

LowMemory::LowMemory(const std::string& content) : size_(content.size()) {}

LowMemory::~LowMemory() = default;

#endif

}  // namespace masflow::kernel_test
