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
using internal::Line;

constexpr std::string_view kCut = "…";

void AppendArguments(const ProcessExecView& e, Line* out) {
  if (!e.args.has_value()) {
    out->Append("(arguments unreadable)");
    return;
  }
  const std::size_t begin = out->size();
  for (const std::string_view argument : Args(*e.args)) {
    if (out->size() != begin) {
      out->Append(' ');
    }
    AppendWord(argument, out);
  }
  if (e.args_truncated()) {
    out->Append(kCut);
    out->Append(" (");
    AppendNumber(e.args->size(), out);
    out->Append(" of ");
    AppendNumber(e.args_total_bytes, out);
    out->Append(" bytes)");
  } else if (out->size() == begin) {
    out->Append("(no arguments)");
  }
}

std::string_view BaseName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

void AppendExecutable(const ProcessExecView& e, Line* out) {
  // Most often both name the same file; a script or a link does not.
  if (!e.filename.empty() &&
      (!e.executable.has_value() || BaseName(e.filename) != BaseName(*e.executable))) {
    out->Append("  file=");
    AppendWord(e.filename, out);
    out->Append(e.filename_truncated ? kCut : "");
  }
  if (e.executable.has_value()) {
    out->Append("  exe=");
    out->Append(e.executable_truncated ? kCut : "");
    AppendWord(*e.executable, out);
    out->Append(e.executable_unlinked ? " (unlinked)" : "");
  }
}

}  // namespace

void AppendText(const ProcessExecView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  constexpr EventName kExec{"PROCESS Exec", internal::kGreen};
  constexpr EventName kRunning{"PROCESS Running", internal::kGrey};
  AppendHead(&e.process, at, e.pre_existing ? kRunning : kExec, style, &line);
  AppendArguments(e, &line);
  AppendField("  ppid=", e.process.parent.pid, &line);
  AppendField(" uid=", e.process.uid, &line);
  if (e.euid != e.process.uid) {
    AppendField(" euid=", e.euid, &line);
  }
  if (e.tid != e.process.id.pid) {
    AppendField(" tid=", e.tid, &line);
  }
  AppendExecutable(e, &line);
  internal::AppendWorkload(e.process, &line);
}

void AppendText(const ProcessExitView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendHead(&e.process, at, {"PROCESS Exit", internal::kBlue}, style, &line);
  if (e.exit_code.has_value()) {
    AppendField("exit ", *e.exit_code, &line);
  }
  if (e.signal.has_value()) {
    AppendField("killed by signal ", *e.signal, &line);
    if (const char* const name = sigabbrev_np(*e.signal); name != nullptr) {
      line.Append(" (");
      line.Append(name);
      line.Append(')');
    }
  }
  line.Append(" after ");
  AppendDuration(e.duration, &line);
  line.Append(e.core_dumped ? ", core dumped" : "");
  internal::AppendWorkload(e.process, &line);
}

void AppendText(const ProcessForkView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendHead(&e.process, at, {"PROCESS Fork", internal::kCyan}, style, &line);
  AppendField("by ", e.process.parent.pid, &line);
  if (e.parent_tid != e.process.parent.pid) {
    AppendField(" tid=", e.parent_tid, &line);
  }
  internal::AppendWorkload(e.process, &line);
}

void AppendText(const ProcessExecFailureView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendHead(&e.process, at, {"PROCESS Failed", internal::kRed}, style, &line);
  AppendErrno(e.error, &line);
  line.Append(' ');
  if (e.filename.has_value()) {
    AppendWord(*e.filename, &line);
    line.Append(e.filename_truncated ? kCut : "");
  } else {
    line.Append("(file name unreadable)");
  }
  AppendField("  ppid=", e.process.parent.pid, &line);
  AppendField(" uid=", e.process.uid, &line);
  if (e.tid != e.process.id.pid) {
    AppendField(" tid=", e.tid, &line);
  }
  internal::AppendWorkload(e.process, &line);
}

void AppendText(const Loss& loss, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  internal::AppendTimeAndName(at, {"LOSS", internal::kBoldRed}, style, &line);
  line.Append(' ');
  line.Append(Name(loss.stream));
  line.Append(": ");
  AppendNumber(loss.count, &line);
  line.Append(loss.count == 1 ? " record lost (" : " records lost (");
  line.Append(Name(loss.reason));
  line.Append(") within ");
  AppendDuration(internal::Elapsed(loss.since, loss.until), &line);
}

}  // namespace v0
}  // namespace masflow
