// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_CORE_THREAD_RUNNER_H_
#define MASFLOW_CORE_THREAD_RUNNER_H_

#include <future>
#include <memory>
#include <thread>

#include "core/session_core.h"

namespace masflow::internal {

// A thread that drives a session until it ends: Session::RunInThread.
class ThreadRunner {
 public:
  explicit ThreadRunner(std::shared_ptr<SessionCore> core);
  // Stop the session first. On the thread itself (a callback destroys the session) the
  // thread is let go; it holds all that it still needs.
  ~ThreadRunner();
  ThreadRunner(const ThreadRunner&) = delete;
  ThreadRunner& operator=(const ThreadRunner&) = delete;

  // Until the thread has nothing left to do; rethrows what a callback threw.
  void Wait() { done_.get(); }

 private:
  std::shared_future<void> done_;
  std::thread thread_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_THREAD_RUNNER_H_
