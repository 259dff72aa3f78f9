// SPDX-License-Identifier: Apache-2.0
//
// What this kernel lets MasFlow do: which mechanism each hook point got, why the
// better ones were refused, and what is lost by it.
#ifndef MASFLOW_SUPPORT_H_
#define MASFLOW_SUPPORT_H_

#include <string>
#include <vector>

#include "masflow/stats.h"
#include "masflow/workload.h"

namespace masflow {
inline namespace v0 {

struct HookSupport {
  struct Refusal {
    std::string mechanism{};  // e.g. "fexit __x64_sys_execve"
    std::string reason{};     // the kernel's own words and errno where it gave some
  };

  StreamKind stream{};
  std::string hook{};              // what it is for, e.g. "exec failure"
  std::string mechanism{};         // e.g. "raw_tp sys_exit"; empty: none works
  std::string limits{};            // what this mechanism does not see or costs; empty: nothing
  std::vector<Refusal> refused{};  // tried before, best first
};

struct SupportReport {
  std::string source{};              // "live kernel", "recording <path>"
  std::string kernel{};              // release, e.g. "6.1.0-13-amd64"
  std::string architecture{};        // e.g. "x86_64"
  std::string cgroup_hierarchy{};    // whose ids events carry: "cgroup v2" or "cgroup v1 memory"
  std::string cgroup_mount{};        // where its directories are; empty: not mounted here
  std::vector<HookSupport> hooks{};  // of the streams opened so far, in that order
  // Where the names of workloads come from; first, "cgroups", where their paths do.
  std::vector<NameSourceState> names{};
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_SUPPORT_H_
