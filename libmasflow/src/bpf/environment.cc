// SPDX-License-Identifier: Apache-2.0
#include "bpf/environment.h"

#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "bpf/libbpf_log.h"
#include "core/unique_fd.h"

namespace masflow::internal {
namespace {

bool HasCapability(const std::array<__user_cap_data_struct, 2>& data, int capability) {
  return (data[capability / 32].effective & (1u << (capability % 32))) != 0;
}

absl::Status CheckCapabilities() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) {
    return ErrnoStatus(errno, "cannot read the capabilities of this process");
  }
  if (HasCapability(data, CAP_SYS_ADMIN)) {
    return absl::OkStatus();  // stands for both
  }
  std::string missing;
  for (const auto& [capability, name] :
       {std::pair{CAP_BPF, "CAP_BPF"}, std::pair{CAP_PERFMON, "CAP_PERFMON"}}) {
    if (!HasCapability(data, capability)) {
      missing += missing.empty() ? name : std::string(" and ") + name;
    }
  }
  if (missing.empty()) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(missing +
                                     " missing: run as root, or give the program both: "
                                     "setcap cap_bpf,cap_perfmon+ep FILE");
}

// The controllers that are bound to a v1 hierarchy. Those of version 2 show hierarchy 0;
// kernels without v1 memory or cpuset leave them out.
std::map<std::string, int> V1Controllers() {
  std::map<std::string, int> found;
  std::ifstream file("/proc/cgroups");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    int hierarchy = 0;
    if (!line.starts_with('#') && fields >> name >> hierarchy && hierarchy != 0) {
      found[name] = hierarchy;
    }
  }
  return found;
}

// /proc/self/mountinfo writes space, tab, newline and backslash as \ooo.
std::string Unescape(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool HasOption(std::string_view options, std::string_view wanted) {
  while (!options.empty()) {
    const std::size_t end = options.find(',');
    if (options.substr(0, end) == wanted) {
      return true;
    }
    options.remove_prefix(end == std::string_view::npos ? options.size() : end + 1);
  }
  return false;
}

// The root of a mount as mountinfo shows it. In a cgroup namespace that of the host's own mount
// is shown from within: "/../..".
bool IsWholeHierarchy(std::string_view root) {
  while (root.starts_with("/..")) {
    root.remove_prefix(3);
  }
  return root.empty() || root == "/";
}

// Where the hierarchy of `controller` ("" = version 2) is mounted. A container can see its own
// part of it and the host's, one over the other.
void FindMount(const std::string& controller, CgroupHierarchy* hierarchy) {
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string skipped, root, point, field, type, device, options;
    fields >> skipped >> skipped >> skipped >> root >> point;
    while (fields >> field && field != "-") {
    }
    fields >> type >> device >> options;
    const bool match =
        controller.empty() ? type == "cgroup2" : type == "cgroup" && HasOption(options, controller);
    if (!match || (!hierarchy->mount.empty() && !IsWholeHierarchy(root))) {
      continue;
    }
    hierarchy->mount = Unescape(point);
    hierarchy->root = IsWholeHierarchy(root) ? "" : Unescape(root);
    if (hierarchy->root.empty()) {
      return;
    }
  }
}

std::optional<int> EnumValue(const btf* kernel, const char* type_name, const std::string& name) {
  const int id = btf__find_by_name_kind(kernel, type_name, BTF_KIND_ENUM);
  if (id < 0) {
    return std::nullopt;
  }
  const btf_type* const type = btf__type_by_id(kernel, static_cast<__u32>(id));
  const struct btf_enum* const values = btf_enum(type);
  for (int i = 0; i < btf_vlen(type); ++i) {
    if (name == btf__name_by_offset(kernel, values[i].name_off)) {
      return values[i].val;
    }
  }
  return std::nullopt;
}

CgroupHierarchy ChooseHierarchy(const btf* kernel) {
  const std::map<std::string, int> bound = V1Controllers();
  // Container runtimes place a container in all of them; memory is never co-mounted.
  for (const char* controller : {"memory", "pids", "cpu", "freezer", "devices"}) {
    const auto hierarchy = bound.find(controller);
    const std::optional<int> subsystem =
        EnumValue(kernel, "cgroup_subsys_id", std::string(controller) + "_cgrp_id");
    if (hierarchy != bound.end() && subsystem.has_value()) {
      CgroupHierarchy found{.v1_subsys = *subsystem,
                            .name = std::string("cgroup v1 ") + controller,
                            .number = hierarchy->second};
      FindMount(controller, &found);
      return found;
    }
  }
  CgroupHierarchy unified{.name = "cgroup v2"};
  FindMount("", &unified);
  return unified;
}

}  // namespace

KernelVersion RunningVersion() {
  utsname names{};
  uname(&names);
  char* end = nullptr;
  const long major = std::strtol(names.release, &end, 10);
  const long minor = *end == '.' ? std::strtol(end + 1, nullptr, 10) : 0;
  return {.major = static_cast<int>(major), .minor = static_cast<int>(minor)};
}

std::string WhyNoLockedMemory() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      RunningVersion().IsAtLeast(5, 11)) {
    return {};
  }
  return "before Linux 5.11 BPF memory counts against RLIMIT_MEMLOCK, which is " +
         std::to_string(limit.rlim_cur / 1024) +
         " KiB here: raise it (ulimit -l, LimitMEMLOCK=) or give CAP_SYS_RESOURCE, see "
         "docs/support.md";
}

std::string WhyNoPerfEvent() {
  int level = 0;
  std::ifstream("/proc/sys/kernel/perf_event_paranoid") >> level;
  if (level <= 2) {
    return {};
  }
  return "kernel.perf_event_paranoid is " + std::to_string(level) +
         " here, which leaves kprobes to CAP_SYS_ADMIN: set it to 2, or give that";
}

absl::Status ErrnoStatus(int error, const std::string& what) {
  return absl::ErrnoToStatus(error, what);
}

void Environment::BtfFree::operator()(btf* data) const {
  btf__free(data);
}

absl::StatusOr<Environment> Environment::Probe() {
  Environment environment;
  utsname names{};
  uname(&names);
  environment.kernel_ = names.release;
  environment.version_ = RunningVersion();
  environment.architecture_ = names.machine;
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return absl::UnimplementedError(
        "no kernel type information in /sys/kernel/btf/vmlinux: MasFlow needs Linux 5.8 or later "
        "built with CONFIG_DEBUG_INFO_BTF (every current distribution kernel is), and /sys "
        "mounted");
  }
  if (absl::Status status = CheckCapabilities(); !status.ok()) {
    return status;
  }
  LibbpfLog log;
  environment.btf_.reset(btf__load_vmlinux_btf());
  if (environment.btf_ == nullptr) {
    return log.Attach(ErrnoStatus(errno, "cannot parse /sys/kernel/btf/vmlinux"));
  }
  environment.cgroups_ = ChooseHierarchy(environment.btf_.get());
  // Asked once: each is a search through all types.
  environment.can_cast_ = environment.FunctionArguments("bpf_rdonly_cast") != 0;
  environment.allocates_entries_ =
      btf__find_by_name_kind(environment.btf_.get(), "bpf_mem_alloc", BTF_KIND_STRUCT) >= 0;
  return environment;
}

int Environment::TracepointArguments(const std::string& name) const {
  const int id =
      btf__find_by_name_kind(btf_.get(), ("btf_trace_" + name).c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) {
    return 0;
  }
  // typedef void (*btf_trace_NAME)(void *data, first argument, …)
  const btf_type* type = btf__type_by_id(btf_.get(), static_cast<__u32>(id));
  type = btf__type_by_id(btf_.get(), type->type);
  type = btf__type_by_id(btf_.get(), type->type);
  return btf_is_func_proto(type) ? btf_vlen(type) - 1 : 0;
}

int Environment::FunctionArguments(const std::string& name) const {
  const int id = btf__find_by_name_kind(btf_.get(), name.c_str(), BTF_KIND_FUNC);
  if (id < 0) {
    return 0;
  }
  const btf_type* type = btf__type_by_id(btf_.get(), static_cast<__u32>(id));
  type = btf__type_by_id(btf_.get(), type->type);
  return btf_vlen(type);
}

std::string Environment::WhyNoFexit(const std::string& function) const {
  const int id = btf__find_by_name_kind(btf_.get(), function.c_str(), BTF_KIND_FUNC);
  if (id < 0) {
    return "this kernel has no function " + function;
  }
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_TRACE_FEXIT;
  options.attach_btf_id = static_cast<__u32>(id);
  const std::array<bpf_insn, 2> return_zero{
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const UniqueFd program(bpf_prog_load(BPF_PROG_TYPE_TRACING, "mf_probe", "GPL", return_zero.data(),
                                       return_zero.size(), &options));
  if (!program.valid()) {
    return std::string("load: ") + std::strerror(errno);
  }
  // Kernels for arm64 load such programs before they can attach one: asked now, that costs no load
  // of a whole object for each hook. Elsewhere it is not asked, for a detach waits for the kernel.
  if (architecture_ == "aarch64" && !version_.IsAtLeast(6, 4)) {
    const UniqueFd link(bpf_raw_tracepoint_open(nullptr, program.get()));
    return link.valid() ? "" : std::string("attach: ") + std::strerror(errno);
  }
  return "";
}

std::string Environment::WhyNoFexit(const std::string& function, int arguments) const {
  const int found = FunctionArguments(function);
  if (found != 0 && found != arguments) {
    return function + " has " + std::to_string(found) + " arguments here, not " +
           std::to_string(arguments);
  }
  return WhyNoFexit(function);
}

std::string Environment::WhyNoKprobe() {
  return access("/sys/bus/event_source/devices/kprobe/type", F_OK) == 0 || errno != ENOENT ||
                 access("/sys/bus/event_source/devices", F_OK) != 0
             ? ""
             : "this kernel has no kprobes";
}

std::string Environment::WhyNoTracepoint(const std::string& name) const {
  return TracepointArguments(name) == 0 ? "this kernel has no tracepoint " + name : "";
}

std::string Environment::WhyNoProgramRun() const {
  return EnumValue(btf_.get(), "bpf_prog_type", "BPF_PROG_TYPE_SYSCALL").has_value()
             ? ""
             : "this kernel runs no program by a call (it does from 5.14 on)";
}

absl::StatusOr<std::uint64_t> Environment::CgroupId(const std::string& path) const {
  if (cgroups_.mount.empty()) {
    return absl::NotFoundError("the hierarchy " + cgroups_.name +
                               " is not mounted here, so cgroup \"" + path + "\" cannot be found");
  }
  const bool whole = path == cgroups_.mount || path.starts_with(cgroups_.mount + "/");
  const std::string directory =
      whole ? path : cgroups_.mount + (path.starts_with('/') ? "" : "/") + path;
  struct stat info {};
  if (stat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return absl::NotFoundError("no cgroup \"" + path + "\" in " + cgroups_.name + " (looked at " +
                               directory + ")");
  }
  return info.st_ino;
}

}  // namespace masflow::internal
