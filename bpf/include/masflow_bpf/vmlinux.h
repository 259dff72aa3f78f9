/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that MasFlow reads, by hand and only the fields it uses.
 * Offsets are taken from the running kernel's BTF at load time (CO-RE), so the
 * order and the missing fields here do not matter, and no architecture is named.
 * A type has the fields of all versions side by side: one of its own for each, of the same name
 * with a ___suffix, would have libbpf search all types of the kernel once more.
 */
#ifndef MASFLOW_BPF_VMLINUX_H
#define MASFLOW_BPF_VMLINUX_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* The kernel's ABI towards BPF programs: stable numbers (linux/bpf.h). */
enum {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_LPM_TRIE = 11,
  BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { MF_EEXIST = 17 }; /* errno of BPF_NOEXIST */
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1024 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  u32 val;
} kuid_t;

typedef struct {
  u32 val;
} kgid_t;

typedef struct {
  int counter;
} atomic_t;

struct cred {
  kuid_t uid;
  kgid_t gid;
  kuid_t euid;
  kgid_t egid;
};

struct super_block {
  unsigned long s_magic;
};

struct inode {
  struct super_block *i_sb;
  unsigned int i_nlink;
};

struct qstr {
  const unsigned char *name;
};

struct dentry {
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
};

struct vfsmount {
  struct dentry *mnt_root;
};

struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
};

struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};

struct file {
  struct path f_path;
  struct inode *f_inode;
  void *private_data;
};

struct fdtable {
  unsigned int max_fds;
  struct file **fd;
};

struct files_struct {
  struct fdtable *fdt;
};

struct mm_struct {
  unsigned long arg_start;
  unsigned long arg_end;
  struct file *exe_file;
};

struct linux_binprm {
  const char *filename;
};

struct signal_struct {
  atomic_t live;
  unsigned int flags;
  int group_exit_code;
};

struct kernfs_node {
  struct kernfs_node *parent;   /* up to 6.14 */
  struct kernfs_node *__parent; /* since */
  u64 id;
};

struct cgroup_root {
  int hierarchy_id;
};

struct cgroup {
  struct kernfs_node *kn;
  struct cgroup_root *root;
};

struct cgroup_subsys_state {
  struct cgroup *cgroup;
};

struct css_set {
  struct cgroup_subsys_state *subsys[1];
  struct cgroup *dfl_cgrp;
};

struct upid {
  int nr;
};

struct pid {
  unsigned int level;
  struct upid numbers[1];
};

struct io_uring_task;

struct thread_info {
  unsigned long flags;
  u32 status;
};

struct task_struct {
  struct thread_info thread_info;
  unsigned int flags;
  int pid;
  int tgid;
  int exit_state;
  int exit_code;
  unsigned int in_execve : 1;
  u64 self_exec_id;
  u64 start_boottime;
  char comm[16];
  struct task_struct *group_leader;
  struct task_struct *real_parent;
  struct mm_struct *mm;
  struct signal_struct *signal;
  struct cred *cred;
  struct css_set *cgroups;
  struct pid *thread_pid;
  struct files_struct *files;
  struct io_uring_task *io_uring;
};

struct seq_file;

struct bpf_iter_meta {
  struct seq_file *seq;
};

struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

struct bpf_iter__task_file {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
  u32 fd;
  struct file *file;
};

struct bpf_map;

struct bpf_iter__bpf_map_elem {
  struct bpf_iter_meta *meta;
  struct bpf_map *map;
  void *key;
  void *value;
};

struct ns_common {
  unsigned int inum;
};

struct net {
  struct ns_common ns;
};

typedef struct {
  struct net *net;
} possible_net_t;

struct in6_addr {
  union {
    u8 u6_addr8[16];
  } in6_u;
};

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  possible_net_t skc_net;
  unsigned long skc_flags;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
};

struct socket {
  struct file *file;
  struct sock *sk;
};

typedef struct {
  int owned;
} socket_lock_t;

struct sock {
  struct sock_common __sk_common;
  socket_lock_t sk_lock;
  u16 sk_type;
  u16 sk_protocol;
  int sk_err;
  u32 sk_max_ack_backlog;
  u8 sk_shutdown;
  int sk_write_pending;
  int sk_wmem_queued;
  int sk_sndbuf;
  struct socket *sk_socket;
};

enum sock_flags {
  SOCK_DEAD,
  SOCK_DONE,
};

struct inet_sock {
  struct sock sk;
  __be16 inet_sport;
};

struct tcp_ulp_ops;

struct inet_connection_sock {
  struct inet_sock icsk_inet;
  const struct tcp_ulp_ops *icsk_ulp_ops;
};

struct minmax_sample {
  u32 v;
};

struct minmax {
  struct minmax_sample s[3];
};

struct tcp_sock {
  struct inet_connection_sock inet_conn;
  u32 segs_in;
  u32 segs_out;
  u64 bytes_received;
  u64 bytes_sent;
  u64 bytes_retrans;
  u64 bytes_acked;
  u32 total_retrans;
  u32 srtt_us;
  struct minmax rtt_min;
  u32 snd_nxt;
  u32 snd_una;
  u32 write_seq;
  u32 copied_seq;
  u32 rcv_nxt;
};

struct mptcp_sock {
  struct sock *first;
};

struct iovec;

enum iter_type {
  ITER_IOVEC,
  ITER_UBUF,
};

/* `type` up to 5.13, with a bit for the direction; a single buffer apart since 6.0; __iov since 6.4. */
struct iov_iter {
  u8 iter_type;
  unsigned long iov_offset;
  unsigned long count;
  unsigned long nr_segs;
  void *ubuf;
  const struct iovec *__iov;
  unsigned int type;
  const struct iovec *iov;
};

struct msghdr {
  struct iov_iter msg_iter;
};

struct sockaddr {
  unsigned short sa_family;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs,
      flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
  u64 regs[31];
  u64 sp;
  u64 pc;
  u64 pstate;
};
struct pt_regs {
  u64 regs[31];
  u64 orig_x0;
  s32 syscallno;
};
#else
#error "define __TARGET_ARCH_x86 or __TARGET_ARCH_arm64"
#endif

#pragma clang attribute pop

#endif /* MASFLOW_BPF_VMLINUX_H */
