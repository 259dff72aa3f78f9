// SPDX-License-Identifier: Apache-2.0
#include "stop_request.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace masflow_cli {
namespace {

using namespace std::chrono_literals;
using Clock = StopRequest::Clock;

// timeout(1) signals its child and then the whole group: one wish, two signals.
constexpr auto kEcho = 100ms;
constexpr auto kPatience = 1s;

// What the handler may touch.
std::atomic<Clock::rep> first_signal{0};  // 0: none yet
std::atomic<int> signal_fd{-1};
static_assert(std::atomic<Clock::rep>::is_always_lock_free);

extern "C" void OnSignal(int number) {
  const int saved_errno = errno;
  const Clock::duration now = Clock::now().time_since_epoch();
  Clock::rep first = 0;
  if (first_signal.compare_exchange_strong(first, now.count())) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(signal_fd, &one, sizeof(one));
  } else if (now - Clock::duration(first) > kEcho) {
    signal(number, SIG_DFL);
    raise(number);
  }
  errno = saved_errno;
}

void Handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  // Without SA_RESTART: a write to a blocked stdout shall return.
  sigaction(number, &action, nullptr);
}

}  // namespace

StopRequest::StopRequest() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot create an eventfd");
  }
  signal_fd = fd_;
  Handle(SIGINT, OnSignal);
  Handle(SIGTERM, OnSignal);
}

StopRequest::~StopRequest() {
  Handle(SIGINT, SIG_DFL);
  Handle(SIGTERM, SIG_DFL);
  signal_fd = -1;
  close(fd_);
}

bool StopRequest::signalled() const {
  return first_signal != 0;
}

int StopRequest::patience_ms() const {
  std::optional<Clock::time_point> end = deadline_;
  if (signalled()) {
    const Clock::time_point signal{Clock::duration(first_signal)};
    end = end.has_value() ? std::min(*end, signal) : signal;
  }
  if (!end.has_value()) {
    return -1;
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end + kPatience - Now());
  // A long one is cut; whoever polls asks again.
  return static_cast<int>(std::clamp<std::chrono::milliseconds>(left, 0ms, 24h).count());
}

}  // namespace masflow_cli
