// SPDX-License-Identifier: Apache-2.0
//
// Preloaded into the command: what somebody could do who has taken it over. Once it waits for
// events, tries what MF_INTRUDE names, and says on stderr what came of it.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

bool LoadProgram() {
  const bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  load.insns = reinterpret_cast<__u64>(code);
  load.insn_cnt = 2;
  load.license = reinterpret_cast<__u64>("GPL");
  return syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load)) >= 0;
}

bool Try(std::string_view what) {
  if (what == "load") {
    return LoadProgram();
  }
  if (what == "root") {
    return setuid(0) == 0 && geteuid() == 0;
  }
  if (what == "shadow") {
    return open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0;
  }
  if (what == "trace") {
    return ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr) == 0;
  }
  if (what == "socket") {
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
  }
  if (what == "write") {
    return open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0;
  }
  if (what == "code") {
    return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
  }
  if (what == "exec") {
    return execl("/bin/false", "false", nullptr) == 0;
  }
  return false;
}

void IntrudeOnce() {
  static bool done = false;
  const char* const what = getenv("MF_INTRUDE");
  if (done || what == nullptr) {
    return;
  }
  done = true;
  errno = 0;
  const bool worked = Try(what);
  dprintf(STDERR_FILENO, "intruder: %s\n", worked ? "worked" : strerrorname_np(errno));
}

}  // namespace

extern "C" int epoll_wait(int fd, epoll_event* events, int most, int timeout) {
  IntrudeOnce();
  static auto* const real = reinterpret_cast<decltype(&epoll_wait)>(dlsym(RTLD_NEXT, "epoll_wait"));
  return real(fd, events, most, timeout);
}
