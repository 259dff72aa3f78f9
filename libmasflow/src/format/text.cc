// SPDX-License-Identifier: Apache-2.0
//
// Processes and losses as aligned text.
#include <string.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "format/escape.h"
#include "format/numbers.h"
#include "format/text_line.h"
#include "format/workload_text.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::AppendDuration;
using internal::AppendErrno;
using internal::AppendField;
using internal::AppendHead;
using internal::AppendNumber;
using internal::AppendWord;
using internal::EventName;

constexpr std::string_view kCut = "…";

void AppendArguments(const ProcessExecView& e, std::string* out) {
  if (!e.args.has_value()) {
    out->append("(arguments unreadable)");
    return;
  }
  const std::size_t begin = out->size();
  for (const std::string_view argument : Args(*e.args)) {
    if (out->size() != begin) {
      out->push_back(' ');
    }
    AppendWord(argument, out);
  }
  if (e.args_truncated()) {
    out->append(kCut);
    out->append(" (");
    AppendNumber(e.args->size(), out);
    out->append(" of ");
    AppendNumber(e.args_total_bytes, out);
    out->append(" bytes)");
  } else if (out->size() == begin) {
    out->append("(no arguments)");
  }
}

std::string_view BaseName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

void AppendExecutable(const ProcessExecView& e, std::string* out) {
  // Most often both name the same file; a script or a link does not.
  if (!e.filename.empty() &&
      (!e.executable.has_value() || BaseName(e.filename) != BaseName(*e.executable))) {
    out->append("  file=");
    AppendWord(e.filename, out);
    out->append(e.filename_truncated ? kCut : "");
  }
  if (e.executable.has_value()) {
    out->append("  exe=");
    out->append(e.executable_truncated ? kCut : "");
    AppendWord(*e.executable, out);
    out->append(e.executable_unlinked ? " (unlinked)" : "");
  }
}

}  // namespace

void AppendText(const ProcessExecView& e, WallTime at, TextStyle style, std::string* out) {
  constexpr EventName kExec{"PROCESS Exec", internal::kGreen};
  constexpr EventName kRunning{"PROCESS Running", internal::kGrey};
  AppendHead(&e.process, at, e.pre_existing ? kRunning : kExec, style, out);
  AppendArguments(e, out);
  AppendField("  ppid=", e.process.parent.pid, out);
  AppendField(" uid=", e.process.uid, out);
  if (e.euid != e.process.uid) {
    AppendField(" euid=", e.euid, out);
  }
  if (e.tid != e.process.id.pid) {
    AppendField(" tid=", e.tid, out);
  }
  AppendExecutable(e, out);
  internal::AppendWorkload(e.process, out);
}

void AppendText(const ProcessExitView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(&e.process, at, {"PROCESS Exit", internal::kBlue}, style, out);
  if (e.exit_code.has_value()) {
    AppendField("exit ", *e.exit_code, out);
  }
  if (e.signal.has_value()) {
    AppendField("killed by signal ", *e.signal, out);
    if (const char* const name = sigabbrev_np(*e.signal); name != nullptr) {
      out->append(" (");
      out->append(name);
      out->push_back(')');
    }
  }
  out->append(" after ");
  AppendDuration(e.duration, out);
  out->append(e.core_dumped ? ", core dumped" : "");
  internal::AppendWorkload(e.process, out);
}

void AppendText(const ProcessForkView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(&e.process, at, {"PROCESS Fork", internal::kCyan}, style, out);
  AppendField("by ", e.process.parent.pid, out);
  if (e.parent_tid != e.process.parent.pid) {
    AppendField(" tid=", e.parent_tid, out);
  }
  internal::AppendWorkload(e.process, out);
}

void AppendText(const ProcessExecFailureView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(&e.process, at, {"PROCESS Failed", internal::kRed}, style, out);
  AppendErrno(e.error, out);
  out->push_back(' ');
  if (e.filename.has_value()) {
    AppendWord(*e.filename, out);
    out->append(e.filename_truncated ? kCut : "");
  } else {
    out->append("(file name unreadable)");
  }
  AppendField("  ppid=", e.process.parent.pid, out);
  AppendField(" uid=", e.process.uid, out);
  if (e.tid != e.process.id.pid) {
    AppendField(" tid=", e.tid, out);
  }
  internal::AppendWorkload(e.process, out);
}

void AppendText(const Loss& loss, WallTime at, TextStyle style, std::string* out) {
  internal::AppendTimeAndName(at, {"LOSS", internal::kBoldRed}, style, out);
  out->push_back(' ');
  out->append(Name(loss.stream));
  out->append(": ");
  AppendNumber(loss.count, out);
  out->append(loss.count == 1 ? " record lost (" : " records lost (");
  out->append(Name(loss.reason));
  out->append(") within ");
  AppendDuration(internal::Elapsed(loss.since, loss.until), out);
}

}  // namespace v0
}  // namespace masflow
