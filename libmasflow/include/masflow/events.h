// SPDX-License-Identifier: Apache-2.0
//
// The events. Each comes in two flavours with the same fields: XView, whose text
// points into the library's buffers and is valid only inside the callback it was
// passed to, and X, which owns its text. Own() makes the one from the other.
//
// Text is raw bytes as the kernel has them: any byte but NUL can occur, UTF-8 is
// not promised. Use masflow/format.h before showing it to a terminal or a parser.
//
// What was not observed is absent (std::optional) or flagged; nothing is guessed.
#ifndef MASFLOW_EVENTS_H_
#define MASFLOW_EVENTS_H_

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "masflow/export.h"
#include "masflow/workload.h"

namespace masflow {
inline namespace v0 {

// When the hook ran: CLOCK_MONOTONIC, which on Linux is std::chrono::steady_clock.
// Session::ToWallTime turns it into a date.
using KernelTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

// A process for its whole life and no other one after it: pids are used again,
// the pair is not. An exec keeps it, a fork makes a new one.
struct ProcessId {
  std::uint32_t pid = 0;              // in the initial pid namespace
  std::chrono::nanoseconds start{0};  // since boot, suspend included (CLOCK_BOOTTIME)

  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

// A view borrows the workload until its callback returns, an owning event shares it.
template <class Text>
using WorkloadPointer = std::conditional_t<std::is_same_v<Text, std::string_view>, const Workload*,
                                           std::shared_ptr<const Workload>>;

// The process of an event, as it was at that event.
template <class Text>
struct BasicProcess {
  ProcessId id{};
  ProcessId parent{};           // the real parent; pid 0 if it is outside of every process (init)
  std::uint32_t uid = 0;        // real user id, initial user namespace
  std::uint32_t gid = 0;        // real group id
  std::uint64_t cgroup_id = 0;  // inode number of the cgroup's directory; see SupportReport
  Text comm{};                  // the leader's name, at most 15 bytes
  // The container or pod that this cgroup is of. Null: a process of the host, or not known;
  // SessionStats counts the latter. Compared by identity.
  WorkloadPointer<Text> workload{};

  friend bool operator==(const BasicProcess&, const BasicProcess&) = default;
};
using ProcessView = BasicProcess<std::string_view>;
using Process = BasicProcess<std::string>;

// A process runs a new image. Source: raw_tp sched_process_exec (Linux 4.17); all
// fields come from the kernel at that moment, so a process that ends at once is
// complete. With pre_existing: found running when the stream was opened (source:
// iter/task, 5.8, and /proc/<pid>/cmdline for the arguments); time is when it was found.
template <class Text>
struct BasicProcessExec {
  KernelTime time{};
  BasicProcess<Text> process{};
  std::uint32_t tid = 0;   // the thread that called exec, by its id before the call
  std::uint32_t euid = 0;  // effective ids: differ from the real ones after a set-id exec
  std::uint32_t egid = 0;
  // As passed to execve, possibly relative; of a script, the script's. Empty if pre_existing.
  Text filename{};
  bool filename_truncated = false;
  // Absolute path of what runs, seen from the root of its mount namespace; of a
  // script, the interpreter's. A memfd or other file without a path: its bare name.
  std::optional<Text> executable{};
  bool executable_truncated = false;  // leading directories are missing ("…/" is not put in)
  bool executable_unlinked = false;   // has no name in the file system (any more)
  // argv, each argument ended by a NUL as far as it was captured; see Args().
  // Absent if it could not be read.
  std::optional<Text> args{};
  std::uint32_t args_total_bytes = 0;  // what the process got, captured or not; 0 if absent
  bool pre_existing = false;

  bool args_truncated() const { return args.has_value() && args->size() < args_total_bytes; }
  friend bool operator==(const BasicProcessExec&, const BasicProcessExec&) = default;
};
using ProcessExecView = BasicProcessExec<std::string_view>;
using ProcessExec = BasicProcessExec<std::string>;

// The last thread of a process has ended. Source: raw_tp sched_process_exit (4.17).
template <class Text>
struct BasicProcessExit {
  KernelTime time{};
  BasicProcess<Text> process{};
  // Exactly one of the two is there.
  std::optional<std::uint8_t> exit_code{};  // ended by exit
  std::optional<std::uint8_t> signal{};     // ended by this signal
  bool core_dumped = false;
  std::chrono::nanoseconds duration{0};  // since process.id.start, suspend included

  friend bool operator==(const BasicProcessExit&, const BasicProcessExit&) = default;
};
using ProcessExitView = BasicProcessExit<std::string_view>;
using ProcessExit = BasicProcessExit<std::string>;

// A new process (never a thread), before it runs. Source: raw_tp sched_process_fork (4.17).
template <class Text>
struct BasicProcessFork {
  KernelTime time{};
  BasicProcess<Text> process{};  // the child; parent is the process that forked
  std::uint32_t parent_tid = 0;  // the thread that forked

  friend bool operator==(const BasicProcessFork&, const BasicProcessFork&) = default;
};
using ProcessForkView = BasicProcessFork<std::string_view>;
using ProcessFork = BasicProcessFork<std::string>;

// execve or execveat returned an error; the process goes on as it was. Source:
// fexit of the system calls, else raw_tp sys_exit. 32-bit callers are not seen.
template <class Text>
struct BasicProcessExecFailure {
  KernelTime time{};
  BasicProcess<Text> process{};
  std::uint32_t tid = 0;
  int error = 0;  // errno, e.g. ENOENT
  // Read from the caller's memory as the call returned; another of its threads
  // can have changed it. Absent if unreadable. At most 511 bytes.
  std::optional<Text> filename{};
  bool filename_truncated = false;

  friend bool operator==(const BasicProcessExecFailure&, const BasicProcessExecFailure&) = default;
};
using ProcessExecFailureView = BasicProcessExecFailure<std::string_view>;
using ProcessExecFailure = BasicProcessExecFailure<std::string>;

// What ProcessStream delivers where one type is needed (AsioDriver::AsyncNext).
using ProcessEvent = std::variant<ProcessExec, ProcessExit, ProcessFork, ProcessExecFailure>;

// The deep copy. Thread-safe.
MASFLOW_EXPORT ProcessExec Own(const ProcessExecView& view);
MASFLOW_EXPORT ProcessExit Own(const ProcessExitView& view);
MASFLOW_EXPORT ProcessFork Own(const ProcessForkView& view);
MASFLOW_EXPORT ProcessExecFailure Own(const ProcessExecFailureView& view);

// The reverse: a view of an event that the caller keeps alive.
MASFLOW_EXPORT ProcessExecView View(const ProcessExec& event);
MASFLOW_EXPORT ProcessExitView View(const ProcessExit& event);
MASFLOW_EXPORT ProcessForkView View(const ProcessFork& event);
MASFLOW_EXPORT ProcessExecFailureView View(const ProcessExecFailure& event);

// The arguments of `args` (NUL-separated, as in BasicProcessExec), one by one:
//   for (std::string_view arg : masflow::Args(*e.args)) …
// The last one may be cut. Holds no memory; valid as long as the bytes are.
class Args {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest), at_end_(rest.empty()) {}
    std::string_view operator*() const { return rest_.substr(0, rest_.find('\0')); }
    Iterator& operator++() {
      const std::size_t end = rest_.find('\0');
      rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
      at_end_ = rest_.empty();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.at_end_ == b.at_end_ && a.rest_.size() == b.rest_.size();
    }

   private:
    std::string_view rest_{};
    bool at_end_ = true;
  };

  explicit Args(std::string_view bytes) : bytes_(bytes) {}
  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return Iterator(); }

 private:
  std::string_view bytes_;
};

}  // namespace v0
}  // namespace masflow

template <>
struct std::hash<masflow::ProcessId> {
  std::size_t operator()(const masflow::ProcessId& id) const noexcept {
    // Start times of one pid differ by far more than its bits are wide.
    return std::hash<std::uint64_t>()(
        static_cast<std::uint64_t>(id.start.count()) * 0x9E3779B97F4A7C15u ^ id.pid);
  }
};

#endif  // MASFLOW_EVENTS_H_
