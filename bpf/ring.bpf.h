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

static __always_inline struct mf_ring_counts *counts_of(struct mf_ring_state *state)
{
  return &state->counts[bpf_get_smp_processor_id() & (MF_COUNT_SLOTS - 1)];
}

static __always_inline void count_produced(struct mf_ring_state *state)
{
  __sync_fetch_and_add(&counts_of(state)->produced, 1);
}

/* A record that was due and is not sent. */
static __always_inline void count_due_and_lost(struct mf_ring_state *state, u32 reason)
{
  struct mf_ring_counts *counts = counts_of(state);

  __sync_fetch_and_add(&counts->produced, 1);
  __sync_fetch_and_add(&counts->lost[reason], 1);
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

/* With which flags a record is to be sent into a ring that holds so many bytes. */
static __always_inline u64 take_wake_up_at(u64 filled, struct mf_ring_state *state)
{
  volatile u64 *wake_at = &state->wake_at;
  u64 threshold = *wake_at;

  if (threshold == MF_WAKE_SENT || filled < threshold)
    return BPF_RB_NO_WAKEUP;
  *wake_at = MF_WAKE_SENT;
  return BPF_RB_FORCE_WAKEUP;
}

static __always_inline u64 take_wake_up(void *ring, struct mf_ring_state *state)
{
  return take_wake_up_at(bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA), state);
}

/* That there was no room must reach a sleeping reader: a record can be larger than an empty ring. */
static __always_inline void wake_though_full(void *ring, struct mf_ring_state *state, u64 flags)
{
  volatile u64 *wake_at = &state->wake_at;

  if (flags == BPF_RB_FORCE_WAKEUP && !nudge_reader(ring))
    *wake_at = 0;
}

static __always_inline void note_ring_full(void *ring, struct mf_ring_state *state, u64 flags)
{
  __sync_fetch_and_add(&counts_of(state)->lost[MF_LOST_RING_FULL], 1);
  wake_though_full(ring, state, flags);
}

static __always_inline void note_sent(void *ring, struct mf_ring_state *state, u64 flags)
{
  volatile u64 *wake_at = &state->wake_at;

  /* The reader went to sleep between our look at wake_at and the commit. */
  if (flags == BPF_RB_NO_WAKEUP && *wake_at == 0 && nudge_reader(ring))
    *wake_at = MF_WAKE_SENT;
}

/* False: there was no room for it. */
static __always_inline bool send_with(void *ring, struct mf_ring_state *state, void *record,
                                      u64 size, u64 flags)
{
  count_produced(state);
  if (bpf_ringbuf_output(ring, record, size, flags)) {
    note_ring_full(ring, state, flags);
    return false;
  }
  note_sent(ring, state, flags);
  return true;
}

static __always_inline bool send_record(void *ring, struct mf_ring_state *state, void *record,
                                        u64 size)
{
  return send_with(ring, state, record, size, take_wake_up(ring, state));
}

/* Of records of which there can be any number: the last quarter of a ring is kept from them. */
static __always_inline bool is_room_for_bulk(u64 filled, const struct mf_ring_state *state)
{
  return filled < state->bytes / 4 * 3;
}

static __always_inline bool send_bulk(void *ring, struct mf_ring_state *state, void *record,
                                      u64 size)
{
  u64 filled = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
  u64 flags = take_wake_up_at(filled, state);

  if (is_room_for_bulk(filled, state))
    return send_with(ring, state, record, size, flags);
  count_produced(state);
  note_ring_full(ring, state, flags);
  return false;
}

/* The same in place, for records of fixed size: NULL, or to be filled and passed to submit_record. */
static __always_inline void *reserve_record(void *ring, struct mf_ring_state *state, u64 size)
{
  void *record = bpf_ringbuf_reserve(ring, size, 0);

  count_produced(state);
  if (!record)
    note_ring_full(ring, state, take_wake_up(ring, state));
  return record;
}

/* What does not fit is not counted: the caller keeps it. */
static __always_inline void *reserve_or_keep(void *ring, struct mf_ring_state *state, u64 size)
{
  void *record = bpf_ringbuf_reserve(ring, size, 0);

  if (record)
    count_produced(state);
  else
    wake_though_full(ring, state, take_wake_up(ring, state));
  return record;
}

static __always_inline void submit_record(void *ring, struct mf_ring_state *state, void *record)
{
  u64 flags = take_wake_up(ring, state);

  bpf_ringbuf_submit(record, flags);
  note_sent(ring, state, flags);
}

/* NULL as well where reserve_record() would still have found room. */
static __always_inline void *reserve_bulk(void *ring, struct mf_ring_state *state, u64 size)
{
  u64 filled = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);

  if (is_room_for_bulk(filled, state))
    return reserve_record(ring, state, size);
  count_produced(state);
  note_ring_full(ring, state, take_wake_up_at(filled, state));
  return NULL;
}

#endif /* MASFLOW_RING_BPF_H */
