/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hooks with two programs, from Linux 7.0 on: there programs of tracepoints can be preempted, and
 * the kernel skips a run of a program on a CPU on which a preempted run of the same one is not
 * over. Each program counts for itself, so a second one, the twin, runs then and does the work.
 * (Disabling preemption in the program is no help: the kernel catches up on it as it is enabled
 * again, which is still within the run.) See docs/design/0011.
 *
 * A tracepoint calls its programs in the order in which they were attached, all in the task that
 * came there. The first leaves a mark, which the twin takes away; if it finds none, the first was
 * skipped. Thus what is lost is known exactly: the skipped runs of the first one, which the kernel
 * counts, less those that the twin has taken over.
 */
#ifndef MASFLOW_TWIN_BPF_H
#define MASFLOW_TWIN_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_helpers.h>

/* Set before the load: without twins nothing of this costs anything. */
const volatile bool has_twins = false;

enum mf_part { MF_FIRST, MF_TWIN };

struct mf_mark_key {
  u32 tid; /* of the task that runs both programs */
  u32 hook;
};

/* A mark lives from one program to the next one, or (the twin was skipped) until the task comes
 * there again. The value says which occurrence it is of. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct mf_mark_key);
  __type(value, u64);
} told SEC(".maps");

static __always_inline void count_taken_over(struct mf_ring_state *state, u32 hook, u64 runs)
{
  __sync_fetch_and_add(&state->taken_over[hook], runs);
}

/*
 * Whether this program is to do the work of its hook, MF_TWIN_*. Asked before anything else, so
 * that every run counts. `occurrence`: no two of one task are alike.
 */
static __always_inline bool is_to_tell(struct mf_ring_state *state, u32 hook, enum mf_part part,
                                       u64 occurrence)
{
  struct mf_mark_key key = {.tid = (u32)bpf_get_current_pid_tgid(), .hook = hook};
  u64 *mark;

  if (!has_twins)
    return true;
  if (part == MF_FIRST) {
    if (!bpf_map_update_elem(&told, &key, &occurrence, BPF_ANY))
      return true;
    count_taken_over(state, hook, -1); /* no room for a mark: as if it was skipped */
    return false;
  }
  mark = bpf_map_lookup_elem(&told, &key);
  if (mark && *mark == occurrence) {
    bpf_map_delete_elem(&told, &key);
    return false;
  }
  count_taken_over(state, hook, 1);
  return true;
}

#endif /* MASFLOW_TWIN_BPF_H */
