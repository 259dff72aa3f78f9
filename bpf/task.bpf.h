/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who a task is: the fields that every record about a process carries. */
#ifndef MASFLOW_TASK_BPF_H
#define MASFLOW_TASK_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "read.bpf.h"

/*
 * Which hierarchy names a task's cgroup: -1 = the unified one (cgroup v2), else
 * the index of a v1 controller. On a hybrid host every task's v2 cgroup may be
 * the root, so the reader chooses once, before the load.
 */
const volatile int cgroup_v1_subsys = -1;

#define MF_CGROUP_SUBSYS_MAX 32
#define PF_KTHREAD 0x00200000

static __always_inline struct task_struct *current_task(void)
{
  return (struct task_struct *)bpf_get_current_task();
}

static __always_inline bool is_kernel_thread(struct task_struct *task)
{
  return READ(task, flags) & PF_KTHREAD;
}

static __always_inline struct kernfs_node *task_cgroup_node(struct task_struct *task)
{
  struct css_set *set = READ(task, cgroups);

  if (cgroup_v1_subsys >= 0 && cgroup_v1_subsys < MF_CGROUP_SUBSYS_MAX) {
    struct cgroup_subsys_state **slot = __builtin_preserve_access_index(&set->subsys[0]);
    struct cgroup_subsys_state *css = NULL;

#ifdef MF_CASTS
    css = slot[cgroup_v1_subsys];
#else
    bpf_probe_read_kernel(&css, sizeof(css), slot + cgroup_v1_subsys);
#endif
    return READ(css, cgroup, kn);
  }
  return READ(set, dfl_cgrp, kn);
}

static __always_inline u64 task_cgroup_id(struct task_struct *task)
{
  return READ(task_cgroup_node(task), id);
}

/*
 * A process by its leader. A leader that ended before its threads is kept by the
 * kernel until the last of them, so its fields can be read to the end. Comm is
 * the leader's: threads may carry names of their own.
 */
static __always_inline void fill_process(struct mf_process *process, struct task_struct *leader)
{
  struct task_struct *parent = READ(leader, real_parent, group_leader);
  struct cred *cred = READ(leader, cred);

  process->start_ns = READ(leader, start_boottime);
  process->parent_start_ns = READ(parent, start_boottime);
  process->cgroup_id = task_cgroup_id(leader);
  process->ppid = READ(parent, tgid);
  process->uid = READ(cred, uid.val);
  process->gid = READ(cred, gid.val);
  process->pad = 0;
  bpf_probe_read_kernel(process->comm, sizeof(process->comm), &leader->comm);
}

static __always_inline void fill_header(struct mf_header *header, u16 kind, u32 size,
                                        struct task_struct *task)
{
  header->kind = kind;
  header->flags = 0;
  header->size = size;
  header->ktime_ns = bpf_ktime_get_ns();
  header->pid = READ(task, tgid);
  header->tid = READ(task, pid);
}

#endif /* MASFLOW_TASK_BPF_H */
