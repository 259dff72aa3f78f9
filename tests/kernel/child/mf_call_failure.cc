// SPDX-License-Identifier: Apache-2.0
//
// Preloaded into the command: of its calls of the kind MF_FAIL_CALLS (bpf, memory, wait) lets
// number MF_FAIL_AT (from 1) fail with the errno MF_FAIL_WITH, once. At the end says on descriptor
// 2 how many calls of that kind there were.
#include <dlfcn.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// What glibc's malloc() calls: looking for it with dlsym() would need memory.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
}

namespace {

std::atomic<long> calls{0};

long Number(const char* name) {
  const char* const text = getenv(name);
  return text == nullptr ? 0 : strtol(text, nullptr, 10);
}

// Whether this call, of this kind, is the one that shall fail; if so errno is set.
bool Fails(const char* kind) {
  const char* const wanted = getenv("MF_FAIL_CALLS");
  if (wanted == nullptr || strcmp(wanted, kind) != 0 || ++calls != Number("MF_FAIL_AT")) {
    return false;
  }
  errno = static_cast<int>(Number("MF_FAIL_WITH"));
  return true;
}

template <class Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Asio (of Boost 1.74) does not look whether its own wake-up and its timer were added to epoll, and
// would wait for ever. It alone asks for EPOLLERR, which needs no asking.
bool IsUnchecked(int operation, const epoll_event* event) {
  return operation == EPOLL_CTL_ADD && event != nullptr &&
         (event->events & ~EPOLLET) == (EPOLLIN | EPOLLERR);
}

struct Report {
  ~Report() { dprintf(STDERR_FILENO, "calls: %ld\n", calls.load()); }
} report;

}  // namespace

extern "C" {

// libbpf has no other way into the kernel.
long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) {
    argument = va_arg(list, long);
  }
  va_end(list);
  if (number == SYS_bpf && Fails("bpf")) {
    return -1;
  }
  static auto* const real = Real<decltype(syscall)>("syscall");
  return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
              arguments[5]);
}

void* malloc(std::size_t size) noexcept {
  return Fails("memory") ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
  return Fails("memory") ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) noexcept {
  return Fails("memory") ? nullptr : __libc_realloc(block, size);
}

int epoll_create(int size) noexcept {
  static auto* const real = Real<decltype(epoll_create)>("epoll_create");
  return Fails("wait") ? -1 : real(size);
}
int epoll_create1(int flags) noexcept {
  static auto* const real = Real<decltype(epoll_create1)>("epoll_create1");
  return Fails("wait") ? -1 : real(flags);
}
int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  static auto* const real = Real<decltype(epoll_ctl)>("epoll_ctl");
  return !IsUnchecked(operation, event) && Fails("wait") ? -1 : real(epoll, operation, fd, event);
}
int epoll_wait(int epoll, epoll_event* events, int count, int timeout) {
  static auto* const real = Real<decltype(epoll_wait)>("epoll_wait");
  return Fails("wait") ? -1 : real(epoll, events, count, timeout);
}
int eventfd(unsigned int value, int flags) noexcept {
  static auto* const real = Real<decltype(eventfd)>("eventfd");
  return Fails("wait") ? -1 : real(value, flags);
}
// timerfd_settime() fails for wrong arguments only.
int timerfd_create(clockid_t clock, int flags) noexcept {
  static auto* const real = Real<decltype(timerfd_create)>("timerfd_create");
  return Fails("wait") ? -1 : real(clock, flags);
}
int poll(pollfd* descriptors, nfds_t count, int timeout) {
  static auto* const real = Real<decltype(poll)>("poll");
  return Fails("wait") ? -1 : real(descriptors, count, timeout);
}

}  // extern "C"
