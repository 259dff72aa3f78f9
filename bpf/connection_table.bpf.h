/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of connections: one entry for each socket that is followed, from the
 * moment it gets an owner (or lies in an accept queue) to its destruction.
 *
 * The key is the socket's address, which the kernel gives to the next socket at
 * once; what users get as identity is the entry's birth and a tag of the address.
 * Not an LRU table: that would drop live connections silently. Before 6.1 it is preallocated (in
 * tracing programs the others can deadlock there), from then on the reader lets it grow.
 *
 * The HTTP object takes the identity of connections from it, where both streams are open.
 */
#ifndef MASFLOW_CONNECTION_TABLE_BPF_H
#define MASFLOW_CONNECTION_TABLE_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_helpers.h>

/* What is known of a socket. */
enum mf_phase {
  MF_PHASE_NEW,           /* being filled in */
  MF_PHASE_CONNECTING,    /* SYN sent */
  MF_PHASE_GIVEN_UP,      /* CLOSE without an error: connect() may still return one */
  MF_PHASE_FAILED,        /* connect() has failed, and that was sent */
  MF_PHASE_QUEUED,        /* established, not accepted yet */
  MF_PHASE_QUEUED_CLOSED, /* and closed by the other end meanwhile */
  MF_PHASE_OPEN,
  MF_PHASE_CLOSED, /* its close was sent */
  MF_PHASE_LISTENING,
};

struct mf_conn {
  /* First what a pass over the table looks at: one cache line. */
  u64 ready_ns;     /* when the record that announces it had been sent; 0: not yet */
  u32 snd_nxt_seen; /* sequence numbers at the last pass */
  u32 rcv_nxt_seen;
  u8 phase;
  u8 state;      /* the newest that was handled, see mf_tcp_state_again */
  u8 first;      /* MF_FIRST_*: who closed */
  u8 in_call;    /* the connect() that began this attempt has not returned yet */
  u8 result_due; /* it returned before the outcome: the next connect() will tell that */
  u8 close_reason;
  u8 sent_seq_known;
  u8 pad;
  u32 close_error;
  u32 copied_seq;               /* up to where received data was reported by call */
  u64 begin_ns;                 /* of the connect, then of the connection; 0: not seen */
  struct mf_tcp_base base;      /* as it goes into every record; header.flags, pid and tid too */
  struct mf_tcp_counters start; /* before we saw it; MF_PHASE_QUEUED_CLOSED: at its end */
  u64 tx_reported;              /* by records of data so far */
  u64 rx_reported;
  u64 reported_ns;
  u32 sent_seq; /* up to where sent data was reported by call of a kprobe */
  u32 pad2;
  struct mf_user user;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct mf_conn);
} connections SEC(".maps");

static __always_inline struct mf_conn *find_connection(struct sock *sk)
{
  u64 key = (u64)sk;

  return bpf_map_lookup_elem(&connections, &key);
}

#endif /* MASFLOW_CONNECTION_TABLE_BPF_H */
