// SPDX-License-Identifier: Apache-2.0
#include "rights.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "syscall_filter.h"

namespace masflow_cli {
namespace {

using Capabilities = std::array<__user_cap_data_struct, 2>;

absl::Status Failed(const std::string& what) {
  return absl::ErrnoToStatus(errno, what);
}

std::uint32_t* Word(Capabilities* data, std::uint32_t __user_cap_data_struct::*set, int number) {
  return &((*data)[static_cast<std::size_t>(number / 32)].*set);
}

std::uint32_t Bit(int number) {
  return std::uint32_t{1} << (number % 32);
}

bool Read(Capabilities* data) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return syscall(SYS_capget, &header, data->data()) == 0;
}

bool Write(Capabilities data) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return syscall(SYS_capset, &header, data.data()) == 0;
}

absl::Status Become(const User& user) {
  if (setgroups(0, nullptr) != 0 || setresgid(user.gid, user.gid, user.gid) != 0 ||
      setresuid(user.uid, user.uid, user.uid) != 0) {
    return Failed("cannot become the user of --user, which needs CAP_SETUID and CAP_SETGID");
  }
  return absl::OkStatus();
}

// Before 5.19 a kernel that refuses BPF to users without rights refuses it all: also to read from
// an iterator that is attached (the bytes of connections) or to change the map of muted cgroups.
// Which it is shows an operation that nobody is let do: without a descriptor there is nothing to
// do.
bool BpfIsRefused() {
  bpf_attr nothing{};
  nothing.info.bpf_fd = static_cast<std::uint32_t>(-1);
  return syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &nothing, sizeof(nothing)) != 0 && errno == EPERM;
}

// The kubelet makes it for root and its group only.
bool IsRefused(const std::string& directory) {
  return !directory.empty() &&
         faccessat(AT_FDCWD, directory.c_str(), R_OK | X_OK, AT_EACCESS) != 0 && errno == EACCES;
}

// With none in effect: the capabilities without which something would stop.
std::vector<int> StillNeeded(const Flags& flags) {
  std::vector<int> needed;
  if (!flags.replay.empty()) {
    return needed;
  }
  if (BpfIsRefused()) {
    needed.push_back(CAP_BPF);
  }
  if (IsRefused(flags.workloads.pod_logs) || IsRefused(flags.workloads.container_logs)) {
    needed.push_back(CAP_DAC_READ_SEARCH);
  }
  return needed;
}

absl::Status DropCapabilities(const Flags& flags) {
  Capabilities held{};
  if (!Read(&held)) {
    return Failed("cannot read the capabilities");
  }
  // Of what would be executed. Without CAP_SETPCAP it stays as it is, and no_new_privs holds.
  for (int number = 0; prctl(PR_CAPBSET_READ, number) >= 0; ++number) {
    prctl(PR_CAPBSET_DROP, number);
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  Capabilities kept = held;
  for (__user_cap_data_struct& word : kept) {
    word.effective = word.inheritable = 0;
  }
  if (!Write(kept)) {
    return Failed("cannot drop the capabilities");
  }
  const Capabilities all = kept;
  for (__user_cap_data_struct& word : kept) {
    word.permitted = 0;
  }
  for (const int number : StillNeeded(flags)) {
    // CAP_SYS_ADMIN stands for CAP_BPF, but is not worth to be kept in its place.
    const std::uint32_t had = all[static_cast<std::size_t>(number / 32)].permitted & Bit(number);
    *Word(&kept, &__user_cap_data_struct::permitted, number) |= had;
    *Word(&kept, &__user_cap_data_struct::effective, number) |= had;
  }
  return Write(kept) ? absl::OkStatus() : Failed("cannot drop the capabilities");
}

}  // namespace

absl::Status GiveUpRights(const Flags& flags) {
  if (flags.user.has_value()) {
    // Else the change of the user drops all of them, also those that are still needed.
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
      return Failed("cannot keep capabilities");
    }
    if (absl::Status status = Become(*flags.user); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = DropCapabilities(flags); !status.ok()) {
    return status;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Failed("cannot set no_new_privs");
  }
  return flags.seccomp ? FilterSyscalls(flags.kubernetes.any()) : absl::OkStatus();
}

}  // namespace masflow_cli
