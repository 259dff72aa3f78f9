// SPDX-License-Identifier: Apache-2.0
//
// What this machine is, as far as loading and attaching depends on it.
#ifndef MASFLOW_BPF_ENVIRONMENT_H_
#define MASFLOW_BPF_ENVIRONMENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

struct btf;

namespace masflow::internal {

// The hierarchy whose cgroup ids events carry. Version 2 where it is the only one; on v1
// and hybrid hosts a v1 controller, as there every task may be in the v2 root.
struct CgroupHierarchy {
  int v1_subsys = -1;   // index of the controller in this kernel; -1: version 2
  std::string name{};   // "cgroup v2", "cgroup v1 memory"
  std::string mount{};  // where it is mounted; empty: nowhere in our mount namespace
  std::string root{};   // the cgroup that is mounted there, "" for the hierarchy's root
  int number = 0;       // of the hierarchy in the kernel
};

// Of the running kernel, as it names itself.
struct KernelVersion {
  int major = 0;
  int minor = 0;

  bool IsAtLeast(int other_major, int other_minor) const {
    return major != other_major ? major > other_major : minor >= other_minor;
  }
};
KernelVersion RunningVersion();

class Environment {
 public:
  // Checks what every stream needs, so that the user is told before libbpf fails in the
  // middle: BTF, the capabilities. Errors as Session::Create.
  static absl::StatusOr<Environment> Probe();

  const std::string& kernel() const { return kernel_; }
  const std::string& architecture() const { return architecture_; }
  const CgroupHierarchy& cgroups() const { return cgroups_; }
  // From 7.0 on programs of tracepoints can be preempted, and so those of fentry and fexit on any
  // kernel; runs of the same program are skipped meanwhile (bpf/twin.bpf.h). Only the version says
  // so.
  bool PreemptsPrograms() const { return version_.IsAtLeast(7, 0); }

  // The number of arguments of a tracepoint; 0 if this kernel has none of that name.
  int TracepointArguments(const std::string& name) const;
  // The same of a function.
  int FunctionArguments(const std::string& name) const;

  // Programs can claim the type of an object and read it by plain loads (bpf/read.bpf.h).
  bool CanCast() const { return can_cast_; }
  // A table's entry can get its memory as it is made, in programs of any kind (6.1).
  bool AllocatesEntries() const { return allocates_entries_; }

  // Known beforehand, so that no whole object has to be loaded for it: why no program can be
  // put at the exit of this function (fexit), on any function by kprobe, or at this
  // tracepoint. Empty: nothing is known to be against it. The load and the attach decide.
  std::string WhyNoFexit(const std::string& function) const;
  // The same for one that finds the result behind so many arguments.
  std::string WhyNoFexit(const std::string& function, int arguments) const;
  static std::string WhyNoKprobe();
  std::string WhyNoTracepoint(const std::string& name) const;
  // And no program that is run by a call, with a walk over a table in it.
  std::string WhyNoProgramRun() const;

  // The id of a cgroup given as a path in the hierarchy or a whole one.
  absl::StatusOr<std::uint64_t> CgroupId(const std::string& path) const;

 private:
  struct BtfFree {
    void operator()(btf* data) const;
  };

  Environment() = default;

  std::string kernel_;
  KernelVersion version_;
  bool can_cast_ = false;
  bool allocates_entries_ = false;
  std::string architecture_;
  CgroupHierarchy cgroups_;
  std::unique_ptr<btf, BtfFree> btf_;
};

// Before 5.11 what BPF takes counts as locked memory of the user, and where that is too much the
// kernel refuses with EPERM: the sentence that says so. Empty: this kernel does not count it, or
// the process has no limit.
std::string WhyNoLockedMemory();
// Debian's kernels have a level of kernel.perf_event_paranoid at which CAP_PERFMON does not open
// perf events, and so no kprobe: the sentence that says so. Empty: it has a level of all kernels.
std::string WhyNoPerfEvent();

// errno as a Status of the fitting code: "<what>: <text of errno>".
absl::Status ErrnoStatus(int error, const std::string& what);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_ENVIRONMENT_H_
