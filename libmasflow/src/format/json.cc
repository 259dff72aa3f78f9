// SPDX-License-Identifier: Apache-2.0
//
// Events as JSON. Keys and their order are part of the interface: docs/command.md.
#include <string.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "format/numbers.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

// One object, from its brace to Close(). Keys are literals and need no escape.
class Line {
 public:
  Line(WallTime at, std::string_view event_name, std::string* out) : out_(out) {
    out_->append(R"({"timestamp":")");
    internal::AppendTimestamp(at, out_);
    out_->append(R"(","event.name":")");
    out_->append(event_name);
    out_->push_back('"');
  }

  template <class Integer>
  void Number(std::string_view key, Integer value) {
    Key(key);
    internal::AppendNumber(value, out_);
  }

  void Text(std::string_view key, std::string_view raw) {
    Key(key);
    AppendJsonString(raw, out_);
  }

  void Arguments(std::string_view key, std::string_view raw) {
    Key(key);
    char separator = '[';
    for (const std::string_view argument : Args(raw)) {
      out_->push_back(separator);
      AppendJsonString(argument, out_);
      separator = ',';
    }
    out_->append(separator == '[' ? "[]" : "]");
  }

  void Flag(std::string_view key, bool value) {
    if (value) {
      Key(key);
      out_->append("true");
    }
  }

  void Close() { out_->push_back('}'); }

 private:
  void Key(std::string_view key) {
    out_->append(",\"");
    out_->append(key);
    out_->append("\":");
  }

  std::string* const out_;
};

void AddProcess(const ProcessView& process, Line* line) {
  line->Number("process.pid", process.id.pid);
  line->Number("process.parent_pid", process.parent.pid);
  line->Number("process.real_user.id", process.uid);
}

// What no convention names; every event of a process ends with it.
void AddProcessExtras(const ProcessView& process, Line* line) {
  line->Text("masflow.comm", process.comm);
  line->Number("masflow.gid", process.gid);
  line->Number("masflow.cgroup_id", process.cgroup_id);
  line->Number("masflow.process_start_ns", process.id.start.count());
  line->Number("masflow.parent_start_ns", process.parent.start.count());
}

void AddExecutable(std::string_view path, Line* line) {
  // Without a slash in front it has no path (a memfd): all of it is the name.
  const bool has_path = path.starts_with('/');
  line->Text("process.executable.name", has_path ? path.substr(path.rfind('/') + 1) : path);
  if (has_path) {
    line->Text("process.executable.path", path);
  }
}

}  // namespace

void AppendJson(const ProcessExecView& e, WallTime at, std::string* out) {
  Line line(at, "process.exec", out);
  AddProcess(e.process, &line);
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
  AddProcessExtras(e.process, &line);
  line.Close();
}

void AppendJson(const ProcessExitView& e, WallTime at, std::string* out) {
  Line line(at, "process.exit", out);
  AddProcess(e.process, &line);
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
  AddProcessExtras(e.process, &line);
  line.Close();
}

void AppendJson(const ProcessForkView& e, WallTime at, std::string* out) {
  Line line(at, "process.fork", out);
  AddProcess(e.process, &line);
  line.Number("masflow.parent_tid", e.parent_tid);
  AddProcessExtras(e.process, &line);
  line.Close();
}

void AppendJson(const ProcessExecFailureView& e, WallTime at, std::string* out) {
  Line line(at, "process.exec", out);
  AddProcess(e.process, &line);
  const char* const name = strerrorname_np(e.error);
  line.Text("error.type", name != nullptr ? name : "_OTHER");
  line.Number("masflow.errno", e.error);
  if (e.filename.has_value()) {
    line.Text("masflow.filename", *e.filename);
  }
  line.Flag("masflow.filename_truncated", e.filename_truncated);
  line.Number("masflow.tid", e.tid);
  AddProcessExtras(e.process, &line);
  line.Close();
}

void AppendJson(const Loss& loss, WallTime at, std::string* out) {
  Line line(at, "loss", out);
  line.Text("masflow.stream", Name(loss.stream));
  line.Text("masflow.reason", Name(loss.reason));
  line.Number("masflow.lost_records", loss.count);
  line.Number("masflow.window_ns", internal::Elapsed(loss.since, loss.until).count());
  line.Close();
}

}  // namespace v0
}  // namespace masflow
