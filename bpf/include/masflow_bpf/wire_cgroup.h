/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Part of wire.h: cgroups as they come and go. Not of a stream: their records lie in a ring of
 * their own, which is read before any stream's.
 */
#ifndef MASFLOW_BPF_WIRE_CGROUP_H
#define MASFLOW_BPF_WIRE_CGROUP_H

#define MF_KIND_CGROUP_MADE 48
#define MF_KIND_CGROUP_GONE 49

/* The kernel's own bound of the path in its tracepoints. */
#define MF_CGROUP_PATH_MAX 4096

/* Trailing, if made: the path from the root of the hierarchy, without a NUL. The header's pid
 * and tid are those of who made or removed it. */
struct mf_cgroup {
  struct mf_header header;
  __u64 id; /* as mf_process.cgroup_id */
  __u32 path_len;
  __u32 pad;
};
MF_SIZE(mf_cgroup, 40);

/* Of the object, mapped into the reader. */
struct mf_cgroup_state {
  __u64 lost; /* records that found no room: the reader has to look for itself */
};
MF_SIZE(mf_cgroup_state, 8);

#endif /* MASFLOW_BPF_WIRE_CGROUP_H */
