/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who descends from whom: keeps filter_trees up to date. */
#ifndef MASFLOW_TREE_BPF_H
#define MASFLOW_TREE_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "filter.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"
#include "twin.bpf.h"

/* A listed process has forked another one. False: the table is full, which is counted. */
static __always_inline bool follow_fork(u32 ppid, u32 pid, struct mf_ring_state *state)
{
  u8 one = 1;

  if (!bpf_map_lookup_elem(&filter_trees, &ppid) ||
      !bpf_map_update_elem(&filter_trees, &pid, &one, BPF_ANY))
    return true;
  /* All that this process does will be missed: count the one record that would say so. */
  count_due_and_lost(state, MF_LOST_TABLE_FULL);
  return false;
}

static __always_inline bool is_process(struct task_struct *task)
{
  return task && READ(task, pid) == READ(task, tgid) && !is_kernel_thread(task);
}

static __always_inline bool is_alive(struct task_struct *task)
{
  return READ(task, signal, live.counter) != 0;
}

/* raw_tp sched_process_fork and sched_process_exit, for a stream that has no other use of them. */
static __always_inline int follow_on_fork(u64 *ctx, struct mf_ring_state *state, enum mf_part part)
{
  struct task_struct *parent = (struct task_struct *)ctx[0];
  struct task_struct *child = (struct task_struct *)ctx[1];
  u32 pid = READ(child, tgid);

  if (!is_to_tell(state, MF_TWIN_FORK, part, READ(child, start_boottime)))
    return 0;
  if ((u32)READ(child, pid) == pid) /* not a thread */
    follow_fork(READ(parent, tgid), pid, state);
  return 0;
}

static __always_inline int forget_on_exit(u64 *ctx, struct mf_ring_state *state, enum mf_part part)
{
  struct task_struct *task = (struct task_struct *)ctx[0];
  u32 pid = READ(task, tgid);

  if (!is_to_tell(state, MF_TWIN_EXIT, part, READ(task, start_boottime)))
    return 0;
  /* Its sockets are closed later, but have their owner already. */
  if (!is_alive(task))
    bpf_map_delete_elem(&filter_trees, &pid);
  return 0;
}

/* Who is whose child: with it the reader finds the descendants that a tree filter starts from. */
SEC("iter/task")
int mf_family(struct bpf_iter__task *ctx)
{
  struct task_struct *task = ctx->task;
  struct mf_family_entry entry;

  if (!is_process(task) || !is_alive(task))
    return 0;
  entry.pid = READ(task, tgid);
  entry.ppid = READ(task, real_parent, tgid);
  bpf_seq_write(ctx->meta->seq, &entry, sizeof(entry));
  return 0;
}

#endif /* MASFLOW_TREE_BPF_H */
