// SPDX-License-Identifier: Apache-2.0
//
// The two flavours of each event, made from each other field by field. A field added
// to an event and forgotten here fails events_test.cc, which compares both ways.
#include "masflow/events.h"

#include "core/event_convert.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::ConvertProcess;
using internal::ConvertText;

template <class To, class From>
BasicProcessExec<To> Convert(const BasicProcessExec<From>& from) {
  return {.time = from.time,
          .process = ConvertProcess<To>(from.process),
          .tid = from.tid,
          .euid = from.euid,
          .egid = from.egid,
          .filename = To(from.filename),
          .filename_truncated = from.filename_truncated,
          .executable = ConvertText<To>(from.executable),
          .executable_truncated = from.executable_truncated,
          .executable_unlinked = from.executable_unlinked,
          .args = ConvertText<To>(from.args),
          .args_total_bytes = from.args_total_bytes,
          .pre_existing = from.pre_existing};
}

template <class To, class From>
BasicProcessExit<To> Convert(const BasicProcessExit<From>& from) {
  return {.time = from.time,
          .process = ConvertProcess<To>(from.process),
          .exit_code = from.exit_code,
          .signal = from.signal,
          .core_dumped = from.core_dumped,
          .duration = from.duration};
}

template <class To, class From>
BasicProcessFork<To> Convert(const BasicProcessFork<From>& from) {
  return {.time = from.time,
          .process = ConvertProcess<To>(from.process),
          .parent_tid = from.parent_tid};
}

template <class To, class From>
BasicProcessExecFailure<To> Convert(const BasicProcessExecFailure<From>& from) {
  return {.time = from.time,
          .process = ConvertProcess<To>(from.process),
          .tid = from.tid,
          .error = from.error,
          .filename = ConvertText<To>(from.filename),
          .filename_truncated = from.filename_truncated};
}

}  // namespace

ProcessExec Own(const ProcessExecView& view) {
  return Convert<std::string>(view);
}
ProcessExit Own(const ProcessExitView& view) {
  return Convert<std::string>(view);
}
ProcessFork Own(const ProcessForkView& view) {
  return Convert<std::string>(view);
}
ProcessExecFailure Own(const ProcessExecFailureView& view) {
  return Convert<std::string>(view);
}

ProcessExecView View(const ProcessExec& event) {
  return Convert<std::string_view>(event);
}
ProcessExitView View(const ProcessExit& event) {
  return Convert<std::string_view>(event);
}
ProcessForkView View(const ProcessFork& event) {
  return Convert<std::string_view>(event);
}
ProcessExecFailureView View(const ProcessExecFailure& event) {
  return Convert<std::string_view>(event);
}

}  // namespace v0
}  // namespace masflow
