// SPDX-License-Identifier: Apache-2.0
//
// A mechanism that loads but cannot be attached: its place in the kernel is taken by as many
// programs as it has room for.
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/tracepoint.h"
#include "core/unique_fd.h"
#include "live.h"

namespace masflow::kernel_test {
namespace {

using internal::UniqueFd;

// r0 = 0; exit
constexpr std::array<bpf_insn, 2> kNothing{
    bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};

UniqueFd Load(bpf_prog_type type, bpf_prog_load_opts* options) {
  options->sz = sizeof(*options);
  return UniqueFd(bpf_prog_load(type, "mf_test", "GPL", kNothing.data(), kNothing.size(), options));
}

// Both attach one program more; 0, or errno.
int AttachToFunction(const char* function, std::vector<UniqueFd>* held) {
  bpf_prog_load_opts options{};
  options.expected_attach_type = BPF_TRACE_FENTRY;
  options.attach_btf_id =
      static_cast<__u32>(libbpf_find_vmlinux_btf_id(function, BPF_TRACE_FENTRY));
  UniqueFd program = Load(BPF_PROG_TYPE_TRACING, &options);
  if (!program.valid()) {
    return errno;
  }
  UniqueFd link(bpf_raw_tracepoint_open(nullptr, program.get()));
  if (!link.valid()) {
    return errno;
  }
  held->push_back(std::move(program));
  held->push_back(std::move(link));
  return 0;
}

int AttachToTracepoint(const char* name, std::vector<UniqueFd>* held) {
  bpf_prog_load_opts options{};
  UniqueFd program = Load(BPF_PROG_TYPE_TRACEPOINT, &options);
  perf_event_attr event{};
  event.type = PERF_TYPE_TRACEPOINT;
  event.size = sizeof(event);
  event.config = internal::TracepointId(name);
  UniqueFd descriptor(static_cast<int>(
      syscall(SYS_perf_event_open, &event, /*pid=*/-1, /*cpu=*/0, /*group_fd=*/-1, 0)));
  if (!program.valid() || !descriptor.valid() ||
      ioctl(descriptor.get(), PERF_EVENT_IOC_SET_BPF, program.get()) != 0) {
    return errno;
  }
  held->push_back(std::move(program));
  held->push_back(std::move(descriptor));
  return 0;
}

// What the accepts of a new session come by.
HookSupport AcceptHook() {
  absl::StatusOr<Session> session = Session::Create({});
  if (!session.ok()) {
    ADD_FAILURE() << session.status();
    return {};
  }
  const auto stream = TcpStream::Open(*session, {.data = TcpDataMode::kOff});
  EXPECT_TRUE(stream.ok()) << stream.status();
  return FindHook(*session, "tcp accept");
}

using FallbackTest = KernelTest;

TEST_F(FallbackTest, WhatCannotBeAttachedIsRefused_AndTheNextIsTaken) {
  const HookSupport before = AcceptHook();
  std::vector<UniqueFd> held;
  int error = 0;
  while (error == 0 && held.size() < 1000) {  // the kernel has room for some 38, or 64
    if (before.mechanism == "fentry security_sock_graft") {
      error = AttachToFunction("security_sock_graft", &held);
    } else if (before.mechanism.starts_with("tracepoint sys_exit_accept")) {
      error = AttachToTracepoint("syscalls/sys_exit_accept4", &held);
    } else {
      GTEST_SKIP() << "there is room for any number of: " << before.mechanism;
    }
  }
  ASSERT_EQ(error, E2BIG) << std::strerror(error);

  const HookSupport after = AcceptHook();
  ASSERT_EQ(after.refused.size(), before.refused.size() + 1);
  EXPECT_EQ(after.refused.back().mechanism, before.mechanism);
  EXPECT_THAT(after.refused.back().reason, testing::HasSubstr("attach"));
  EXPECT_FALSE(after.mechanism.empty());
  EXPECT_NE(after.mechanism, before.mechanism);

  held.clear();
  EXPECT_EQ(AcceptHook().mechanism, before.mechanism);
}

}  // namespace
}  // namespace masflow::kernel_test
