/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System call numbers and arguments, and the functions behind them, per architecture. */
#ifndef MASFLOW_SYSCALL_BPF_H
#define MASFLOW_SYSCALL_BPF_H

#include "masflow_bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "read.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define NR_READ 0
#define NR_WRITE 1
#define NR_READV 19
#define NR_WRITEV 20
#define NR_CONNECT 42
#define NR_ACCEPT 43
#define NR_SENDTO 44
#define NR_RECVFROM 45
#define NR_SENDMSG 46
#define NR_RECVMSG 47
#define NR_EXECVE 59
#define NR_ACCEPT4 288
#define NR_RECVMMSG 299
#define NR_SENDMMSG 307
#define NR_EXECVEAT 322
#define NR_IO_URING_ENTER 426
#define TS_COMPAT 0x2
#define SYSCALL_FUNCTION(name) "__x64_sys_" name
#define SYSCALL_NR(r) ((long)READ(r, orig_ax))
#define SYSCALL_NR_FIELD orig_ax
#define SYSCALL_ARG1_FIELD di
#define SYSCALL_ARG2_FIELD si
#define SYSCALL_ARG3_FIELD dx
#define SYSCALL_ARG1(r) (READ(r, di))
#define SYSCALL_ARG2(r) (READ(r, si))
#define SYSCALL_RESULT(r) ((long)READ(r, ax))
#define IS_COMPAT(task) (READ(task, thread_info.status) & TS_COMPAT)
/* Of a task that the verifier knows. */
#define IS_COMPAT_FIELD(task) ((task)->thread_info.status & TS_COMPAT)
/* Of a kprobe. */
#define FUNCTION_ARG1(ctx) ((ctx)->di)
#define FUNCTION_ARG2(ctx) ((ctx)->si)
#define FUNCTION_RESULT(ctx) ((long)(ctx)->ax)
#elif defined(__TARGET_ARCH_arm64)
#define NR_READ 63
#define NR_WRITE 64
#define NR_READV 65
#define NR_WRITEV 66
#define NR_ACCEPT 202
#define NR_CONNECT 203
#define NR_SENDTO 206
#define NR_RECVFROM 207
#define NR_SENDMSG 211
#define NR_RECVMSG 212
#define NR_EXECVE 221
#define NR_ACCEPT4 242
#define NR_RECVMMSG 243
#define NR_SENDMMSG 269
#define NR_EXECVEAT 281
#define NR_IO_URING_ENTER 426
#define TIF_32BIT 22
#define SYSCALL_FUNCTION(name) "__arm64_sys_" name
#define SYSCALL_NR(r) ((long)READ(r, syscallno))
#define SYSCALL_NR_FIELD syscallno
#define SYSCALL_ARG1_FIELD orig_x0
#define SYSCALL_ARG2_FIELD regs[1]
#define SYSCALL_ARG3_FIELD regs[2]
#define SYSCALL_ARG1(r) (READ(r, orig_x0))
#define SYSCALL_ARG2(r) (READ(r, regs[1]))
#define SYSCALL_RESULT(r) ((long)READ(r, regs[0]))
#define IS_COMPAT(task) (READ(task, thread_info.flags) & (1UL << TIF_32BIT))
#define IS_COMPAT_FIELD(task) ((task)->thread_info.flags & (1UL << TIF_32BIT))
#define FUNCTION_ARG1(ctx) (((struct user_pt_regs *)(ctx))->regs[0])
#define FUNCTION_ARG2(ctx) (((struct user_pt_regs *)(ctx))->regs[1])
#define FUNCTION_RESULT(ctx) ((long)((struct user_pt_regs *)(ctx))->regs[0])
#endif

/* Those that the current task entered the kernel with; since 5.15. */
static __always_inline struct pt_regs *user_registers(void)
{
  return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

#endif /* MASFLOW_SYSCALL_BPF_H */
