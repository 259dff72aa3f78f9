// SPDX-License-Identifier: Apache-2.0
//
// SIGINT, SIGTERM and the end of --duration as one thing that can be asked and polled.
#ifndef MASFLOW_CLI_STOP_REQUEST_H_
#define MASFLOW_CLI_STOP_REQUEST_H_

#include <chrono>
#include <optional>

namespace masflow_cli {

// At most one per process: it owns the handlers of the two signals. A second signal, if
// not just the echo of the first one, ends the process at once.
class StopRequest {
 public:
  using Clock = std::chrono::steady_clock;

  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  // To be taken as a request from then on.
  void SetDeadline(Clock::time_point deadline) { deadline_ = deadline; }
  const std::optional<Clock::time_point>& deadline() const { return deadline_; }

  // Readable for good once a signal came.
  int fd() const { return fd_; }

  bool signalled() const;
  bool requested() const { return signalled() || (deadline_.has_value() && Now() >= *deadline_); }

  // How long stdout may stay blocked from now on, in ms as poll(2) takes it: for ever (-1)
  // as long as the end is not in sight, until one second after it otherwise.
  int patience_ms() const;

 private:
  static Clock::time_point Now() { return Clock::now(); }

  int fd_;
  std::optional<Clock::time_point> deadline_{};
};

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_STOP_REQUEST_H_
