// SPDX-License-Identifier: Apache-2.0
//
// Preloaded into the command: lets its bpf() call number MF_FAIL_AT (from 1) fail with the errno
// MF_FAIL_WITH, once. At the end says on descriptor 2 how many calls there were.
#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace {

std::atomic<long> calls{0};

long Number(const char* name) {
  const char* const text = getenv(name);
  return text == nullptr ? 0 : strtol(text, nullptr, 10);
}

struct Report {
  ~Report() { dprintf(STDERR_FILENO, "bpf calls: %ld\n", calls.load()); }
} report;

}  // namespace

// libbpf has no other way into the kernel.
extern "C" long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) {
    argument = va_arg(list, long);
  }
  va_end(list);
  if (number == SYS_bpf && ++calls == Number("MF_FAIL_AT")) {
    errno = static_cast<int>(Number("MF_FAIL_WITH"));
    return -1;
  }
  static auto* const real = reinterpret_cast<decltype(&syscall)>(dlsym(RTLD_NEXT, "syscall"));
  return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}
