// SPDX-License-Identifier: Apache-2.0
//
// One io_uring operation at a time, by the bare system calls.
#ifndef MASFLOW_KERNEL_IO_URING_H_
#define MASFLOW_KERNEL_IO_URING_H_

#include <linux/io_uring.h>

#include "core/unique_fd.h"

namespace masflow::kernel_test {

class IoUring {
 public:
  IoUring();
  ~IoUring();
  IoUring(const IoUring&) = delete;
  IoUring& operator=(const IoUring&) = delete;

  bool valid() const { return error_ == 0; }
  int error() const { return error_; }  // errno of the setup

  // Its result; negative: -errno.
  int Run(const io_uring_sqe& entry);

 private:
  int error_ = 0;
  internal::UniqueFd fd_;
  io_uring_params params_{};
  char* rings_ = nullptr;
  io_uring_sqe* entries_ = nullptr;
};

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_IO_URING_H_
