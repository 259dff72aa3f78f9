// SPDX-License-Identifier: Apache-2.0
#include "core/thread_runner.h"

#include <poll.h>

#include <cerrno>
#include <cstddef>
#include <system_error>
#include <utility>

#include "core/signals_blocked.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kRecordsPerTurn = 256;

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
