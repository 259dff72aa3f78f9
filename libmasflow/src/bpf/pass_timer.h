// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_PASS_TIMER_H_
#define MASFLOW_BPF_PASS_TIMER_H_

#include <chrono>

#include <absl/status/statusor.h>

#include "core/unique_fd.h"

namespace masflow::internal {

// The clock of a feed's passes over its table: periodic, and off while there is nothing to find.
class PassTimer {
 public:
  PassTimer() = default;  // never due
  static absl::StatusOr<PassTimer> Create(std::chrono::nanoseconds period);

  // Readable from when a pass is due until that is taken; -1 if default constructed.
  int fd() const { return fd_.get(); }

  bool on() const { return on_; }
  void Start();
  void Stop();
  // A system call only once a period, however often it is asked.
  bool TakeDue();

 private:
  using Clock = std::chrono::steady_clock;

  void Set(std::chrono::nanoseconds period) const;

  UniqueFd fd_;
  std::chrono::nanoseconds period_{0};
  bool on_ = false;
  Clock::time_point due_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_PASS_TIMER_H_
