// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_WORKER_H_
#define MASFLOW_KUBERNETES_WORKER_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace masflow::internal {

// A thread that asks a server again and again, with pauses that end at once when it is stopped.
class Worker {
 public:
  Worker() = default;
  ~Worker() { Stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // `work` returns when Pause() returned false or `cancel` was called: that ends its request, and
  // is called by Stop(). Errors: std::system_error, there is no thread.
  void Start(std::function<void(Worker&)> work, std::function<void()> cancel);
  // Idempotent; not by `work`.
  void Stop();

  // False: stopped, at once or before.
  bool Pause(std::chrono::milliseconds time);
  bool stopped() const;

 private:
  std::function<void()> cancel_;
  mutable std::mutex lock_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_WORKER_H_
