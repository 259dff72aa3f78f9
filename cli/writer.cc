// SPDX-License-Identifier: Apache-2.0
#include "writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace masflow_cli {
namespace {

// A blocking pipe that poll() calls writable takes so much without blocking (PIPE_BUF),
// and inside a blocked write() nobody would see the end of --duration.
constexpr std::size_t kMostAtOnce = 4096;

}  // namespace

void Writer::Flush() {
  std::string_view rest = buffer_;
  while (open() && !rest.empty()) {
    if (WaitUntilWritable()) {
      rest.remove_prefix(WriteSome(rest.substr(0, kMostAtOnce)));
    } else {
      state_ = State::kGaveUp;
    }
  }
  lost_lines_ += static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
  buffer_.clear();
}

void Writer::NoteReader() {
  pollfd end{fd_, 0, 0};
  if (open() && poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0) {
    state_ = State::kReaderGone;
  }
}

bool Writer::WaitUntilWritable() const {
  while (true) {
    // The second one only until it is known: it stays readable.
    const bool watch_signals = stop_ != nullptr && !stop_->signalled();
    pollfd fds[] = {{fd_, POLLOUT, 0}, {watch_signals ? stop_->fd() : -1, POLLIN, 0}};
    const int patience_ms = stop_ != nullptr ? stop_->patience_ms() : -1;
    const int ready = poll(fds, std::size(fds), patience_ms);
    if (fds[0].revents != 0) {
      return true;  // or broken, which write() will tell
    }
    if (ready == 0 && stop_ != nullptr && stop_->patience_ms() == 0) {
      return false;
    }
  }
}

std::size_t Writer::WriteSome(std::string_view bytes) {
  const ssize_t written = write(fd_, bytes.data(), bytes.size());
  if (written >= 0) {
    return static_cast<std::size_t>(written);
  }
  if (errno == EPIPE) {
    state_ = State::kReaderGone;
  } else if (errno != EINTR && errno != EAGAIN) {
    state_ = State::kFailed;
    error_ = errno;
  }
  return 0;
}

}  // namespace masflow_cli
