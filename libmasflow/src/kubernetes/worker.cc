// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/worker.h"

#include <utility>

#include "core/signals_blocked.h"

namespace masflow::internal {

void Worker::Start(std::function<void(Worker&)> work, std::function<void()> cancel) {
  cancel_ = std::move(cancel);
  const SignalsBlocked blocked;
  thread_ = std::thread([this, work = std::move(work)] { work(*this); });
}

void Worker::Stop() {
  if (!thread_.joinable()) {
    return;
  }
  {
    std::lock_guard lock(lock_);
    stopped_ = true;
  }
  changed_.notify_all();
  cancel_();
  thread_.join();
}

bool Worker::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(lock_);
  return !changed_.wait_for(lock, time, [this] { return stopped_; });
}

bool Worker::stopped() const {
  std::lock_guard lock(lock_);
  return stopped_;
}

}  // namespace masflow::internal
