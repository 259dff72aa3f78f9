// SPDX-License-Identifier: Apache-2.0
#include "io_uring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace masflow::kernel_test {
namespace {

constexpr unsigned kEntries = 1;
constexpr std::size_t kRingBytes = 4096;  // of both rings, which share one mapping since 5.4

void* Map(int fd, std::size_t bytes, off_t offset) {
  void* const at =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

IoUring::IoUring() {
  fd_.Reset(static_cast<int>(syscall(SYS_io_uring_setup, kEntries, &params_)));
  if (fd_.valid()) {
    rings_ = static_cast<char*>(Map(fd_.get(), kRingBytes, IORING_OFF_SQ_RING));
    entries_ = static_cast<io_uring_sqe*>(Map(fd_.get(), sizeof(io_uring_sqe), IORING_OFF_SQES));
  }
  if (rings_ == nullptr || entries_ == nullptr) {
    error_ = errno;
  }
}

IoUring::~IoUring() {
  if (rings_ != nullptr) {
    munmap(rings_, kRingBytes);
  }
  if (entries_ != nullptr) {
    munmap(entries_, sizeof(io_uring_sqe));
  }
}

int IoUring::Run(const io_uring_sqe& entry) {
  const auto word = [&](std::uint32_t offset) {
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(rings_ + offset));
  };
  *entries_ = entry;
  word(params_.sq_off.array).store(0);
  word(params_.sq_off.tail).fetch_add(1);
  while (word(params_.cq_off.tail).load() == word(params_.cq_off.head).load()) {
    const bool submitted = word(params_.sq_off.tail).load() == word(params_.sq_off.head).load();
    if (syscall(SYS_io_uring_enter, fd_.get(), submitted ? 0 : 1, 1, IORING_ENTER_GETEVENTS,
                nullptr, 0) < 0 &&
        errno != EINTR) {
      return -errno;
    }
  }
  const auto* const done = reinterpret_cast<const io_uring_cqe*>(rings_ + params_.cq_off.cqes);
  const std::uint32_t head = word(params_.cq_off.head).load();
  const int result = done[head & (params_.cq_entries - 1)].res;
  word(params_.cq_off.head).fetch_add(1);
  return result;
}

}  // namespace masflow::kernel_test
