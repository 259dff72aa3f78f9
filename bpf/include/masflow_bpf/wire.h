/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records that the kernel side writes and the library reads, and the small
 * block of memory they share. Included by the .bpf.c files (clang -target bpf, C)
 * and by libmasflow/src/wire and src/bpf (C++). Both compilers check the layout.
 *
 * Rules: fixed-width integers only, host byte order, explicit padding, no
 * pointers, bit-fields or enums as fields. Trailing bytes follow the fixed part
 * and are addressed by the lengths in it. A change of any layout or meaning
 * raises MF_WIRE_VERSION.
 */
#ifndef MASFLOW_BPF_WIRE_H
#define MASFLOW_BPF_WIRE_H

#if !defined(__bpf__)
#include <linux/types.h>
#endif

#define MF_WIRE_VERSION 1

#if defined(__cplusplus)
#define MF_ASSERT(cond) static_assert(cond, #cond)
#else
#define MF_ASSERT(cond) _Static_assert(cond, #cond)
#endif
#define MF_SIZE(type, bytes) MF_ASSERT(sizeof(struct type) == (bytes))
#define MF_AT(type, field, offset) MF_ASSERT(__builtin_offsetof(struct type, field) == (offset))

/* mf_header.kind */
#define MF_KIND_EXEC 1
#define MF_KIND_EXIT 2
#define MF_KIND_FORK 3
#define MF_KIND_EXEC_FAILED 4
#define MF_KIND_TCP_CONNECT 16
#define MF_KIND_TCP_ACCEPT 17
#define MF_KIND_TCP_DATA 18
#define MF_KIND_TCP_CLOSE 19
#define MF_KIND_TCP_OPEN 20
#define MF_KIND_TCP_LISTEN 21
#define MF_KIND_HTTP_CONNECTION 32
#define MF_KIND_HTTP_DATA 33
#define MF_KIND_HTTP_PROGRESS 34
#define MF_KIND_HTTP_END 35

#define MF_COMM_LEN 16

/* Every record begins so. pid and tid are those of the initial pid namespace. */
struct mf_header {
  __u16 kind;
  __u16 flags;    /* meaning depends on kind */
  __u32 size;     /* whole record, this header and the trailing bytes included */
  __u64 ktime_ns; /* CLOCK_MONOTONIC */
  __u32 pid;      /* thread group id */
  __u32 tid;
};
MF_SIZE(mf_header, 24);
MF_AT(mf_header, ktime_ns, 8);

/* What every record knows about its process; follows mf_header. */
struct mf_process {
  __u64 start_ns;        /* CLOCK_BOOTTIME; with pid the identity of the process */
  __u64 parent_start_ns; /* the same of the parent */
  __u64 cgroup_id;
  __u32 ppid;
  __u32 uid; /* real */
  __u32 gid; /* real */
  __u32 pad;
  char comm[MF_COMM_LEN]; /* zero-padded */
};
MF_SIZE(mf_process, 56);
MF_AT(mf_process, comm, 40);

/* mf_header.flags of MF_KIND_EXEC */
#define MF_EXEC_SNAPSHOT 0x1       /* ran before the stream was opened */
#define MF_EXEC_NO_ARGS 0x2        /* the arguments could not be read */
#define MF_EXEC_NO_PATH 0x4        /* the executable has no path, or none could be read */
#define MF_EXEC_PATH_CUT 0x8       /* leading components of the path are missing */
#define MF_EXEC_PATH_OFF_TREE 0x10 /* not in the file system (memfd): the path is a bare name */
#define MF_EXEC_UNLINKED 0x20      /* the executable has no name in the file system any more */
#define MF_EXEC_FILENAME_CUT 0x40

/*
 * A successful exec, or (MF_EXEC_SNAPSHOT) a process found running.
 * Trailing: filename, then the executable's path as path_parts components,
 * last component first, each ended by a NUL, then the arguments, each ended by
 * a NUL as far as captured. In a snapshot header.tid is the pid, filename is
 * empty and pid_in_reader_ns is set.
 */
struct mf_exec {
  struct mf_header header;
  struct mf_process process;
  __u32 euid; /* effective */
  __u32 egid;
  __u32 args_total; /* bytes the process has, captured or not */
  __u32 args_len;   /* bytes captured */
  __u16 filename_len;
  __u16 path_len;
  __u16 path_parts;
  __u16 pad;
  __u32 pid_in_reader_ns; /* the pid as /proc of the reader shows it; 0: not known */
  __u32 pad2;
};
MF_SIZE(mf_exec, 112);
MF_AT(mf_exec, euid, 80);
MF_AT(mf_exec, filename_len, 96);

/* The last thread of a process has ended. */
struct mf_exit {
  struct mf_header header;
  struct mf_process process;
  __u64 duration_ns; /* since start_ns, suspend included */
  __u32 status;      /* as wait(2) reports it: code << 8 | core flag 0x80 | signal */
  __u32 pad;
};
MF_SIZE(mf_exit, 96);

/* A new process (never a new thread): header and process are the child's. */
struct mf_fork {
  struct mf_header header;
  struct mf_process process;
  __u32 parent_tid;
  __u32 pad;
};
MF_SIZE(mf_fork, 88);

/* mf_header.flags of MF_KIND_EXEC_FAILED */
#define MF_EXEC_FAILED_FILENAME_CUT 0x1
#define MF_EXEC_FAILED_NO_FILENAME 0x2 /* could not be read */

/* execve or execveat returned an error. Trailing: the file name asked for. */
struct mf_exec_failed {
  struct mf_header header;
  struct mf_process process;
  __u32 error; /* errno, positive */
  __u16 filename_len;
  __u16 pad;
};
MF_SIZE(mf_exec_failed, 88);

#include "masflow_bpf/wire_tcp.h"

#include "masflow_bpf/wire_http.h"

#include "masflow_bpf/wire_cgroup.h"

/* What iter/task mf_family yields; never in a ring or a recording. */
struct mf_family_entry {
  __u32 pid;
  __u32 ppid;
};
MF_SIZE(mf_family_entry, 8);

/* In front of each record that iter/task mf_snapshot yields; never in a ring or a recording. */
struct mf_snapshot_entry {
  __u64 exec_id; /* counts the execs of the process */
  __u32 in_exec; /* it is amid one: what was read is of the old image, of the new one or mixed */
  __u32 ending;  /* no thread lives any more, but the exit hook may still be to come */
};
MF_SIZE(mf_snapshot_entry, 16);

/* Upper bounds of the trailing parts, in bytes. */
#define MF_FILENAME_MAX 4096
#define MF_PATH_MAX 4096
#define MF_PATH_PARTS_MAX 48
#define MF_ARGS_MAX 16383
#define MF_FAILED_FILENAME_MAX 512

/* Why a record that was due did not reach the ring. */
#define MF_LOST_RING_FULL 0
#define MF_LOST_TABLE_FULL 1  /* a tracking table had no room */
#define MF_LOST_HOOK_MISSED 2 /* what would have told of it was not called */
#define MF_LOST_UNREAD 3      /* bytes of a message passed that could not be read */
#define MF_LOST_REASONS 4

/*
 * One per ring, in the object's data section, mapped into the reader.
 * wake_at: written by the reader, the fill level in bytes at which a producer
 * shall wake it: 0 = at the next record, MF_WAKE_SENT = not at all. A producer
 * that wakes the reader sets it to MF_WAKE_SENT.
 * The counts of a CPU have a cache line of their own, which else would go from
 * CPU to CPU with every record; CPUs beyond MF_COUNT_SLOTS share them.
 */
#define MF_WAKE_SENT (~0ULL)
#define MF_COUNT_SLOTS 16 /* a power of two */
struct mf_ring_counts {
  __u64 produced; /* records due, delivered or lost */
  __u64 lost[MF_LOST_REASONS];
  __u64 pad[3];
};
MF_SIZE(mf_ring_counts, 64);

/* Hooks that have a second program from Linux 7.0 on, see twin.bpf.h; each object's own. */
#define MF_TWIN_EXEC 0
#define MF_TWIN_EXIT 1
#define MF_TWIN_FORK 2
#define MF_TWINS 8 /* a cache line */

struct mf_ring_state {
  __u64 wake_at;
  __u64 bytes; /* size of the ring; written by the reader before the first record */
  __u64 pad[6];
  struct mf_ring_counts counts[MF_COUNT_SLOTS];
  __u64 taken_over[MF_TWINS]; /* runs that the second program did in place of the first */
} __attribute__((aligned(64)));
MF_SIZE(mf_ring_state, 64 + 64 * MF_COUNT_SLOTS + 8 * MF_TWINS);

#endif /* MASFLOW_BPF_WIRE_H */
