// SPDX-License-Identifier: Apache-2.0
//
// A Session owns the way from the kernel to the callbacks. Streams are opened on
// it (process_stream.h), and the host drives it in one of three ways:
//
//   AsioDriver driver(io.get_executor(), session);      // masflow/asio.h
//   session.RunInThread();                              // a thread of the library
//   poll session.poll_fd(), then session.Drain(256);    // any other event loop
//
// Threads: one sequence per session. Whatever calls the callbacks is the driving
// thread; unless said otherwise a method may be called on the driving thread (so
// in a callback) or on any other one, and in the latter case waits for a running
// callback to return. stats(), support(), ToWallTime(), status(), poll_fd() never
// wait. Any number of sessions per process; they share nothing.
//
// The library starts no thread unless asked, installs no signal handler, prints
// nothing, reads no environment and throws nothing of its own.
#ifndef MASFLOW_SESSION_H_
#define MASFLOW_SESSION_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "masflow/events.h"
#include "masflow/export.h"
#include "masflow/stats.h"
#include "masflow/support.h"
#include "masflow/workload.h"

namespace masflow {
namespace internal {
class RecordSource;
class SessionCore;
class ThreadRunner;
}  // namespace internal

inline namespace v0 {

// Events from the running kernel. Needs CAP_BPF and CAP_PERFMON (or root), Linux
// 5.8 or later with BTF.
struct LiveKernel {};

// Events from a file written by SessionOptions::record_to. Needs no privilege.
// The session ends by itself at the end of the file.
struct Replay {
  std::string path{};
};

// Events from elsewhere; made by masflow::testing::FakeSource.
struct CustomSource {
  std::shared_ptr<internal::RecordSource> source{};
};

struct SessionOptions {
  std::variant<LiveKernel, Replay, CustomSource> source{};
  // How long a record may wait for others before the host is woken, while events
  // flow; the first one after a silence wakes it at once. 100 us to 1 s. A smaller
  // value costs wake-ups, a larger one needs larger rings. An idle session has no timer.
  std::chrono::microseconds latency = std::chrono::milliseconds(10);
  // If not empty: every record is also written to this file (created with mode 0600,
  // an existing one is truncated, a symbolic link refused).
  std::string record_to{};
  WorkloadOptions workloads{};
};

struct DrainResult {
  std::size_t records = 0;  // taken in this call
  bool more = false;        // records are left: call again soon (poll_fd() is readable)
  bool ended = false;       // stopped, or a recording's end: nothing will come any more
};

// What an event loop needs of a session: keeps it alive through moves and the end of its
// handle. Copyable. For AsioDriver and other drivers.
class MASFLOW_EXPORT DrainHandle {
 public:
  // See Session.
  int poll_fd() const;
  DrainResult Drain(std::size_t max_records);

 private:
  friend class Session;
  explicit DrainHandle(std::shared_ptr<internal::SessionCore> core);

  std::shared_ptr<internal::SessionCore> core_;
};

// Move-only handle. A moved-from Session may only be destroyed or assigned to.
class MASFLOW_EXPORT Session {
 public:
  // Loads nothing yet: streams do. Errors:
  //   PERMISSION_DENIED    names the capability that is missing
  //   UNIMPLEMENTED        names the kernel feature that is missing
  //   NOT_FOUND            no such recording
  //   INVALID_ARGUMENT     an option is out of range, or the file is no recording
  //   FAILED_PRECONDITION  the recording is of another wire version or byte order
  static absl::StatusOr<Session> Create(SessionOptions options = {});

  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  // Like Stop(). Streams may outlive the session; they just end.
  ~Session();

  // Starts a thread named "masflow" that calls the callbacks until Stop(), the end
  // of a recording, or an exception from a callback. FAILED_PRECONDITION if one
  // runs already.
  absl::Status RunInThread();

  // Waits for the thread of RunInThread() to end; rethrows what a callback threw.
  // Returns at once where there is none. Not on the driving thread.
  void Wait();

  // Readable (poll, epoll, …) when Drain() has work. Owned by the session, the same
  // for its whole life. Level-triggered.
  int poll_fd() const;

  // Calls the callbacks for at most `max_records` records and returns; never blocks.
  // An exception from a callback passes through, after the library has put itself in
  // order: the next call goes on with the next record. Called from a callback, it
  // does nothing.
  DrainResult Drain(std::size_t max_records);

  DrainHandle drain_handle() const;

  // Detaches all hooks. Once it has returned no callback runs or will run (called
  // from a callback: none after that one). Idempotent.
  void Stop();

  // Called for each loss of each stream. Replaces the former one; null removes it.
  void OnLoss(std::function<void(const Loss&)> callback);

  // Counts so far; they stay after Stop().
  SessionStats stats() const;

  // What the hooks of the open streams rest on.
  SupportReport support() const;

  // The date of a kernel time, by the clocks as they were when last compared (live:
  // within the last second of activity; a recording: when it was made).
  WallTime ToWallTime(KernelTime time) const;

  // OK, or what cut the session short: DATA_LOSS, a recording that ends in the
  // middle; the error that ended writing to record_to (events go on without it).
  absl::Status status() const;

 private:
  friend class HttpStream;
  friend class ProcessStream;
  friend class TcpStream;
  explicit Session(std::shared_ptr<internal::SessionCore> core);

  std::shared_ptr<internal::SessionCore> core_;
  std::unique_ptr<internal::ThreadRunner> thread_;
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_SESSION_H_
