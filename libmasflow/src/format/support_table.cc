// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

constexpr std::size_t kStreamColumns = 9;
constexpr std::string_view kNote = "           ";  // under the hook's column

void AppendLine(std::string_view label, std::string_view value, std::string* out) {
  if (value.empty()) {
    return;
  }
  out->append(label);
  AppendEscaped(value, out);
  out->push_back('\n');
}

void AppendCell(std::string_view text, std::size_t columns, std::string* out) {
  AppendEscaped(text, out);
  out->append(text.size() < columns ? columns - text.size() : 0, ' ');
  out->append("  ");
}

void AppendHook(const HookSupport& hook, std::size_t hook_columns, std::string* out) {
  AppendCell(Name(hook.stream), kStreamColumns, out);
  AppendCell(hook.hook, hook_columns, out);
  AppendEscaped(hook.mechanism.empty() ? "none works" : std::string_view(hook.mechanism), out);
  out->push_back('\n');
  if (!hook.limits.empty()) {
    out->append(kNote);
    AppendLine("limits: ", hook.limits, out);
  }
  for (const HookSupport::Refusal& refusal : hook.refused) {
    out->append(kNote);
    out->append("refused: ");
    AppendEscaped(refusal.mechanism, out);
    AppendLine(": ", refusal.reason.empty() ? "no reason given" : refusal.reason, out);
  }
}

}  // namespace

void AppendText(const SupportReport& report, std::string* out) {
  AppendLine("source     ", report.source, out);
  AppendLine("kernel     ", report.kernel, out);
  AppendLine("machine    ", report.architecture, out);
  std::string cgroups = report.cgroup_hierarchy;
  if (!cgroups.empty()) {
    cgroups += report.cgroup_mount.empty() ? ", not mounted here" : " at " + report.cgroup_mount;
  }
  AppendLine("cgroup ids ", cgroups, out);
  for (const NameSourceState& names : report.names) {
    const std::string state = names.state.ok() ? "works" : std::string(names.state.message());
    AppendLine("names      ", names.source + ": " + state, out);
  }
  if (report.hooks.empty()) {
    return;
  }
  std::size_t hook_columns = std::string_view("hook").size();
  for (const HookSupport& hook : report.hooks) {
    hook_columns = std::max(hook_columns, hook.hook.size());
  }
  out->push_back('\n');
  AppendCell("stream", kStreamColumns, out);
  AppendCell("hook", hook_columns, out);
  out->append("mechanism\n");
  for (const HookSupport& hook : report.hooks) {
    AppendHook(hook, hook_columns, out);
  }
}

}  // namespace v0
}  // namespace masflow
