// SPDX-License-Identifier: Apache-2.0
#include "constraints.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

namespace masflow::kernel_test {
namespace {

constexpr std::array<const char*, 2> kTracefs{"/sys/kernel/tracing", "/sys/kernel/debug"};

bool MountOver(const char* directory, const char* options) {
  return access(directory, F_OK) != 0 || mount("tmpfs", directory, "tmpfs", 0, options) == 0;
}

}  // namespace

bool BecomeNobody(const std::vector<int>& capabilities) {
  std::array<__user_cap_data_struct, 2> data{};
  for (const int capability : capabilities) {
    __user_cap_data_struct& part = data[static_cast<std::size_t>(capability / 32)];
    part.permitted |= 1u << (capability % 32);
    part.effective = part.permitted;
    part.inheritable = part.permitted;
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  if (prctl(PR_SET_KEEPCAPS, 1) != 0 || setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 ||
      setuid(kNobody) != 0 || syscall(SYS_capset, &header, data.data()) != 0) {
    return false;
  }
  for (const int capability : capabilities) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) {
      return false;
    }
  }
  return true;
}

bool OwnMounts() {
  return unshare(CLONE_NEWNS) == 0 &&
         mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

bool HideBtf() {
  return OwnMounts() && MountOver("/sys/kernel/btf", nullptr);
}

bool HideTracefs() {
  return OwnMounts() && MountOver(kTracefs[0], nullptr) && MountOver(kTracefs[1], nullptr);
}

bool MakeTracefsUnreadable() {
  return OwnMounts() && MountOver(kTracefs[0], "mode=0") && MountOver(kTracefs[1], "mode=0");
}

bool LimitLockedMemory(std::uint64_t bytes) {
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  return setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

bool PerfEventsAreClosed() {
  int level = 0;
  std::ifstream("/proc/sys/kernel/perf_event_paranoid") >> level;
  return level > 2;
}

bool BpfMemoryIsLocked() {
  utsname names{};
  int major = 0;
  int minor = 0;
  return uname(&names) == 0 && std::sscanf(names.release, "%d.%d", &major, &minor) == 2 &&
         (major < 5 || (major == 5 && minor < 11));
}

}  // namespace masflow::kernel_test
