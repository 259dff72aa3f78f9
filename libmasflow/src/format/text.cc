// SPDX-License-Identifier: Apache-2.0
//
// Events as aligned text. The columns are those of every stream:
//   time  event (15)  pid (7)  comm (15)  details, two spaces apart
#include <string.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "format/escape.h"
#include "format/numbers.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::AppendDuration;
using internal::AppendNumber;
using internal::AppendWord;

constexpr std::size_t kEventColumns = 15;
constexpr std::size_t kPidColumns = 7;
constexpr std::size_t kCommColumns = 15;
constexpr std::string_view kCut = "…";

constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kBlue = "\x1b[34m";
constexpr std::string_view kCyan = "\x1b[36m";
constexpr std::string_view kGrey = "\x1b[90m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kBoldRed = "\x1b[1;31m";
constexpr std::string_view kNoColor = "\x1b[0m";

struct EventName {
  std::string_view text;
  std::string_view color;
};

void AppendTimeAndName(WallTime at, const EventName& name, TextStyle style, std::string* out) {
  internal::AppendClockTime(at, out);
  out->push_back(' ');
  if (style.color) {
    out->append(name.color);
  }
  out->append(name.text);
  if (style.color) {
    out->append(kNoColor);
  }
}

// Fills up with spaces what was appended since `begin`; bytes inside of a character
// take no column.
void PadColumn(std::size_t begin, std::size_t columns, std::string* out) {
  std::size_t used = 0;
  for (std::size_t i = begin; i < out->size(); ++i) {
    const bool continues = (static_cast<unsigned char>((*out)[i]) & 0xC0) == 0x80;
    used += continues ? 0u : 1u;
  }
  out->append(used < columns ? columns - used : 0, ' ');
}

// All columns up to the details.
void AppendHead(const ProcessView& process, WallTime at, const EventName& name, TextStyle style,
                std::string* out) {
  AppendTimeAndName(at, name, style, out);
  out->append(kEventColumns - name.text.size() + 1, ' ');
  AppendNumber(process.id.pid, kPidColumns, out);
  out->push_back(' ');
  const std::size_t comm = out->size();
  AppendEscaped(process.comm, out);
  PadColumn(comm, kCommColumns, out);
  out->append("  ");
}

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

void AppendField(std::string_view name, std::uint32_t value, std::string* out) {
  out->append(name);
  AppendNumber(value, out);
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
  constexpr EventName kExec{"PROCESS Exec", kGreen};
  constexpr EventName kRunning{"PROCESS Running", kGrey};
  AppendHead(e.process, at, e.pre_existing ? kRunning : kExec, style, out);
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
}

void AppendText(const ProcessExitView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(e.process, at, {"PROCESS Exit", kBlue}, style, out);
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
}

void AppendText(const ProcessForkView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(e.process, at, {"PROCESS Fork", kCyan}, style, out);
  AppendField("by ", e.process.parent.pid, out);
  if (e.parent_tid != e.process.parent.pid) {
    AppendField(" tid=", e.parent_tid, out);
  }
}

void AppendText(const ProcessExecFailureView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(e.process, at, {"PROCESS Failed", kRed}, style, out);
  if (const char* const name = strerrorname_np(e.error); name != nullptr) {
    out->append(name);
  } else {
    out->append("errno ");
    AppendNumber(e.error, out);
  }
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
}

void AppendText(const Loss& loss, WallTime at, TextStyle style, std::string* out) {
  AppendTimeAndName(at, {"LOSS", kBoldRed}, style, out);
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
