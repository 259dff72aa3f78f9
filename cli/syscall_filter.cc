// SPDX-License-Identifier: Apache-2.0
//
// Written by hand: the list is short, needs no more than one condition a call, and libseccomp would
// be one more library in a command that runs as root. See docs/design/0010-rights.md.
#include "syscall_filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace masflow_cli {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "MasFlow knows x86_64 and arm64"
#endif

// The frequent ones first: the kernel goes through the list.
constexpr std::uint32_t kAllowed[] = {
    SYS_epoll_pwait, SYS_read, SYS_write, SYS_timerfd_settime, SYS_writev, SYS_ppoll,
#ifdef SYS_epoll_wait  // not on arm64
    SYS_epoll_wait, SYS_poll,
#endif
    SYS_epoll_ctl, SYS_clock_gettime, SYS_gettimeofday,
    // The loop that the command waits in.
    SYS_dup, SYS_eventfd2, SYS_epoll_create1, SYS_timerfd_create,
    // Memory, and what malloc and a C++ runtime do.
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_getrandom, SYS_sched_yield,
    // The directories of cgroups and of pods' logs, which come and go.
    SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_getdents64, SYS_fstat, SYS_newfstatat,
    SYS_statx, SYS_readlinkat, SYS_lseek, SYS_faccessat,
#ifdef SYS_readlink
    SYS_readlink, SYS_access, SYS_stat, SYS_lstat,
#endif
    // The end, also a hard one.
    SYS_close, SYS_rt_sigreturn, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_restart_syscall,
    SYS_getpid, SYS_gettid, SYS_tgkill, SYS_exit, SYS_exit_group};

// To ask a server by its address or name, in a thread of its own: sockets and a new thread.
constexpr std::uint32_t kAllowedForServers[] = {
    SYS_socket,     SYS_connect,         SYS_bind,        SYS_setsockopt,
    SYS_getsockopt, SYS_getsockname,     SYS_getpeername, SYS_sendto,
    SYS_recvfrom,   SYS_sendmsg,         SYS_recvmsg,     SYS_sendmmsg,
    SYS_shutdown,   SYS_uname,           SYS_sysinfo,     SYS_clone,
    SYS_clone3,     SYS_set_robust_list, SYS_rseq,        SYS_sched_getaffinity,
    SYS_readv};

// Allowed if the argument is one of these.
struct Choice {
  std::uint32_t number;
  unsigned argument;
  std::vector<std::uint32_t> values;
};

// Allowed if the argument has none of these bits.
struct Mask {
  std::uint32_t number;
  unsigned argument;
  std::uint32_t forbidden;
};

std::vector<Choice> Choices() {
  return {
      // Nothing that loads, makes or attaches.
      {SYS_bpf,
       0,
       {BPF_PROG_TEST_RUN, BPF_ITER_CREATE, BPF_MAP_GET_NEXT_KEY, BPF_OBJ_GET_INFO_BY_FD,
        BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM}},
      {SYS_ioctl, 1, {PERF_EVENT_IOC_DISABLE, FIONBIO, FIONREAD, TCGETS}},
      {SYS_prlimit64, 1, {RLIMIT_FSIZE}},  // how large a recording may become
      {SYS_fcntl, 1, {F_GETFL, F_SETFL, F_GETFD, F_SETFD}},
  };
}

constexpr Mask kMasks[] = {
    {SYS_openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND},  // read only
    {SYS_mmap, 2, PROT_EXEC},                                           // no new code
    {SYS_mprotect, 2, PROT_EXEC},
};

class Program {
 public:
  void Load(std::size_t offset) {
    Add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }

  // The low half, which is all that the kernel takes of these arguments.
  void LoadArgument(unsigned index) { Load(offsetof(seccomp_data, args) + std::size_t{index} * 8); }

  // Goes on if equal, else skips that many instructions.
  void UnlessEqualSkip(std::uint32_t value, std::size_t skipped) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, static_cast<std::uint8_t>(skipped));
  }

  void IfEqualSkip(std::uint32_t value, std::size_t skipped) {
    Add(BPF_JMP | BPF_JEQ | BPF_K, value, static_cast<std::uint8_t>(skipped), 0);
  }

  void IfAnyBitSkip(std::uint32_t bits, std::size_t skipped) {
    Add(BPF_JMP | BPF_JSET | BPF_K, bits, static_cast<std::uint8_t>(skipped), 0);
  }

  void Allow() { Add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW); }
  void Kill() { Add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS); }

  sock_fprog View() {
    return {.len = static_cast<unsigned short>(code_.size()), .filter = code_.data()};
  }

 private:
  void Add(int operation, std::uint32_t value, std::uint8_t if_true = 0, std::uint8_t if_not = 0) {
    code_.push_back({static_cast<std::uint16_t>(operation), if_true, if_not, value});
  }

  std::vector<sock_filter> code_;
};

Program Build(bool servers) {
  Program program;
  program.Load(offsetof(seccomp_data, arch));
  program.IfEqualSkip(kArchitecture, 1);
  program.Kill();
  program.Load(offsetof(seccomp_data, nr));
  for (const std::uint32_t number : kAllowed) {
    program.UnlessEqualSkip(number, 1);
    program.Allow();
  }
  for (const std::uint32_t number : kAllowedForServers) {
    if (servers) {
      program.UnlessEqualSkip(number, 1);
      program.Allow();
    }
  }
  for (const Choice& choice : Choices()) {
    program.UnlessEqualSkip(choice.number, 2 + 2 * choice.values.size());
    program.LoadArgument(choice.argument);
    for (const std::uint32_t value : choice.values) {
      program.UnlessEqualSkip(value, 1);
      program.Allow();
    }
    program.Kill();
  }
  for (const Mask& mask : kMasks) {
    program.UnlessEqualSkip(mask.number, 4);
    program.LoadArgument(mask.argument);
    program.IfAnyBitSkip(mask.forbidden, 1);
    program.Allow();
    program.Kill();
  }
  program.Kill();
  return program;
}

}  // namespace

absl::Status FilterSyscalls(bool servers) {
  Program program = Build(servers);
  const sock_fprog view = program.View();
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &view) != 0) {
    return absl::ErrnoToStatus(errno, "cannot apply the filter of --seccomp");
  }
  return absl::OkStatus();
}

}  // namespace masflow_cli
