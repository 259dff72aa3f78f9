// SPDX-License-Identifier: Apache-2.0
#include "format/json_line.h"

#include <string.h>

#include "format/escape.h"
#include "format/workload_json.h"

namespace masflow::internal {

JsonLine::JsonLine(WallTime at, std::string_view event_name, std::string* out) : out_(out) {
  out_.Append(R"({"timestamp":")");
  AppendTimestamp(at, &out_);
  out_.Append(R"(","event.name":")");
  out_.Append(event_name);
  out_.Append('"');
}

void JsonLine::Key(std::string_view key) {
  out_.Append(",\"");
  out_.Append(key);
  out_.Append("\":");
}

void JsonLine::Text(std::string_view key, std::string_view raw) {
  Key(key);
  AppendJsonString(raw, &out_);
}

template <class List>
void JsonLine::Array(const List& texts) {
  char separator = '[';
  for (const std::string_view text : texts) {
    out_.Append(separator);
    AppendJsonString(text, &out_);
    separator = ',';
  }
  out_.Append(separator == '[' ? "[]" : "]");
}

void JsonLine::ForeignKey(std::string_view prefix, std::string_view name) {
  out_.Append(',');
  AppendJsonString(std::string(prefix).append(name), &out_);
  out_.Append(':');
}

void JsonLine::Text(std::string_view prefix, std::string_view name, std::string_view raw) {
  ForeignKey(prefix, name);
  AppendJsonString(raw, &out_);
}

void JsonLine::Texts(std::string_view prefix, std::string_view name,
                     const std::vector<std::string_view>& values) {
  ForeignKey(prefix, name);
  Array(values);
}

void JsonLine::Arguments(std::string_view key, std::string_view raw) {
  Key(key);
  Array(Args(raw));
}

void JsonLine::Flag(std::string_view key, bool value, bool usual) {
  if (value != usual) {
    Key(key);
    out_.Append(value ? "true" : "false");
  }
}

void JsonLine::Error(int error) {
  const char* const name = strerrorname_np(error);
  Text("error.type", name != nullptr ? name : "_OTHER");
  Number("masflow.errno", error);
}

void JsonLine::Process(const ProcessView& process) {
  Number("process.pid", process.id.pid);
  Number("process.parent_pid", process.parent.pid);
  Number("process.real_user.id", process.uid);
  AddWorkload(process.workload, this);
}

void JsonLine::ProcessExtras(const ProcessView& process) {
  Text("masflow.comm", process.comm);
  Number("masflow.gid", process.gid);
  Number("masflow.cgroup_id", process.cgroup_id);
  Number("masflow.process_start_ns", process.id.start.count());
  Number("masflow.parent_start_ns", process.parent.start.count());
  AddWorkloadExtras(process.workload, this);
}

}  // namespace masflow::internal
