/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sending a record: counting it, and waking the reader only when it sleeps or
 * when the ring fills. A wake-up costs the producer some 3 us (an interrupt to
 * itself and a task switch), a record 0.1 us.
 *
 * While the reader drains on a timer, state.wake_at is a high-water mark and
 * records go without a wake-up. Before it sleeps it sets wake_at to 0 and looks
 * at the ring once more, so the order "commit, then read wake_at" below leaves
 * no moment at which a record lies unseen: the commit is an xchg, a full
 * barrier on every architecture.
 */
#ifndef MASFLOW_RING_BPF_H
#define MASFLOW_RING_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_helpers.h>

static __always_inline void count_lost(struct mf_ring_state *state, u32 reason)
{
  __sync_fetch_and_add(&state->lost[reason], 1);
}

/* An empty, discarded record: all it does is wake the reader. */
static __always_inline bool nudge_reader(void *ring)
{
  void *slot = bpf_ringbuf_reserve(ring, 8, 0);

  if (!slot)
    return false;
  bpf_ringbuf_discard(slot, BPF_RB_FORCE_WAKEUP);
  return true;
}

/* With which flags a record is to be sent now. */
static __always_inline u64 take_wake_up(void *ring, struct mf_ring_state *state)
{
  volatile u64 *wake_at = &state->wake_at;
  u64 threshold = *wake_at;

  if (threshold == MF_WAKE_SENT ||
      (threshold != 0 && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < threshold))
    return BPF_RB_NO_WAKEUP;
  *wake_at = MF_WAKE_SENT;
  return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void note_ring_full(void *ring, struct mf_ring_state *state, u64 flags)
{
  volatile u64 *wake_at = &state->wake_at;

  count_lost(state, MF_LOST_RING_FULL);
  /* The loss must reach a sleeping reader too: a record can be larger than an empty ring. */
  if (flags == BPF_RB_FORCE_WAKEUP && !nudge_reader(ring))
    *wake_at = 0;
}

static __always_inline void note_sent(void *ring, struct mf_ring_state *state, u64 flags)
{
  volatile u64 *wake_at = &state->wake_at;

  /* The reader went to sleep between our look at wake_at and the commit. */
  if (flags == BPF_RB_NO_WAKEUP && *wake_at == 0 && nudge_reader(ring))
    *wake_at = MF_WAKE_SENT;
}

/* False: there was no room for it. */
static __always_inline bool send_record(void *ring, struct mf_ring_state *state, void *record,
                                        u64 size)
{
  u64 flags = take_wake_up(ring, state);

  __sync_fetch_and_add(&state->produced, 1);
  if (bpf_ringbuf_output(ring, record, size, flags)) {
    note_ring_full(ring, state, flags);
    return false;
  }
  note_sent(ring, state, flags);
  return true;
}

/* The same in place, for records of fixed size: NULL, or to be filled and passed to submit_record. */
static __always_inline void *reserve_record(void *ring, struct mf_ring_state *state, u64 size)
{
  void *record = bpf_ringbuf_reserve(ring, size, 0);

  __sync_fetch_and_add(&state->produced, 1);
  if (!record)
    note_ring_full(ring, state, take_wake_up(ring, state));
  return record;
}

static __always_inline void submit_record(void *ring, struct mf_ring_state *state, void *record)
{
  u64 flags = take_wake_up(ring, state);

  bpf_ringbuf_submit(record, flags);
  note_sent(ring, state, flags);
}

/* The last quarter of a ring is kept from records of which there can be any number. */
static __always_inline bool room_for_bulk(void *ring)
{
  return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) <
         bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4 * 3;
}

#endif /* MASFLOW_RING_BPF_H */
