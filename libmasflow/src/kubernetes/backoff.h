// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_BACKOFF_H_
#define MASFLOW_KUBERNETES_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <random>

namespace masflow::internal {

// Pauses between attempts: doubled each time, of random length between half and all of it, so
// that the nodes of a cluster do not come back in step.
class Backoff {
 public:
  using Duration = std::chrono::milliseconds;

  Backoff(Duration first, Duration most) : first_(first), most_(most), next_(first) {}

  // At least `least`, which the server asked for.
  Duration Next(Duration least = Duration(0)) {
    const Duration whole = next_;
    next_ = std::min(most_, next_ * 2);
    std::uniform_int_distribution<Duration::rep> any(whole.count() / 2, whole.count());
    return std::max(least, Duration(any(random_)));
  }
  void Reset() { next_ = first_; }

 private:
  const Duration first_;
  const Duration most_;
  Duration next_;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_BACKOFF_H_
