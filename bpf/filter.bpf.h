/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The filter on processes, tried before anything else is read. Kinds are joined
 * by "and", the values of one kind by "or". Each event is judged by what the
 * process is at that event.
 */
#ifndef MASFLOW_FILTER_BPF_H
#define MASFLOW_FILTER_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"
#include "task.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Set before the load and frozen: what is off here costs nothing at run time. */
const volatile bool filter_by_pid = false; /* filter_pids, filter_trees or both */
const volatile bool filter_by_tree = false;
const volatile bool filter_by_uid = false;
const volatile bool filter_by_comm = false;
const volatile bool filter_by_cgroup = false;
const volatile bool filter_by_workload = false;

#define MF_FILTER_VALUES 1024
#define MF_FILTER_TREE_PIDS 65536
#define MF_FILTER_MUTED 65536
#define MF_CGROUP_DEPTH 32

struct mf_comm {
  char name[MF_COMM_LEN];
};

#define MF_FILTER_MAP(map_name, key_type, entries) \
  struct {                                         \
    __uint(type, BPF_MAP_TYPE_HASH);               \
    __uint(max_entries, entries);                  \
    __type(key, key_type);                         \
    __type(value, u8);                             \
  } map_name SEC(".maps")

MF_FILTER_MAP(filter_pids, u32, MF_FILTER_VALUES);
MF_FILTER_MAP(filter_trees, u32, MF_FILTER_TREE_PIDS); /* the roots and all below them */
MF_FILTER_MAP(filter_uids, u32, MF_FILTER_VALUES);
MF_FILTER_MAP(filter_comms, struct mf_comm, MF_FILTER_VALUES);
MF_FILTER_MAP(filter_cgroups, u64, MF_FILTER_VALUES);
/* Cgroups of which the reader knows that nothing of them is wanted. What it does not know yet
 * passes, so that nothing of a new one is missed. Shared by the objects of a session. */
MF_FILTER_MAP(filter_muted, u64, MF_FILTER_MUTED);

static __always_inline bool pid_listed(u32 pid)
{
  return bpf_map_lookup_elem(&filter_pids, &pid) ||
         (filter_by_tree && bpf_map_lookup_elem(&filter_trees, &pid));
}

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *node)
{
  struct kernfs_node *parent;

  if (!bpf_core_field_exists(node->__parent))
    return READ(node, parent);
  parent = READ(node, __parent);
  /* Else the compiler makes one load of both, with a choice of the offset, and the verifier comes to
   * the one that this kernel does not have. */
  barrier_var(parent);
  return parent;
}

static __always_inline bool cgroup_listed(struct task_struct *task)
{
  struct kernfs_node *node = task_cgroup_node(task);

  for (int depth = 0; depth < MF_CGROUP_DEPTH && node; ++depth) {
    u64 id = READ(node, id);

    if (bpf_map_lookup_elem(&filter_cgroups, &id))
      return true;
    node = parent_of(node);
  }
  return false;
}

static __always_inline bool is_muted(struct task_struct *task)
{
  u64 id = task_cgroup_id(task);

  return bpf_map_lookup_elem(&filter_muted, &id);
}

/* All but the pid, which a fork asks for two processes. */
static __always_inline bool passes_but_pid(struct task_struct *leader)
{
  if (filter_by_uid) {
    u32 uid = READ(leader, cred, uid.val);

    if (!bpf_map_lookup_elem(&filter_uids, &uid))
      return false;
  }
  if (filter_by_comm) {
    struct mf_comm comm = {};

    bpf_probe_read_kernel_str(comm.name, sizeof(comm.name), &leader->comm);
    if (!bpf_map_lookup_elem(&filter_comms, &comm))
      return false;
  }
  if (filter_by_workload && is_muted(leader))
    return false;
  return !filter_by_cgroup || cgroup_listed(leader);
}

static __always_inline bool passes_filter(struct task_struct *leader, u32 pid)
{
  return (!filter_by_pid || pid_listed(pid)) && passes_but_pid(leader);
}

#endif /* MASFLOW_FILTER_BPF_H */
