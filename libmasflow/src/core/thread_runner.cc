// SPDX-License-Identifier: Apache-2.0
#include "core/thread_runner.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

namespace masflow::internal {
namespace {

constexpr std::size_t kRecordsPerTurn = 256;

// Signals stay with the host's threads: a thread made in this scope inherits the mask.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void DriveUntilEnd(SessionCore& core) {
  pollfd waited{.fd = core.poll_fd(), .events = POLLIN, .revents = 0};
  for (DrainResult turn; !turn.ended; turn = core.Drain(kRecordsPerTurn)) {
    if (!turn.more && poll(&waited, 1, -1) < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "poll on the session");
    }
  }
}

void Run(const std::shared_ptr<SessionCore>& core, std::promise<void> done) {
  try {
    DriveUntilEnd(*core);
    done.set_value();
  } catch (...) {
    // Handed to whoever waits. Undriven, the session would only lose events.
    core->Stop();
    done.set_exception(std::current_exception());
  }
}

}  // namespace

ThreadRunner::ThreadRunner(std::shared_ptr<SessionCore> core) {
  std::promise<void> done;
  done_ = done.get_future().share();
  const SignalsBlocked blocked;
  thread_ = std::thread(Run, std::move(core), std::move(done));
  pthread_setname_np(thread_.native_handle(), "masflow");
}

ThreadRunner::~ThreadRunner() {
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

}  // namespace masflow::internal
