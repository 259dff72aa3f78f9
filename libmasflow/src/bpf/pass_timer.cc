// SPDX-License-Identifier: Apache-2.0
#include "bpf/pass_timer.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "bpf/environment.h"

namespace masflow::internal {

absl::StatusOr<PassTimer> PassTimer::Create(std::chrono::nanoseconds period) {
  PassTimer timer;
  timer.fd_ = UniqueFd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.fd_.valid()) {
    return ErrnoStatus(errno, "cannot create the timer of the passes");
  }
  timer.period_ = period;
  return timer;
}

void PassTimer::Start() {
  due_ = Clock::now() + period_;  // taken first: the descriptor is not readable before
  Set(period_);
  on_ = true;
}

void PassTimer::Stop() {
  Set(std::chrono::nanoseconds(0));
  on_ = false;
}

bool PassTimer::TakeDue() {
  if (!on_ || Clock::now() < due_) {
    return false;
  }
  std::uint64_t expirations = 0;
  if (read(fd_.get(), &expirations, sizeof(expirations)) != sizeof(expirations)) {
    return false;  // any moment now
  }
  due_ += expirations * period_;
  return true;
}

// 0 disarms.
void PassTimer::Set(std::chrono::nanoseconds period) const {
  const timespec time{.tv_sec = period / std::chrono::seconds(1),
                      .tv_nsec = (period % std::chrono::seconds(1)).count()};
  const itimerspec periodic{.it_interval = time, .it_value = time};
  timerfd_settime(fd_.get(), 0, &periodic, nullptr);
}

}  // namespace masflow::internal
