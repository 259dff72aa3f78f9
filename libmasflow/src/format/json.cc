// SPDX-License-Identifier: Apache-2.0
//
// Processes and losses as JSON. Keys and their order are part of the interface: docs/command.md.
#include <string.h>

#include <string>
#include <string_view>

#include "format/json_line.h"
#include "format/numbers.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::JsonLine;

void AddExecutable(std::string_view path, JsonLine* line) {
  // Without a slash in front it has no path (a memfd): all of it is the name.
  const bool has_path = path.starts_with('/');
  line->Text("process.executable.name", has_path ? path.substr(path.rfind('/') + 1) : path);
  if (has_path) {
    line->Text("process.executable.path", path);
  }
}

}  // namespace

void AppendJson(const ProcessExecView& e, WallTime at, std::string* out) {
  JsonLine line(at, "process.exec", out);
  line.Process(e.process);
  line.Number("process.user.id", e.euid);
  if (e.executable.has_value()) {
    AddExecutable(*e.executable, &line);
  }
  if (e.args.has_value()) {
    line.Arguments("process.command_args", *e.args);
    line.Number("masflow.args_total_bytes", e.args_total_bytes);
  }
  line.Flag("masflow.args_truncated", e.args_truncated());
  if (!e.filename.empty()) {
    line.Text("masflow.filename", e.filename);
  }
  line.Flag("masflow.filename_truncated", e.filename_truncated);
  line.Flag("masflow.executable_truncated", e.executable_truncated);
  line.Flag("masflow.executable_unlinked", e.executable_unlinked);
  line.Flag("masflow.pre_existing", e.pre_existing);
  line.Number("masflow.tid", e.tid);
  line.Number("masflow.egid", e.egid);
  line.ProcessExtras(e.process);
  line.Close();
}

void AppendJson(const ProcessExitView& e, WallTime at, std::string* out) {
  JsonLine line(at, "process.exit", out);
  line.Process(e.process);
  if (e.exit_code.has_value()) {
    line.Number("process.exit.code", unsigned{*e.exit_code});
  }
  if (e.signal.has_value()) {
    line.Number("masflow.signal", unsigned{*e.signal});
    if (const char* const name = sigabbrev_np(*e.signal); name != nullptr) {
      line.Text("masflow.signal_name", std::string("SIG") + name);
    }
  }
  line.Flag("masflow.core_dumped", e.core_dumped);
  line.Number("masflow.duration_ns", e.duration.count());
  line.ProcessExtras(e.process);
  line.Close();
}

void AppendJson(const ProcessForkView& e, WallTime at, std::string* out) {
  JsonLine line(at, "process.fork", out);
  line.Process(e.process);
  line.Number("masflow.parent_tid", e.parent_tid);
  line.ProcessExtras(e.process);
  line.Close();
}

void AppendJson(const ProcessExecFailureView& e, WallTime at, std::string* out) {
  JsonLine line(at, "process.exec", out);
  line.Process(e.process);
  line.Error(e.error);
  if (e.filename.has_value()) {
    line.Text("masflow.filename", *e.filename);
  }
  line.Flag("masflow.filename_truncated", e.filename_truncated);
  line.Number("masflow.tid", e.tid);
  line.ProcessExtras(e.process);
  line.Close();
}

void AppendJson(const Loss& loss, WallTime at, std::string* out) {
  JsonLine line(at, "loss", out);
  line.Text("masflow.stream", Name(loss.stream));
  line.Text("masflow.reason", Name(loss.reason));
  line.Number("masflow.lost_records", loss.count);
  line.Number("masflow.window_ns", internal::Elapsed(loss.since, loss.until).count());
  line.Close();
}

}  // namespace v0
}  // namespace masflow
