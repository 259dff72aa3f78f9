// SPDX-License-Identifier: Apache-2.0
//
// Processes: exec, exit, on request fork, failed exec and what already runs.
#ifndef MASFLOW_PROCESS_STREAM_H_
#define MASFLOW_PROCESS_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "masflow/events.h"
#include "masflow/export.h"
#include "masflow/next_operation.h"
#include "masflow/session.h"

namespace masflow {
namespace internal {
class ProcessStreamCore;
}  // namespace internal

inline namespace v0 {

// Tried in the kernel, before a record is made. The lists are joined by "and", the
// values of one list by "or" (pids and trees count as one list); an empty list lets
// all pass. At most 1,024 values a list. Each event is judged by what the process is
// at that event: after a rename or a change of user the later events follow the new one.
struct ProcessFilter {
  std::vector<std::uint32_t> pids{};   // these processes
  std::vector<std::uint32_t> trees{};  // these and all their descendants, running or to come
  std::vector<std::uint32_t> uids{};   // real user id
  std::vector<std::string> comms{};    // exact, at most 15 bytes
  // These cgroups and all below: a directory of the hierarchy named in SupportReport,
  // as a path under its mount ("/kubepods/burstable") or a whole one ("/sys/fs/cgroup/…").
  std::vector<std::string> cgroups{};
};

struct ProcessOptions {
  ProcessFilter filter{};
  bool forks = false;         // deliver forks
  bool failed_execs = false;  // deliver failed execs; see SupportReport for what it costs
  bool snapshot = false;      // first deliver what already runs (OnExec, pre_existing)
  // Bytes of argv to capture, at most 16,383. Beyond, args_truncated() says so.
  std::uint32_t args_limit = 4096;
  // Ring between kernel and host: a power of two, at least a page. A record takes
  // some 250 bytes (exec) or 104 (exit).
  std::size_t ring_bytes = std::size_t{1} << 20;
};

// Move-only handle. Threads: as Session. Set callbacks before driving the session,
// or early events are counted as unheard. A callback may do all of these: set
// callbacks, stop the session, destroy this stream.
class MASFLOW_EXPORT ProcessStream {
 public:
  using Event = ProcessEvent;

  // Loads and attaches; from its return on no event is missed uncounted. One per session:
  //   ALREADY_EXISTS       this session has one: use another session
  //   INVALID_ARGUMENT     an option is out of range, a filter value is none
  //   NOT_FOUND            a cgroup of the filter
  //   PERMISSION_DENIED, UNIMPLEMENTED, RESOURCE_EXHAUSTED   from the kernel, with its words
  //   FAILED_PRECONDITION  the session was stopped
  //   UNIMPLEMENTED        a replay with filter.cgroups
  static absl::StatusOr<ProcessStream> Open(Session& session, ProcessOptions options = {});

  ProcessStream(ProcessStream&&) noexcept;
  ProcessStream& operator=(ProcessStream&&) noexcept;
  // Detaches; no callback runs after it has returned.
  ~ProcessStream();

  // Each replaces the former callback; null removes it.
  void OnExec(std::function<void(const ProcessExecView&)> callback);
  void OnExit(std::function<void(const ProcessExitView&)> callback);
  void OnFork(std::function<void(const ProcessForkView&)> callback);
  void OnExecFailure(std::function<void(const ProcessExecFailureView&)> callback);

  // For AsioDriver::AsyncNext, which see. From the first call on events go to these
  // operations only, and a record stays in the ring until one asks for it.
  void StartNext(std::unique_ptr<internal::NextOperation<ProcessEvent>> operation);

 private:
  explicit ProcessStream(std::shared_ptr<internal::ProcessStreamCore> core);

  std::shared_ptr<internal::ProcessStreamCore> core_;
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_PROCESS_STREAM_H_
