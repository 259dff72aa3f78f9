/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the hooks do with an entry of the table: make it, fill it in, tell of it. */
#ifndef MASFLOW_CONNECTION_BPF_H
#define MASFLOW_CONNECTION_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "connection_table.bpf.h"
#include "filter.bpf.h"
#include "ring.bpf.h"
#include "socket.bpf.h"
#include "task.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} tcp_ring SEC(".maps");

struct mf_ring_state tcp_state = {};

static const struct mf_conn mf_empty_conn;

static __always_inline void forget_connection(struct sock *sk)
{
  u64 key = (u64)sk;

  bpf_map_delete_elem(&connections, &key);
}

/*
 * A new entry, in phase NEW; an old one of this address is overwritten, unless
 * `keep`. NULL: there is one to be kept, or (counted if `count`) the table is full.
 */
static __always_inline struct mf_conn *add_connection(struct sock *sk, bool keep, bool count)
{
  u64 key = (u64)sk;
  struct mf_conn *conn;
  /* An int: before 6.4 that is what the kernel returns there, and the upper half is not its sign. */
  int error = bpf_map_update_elem(&connections, &key, (void *)&mf_empty_conn,
                                  keep ? BPF_NOEXIST : BPF_ANY);

  if (error) {
    if (count && error != -MF_EEXIST) {
      count_due_and_lost(&tcp_state, MF_LOST_TABLE_FULL);
    }
    return NULL;
  }
  conn = bpf_map_lookup_elem(&connections, &key);
  if (!conn)
    return NULL;
  identify(&conn->base.tcp, sk);
  read_ends(&conn->base.tcp, sk);
  conn->copied_seq = READ((struct tcp_sock *)sk, copied_seq);
  return conn;
}

static __always_inline void set_owner(struct mf_conn *conn, struct task_struct *task)
{
  fill_process(&conn->base.process, READ(task, group_leader));
  conn->base.header.pid = READ(task, tgid);
  conn->base.header.tid = READ(task, pid);
  conn->base.header.flags &= ~MF_TCP_NO_OWNER;
}

/* The current task uses the socket: is that somebody else than the owner? */
static __always_inline void note_user(struct mf_conn *conn)
{
  struct task_struct *leader = READ(current_task(), group_leader);
  u32 pid = READ(leader, tgid);
  u64 start_ns;

  if (is_kernel_thread(leader)) /* the last close of a file can be left to a worker */
    return;
  start_ns = READ(leader, start_boottime);
  if (pid == conn->base.header.pid && start_ns == conn->base.process.start_ns)
    return;
  conn->user.pid = pid;
  conn->user.start_ns = start_ns;
  bpf_probe_read_kernel(conn->user.comm, sizeof(conn->user.comm), &leader->comm);
}

/* Copies what all records begin with; the caller fills in the rest and submits. */
static __always_inline void begin_record(struct mf_tcp_base *record, const struct mf_conn *conn,
                                         u16 kind, u32 size)
{
  *record = conn->base;
  record->header.kind = kind;
  record->header.size = size;
  record->header.ktime_ns = bpf_ktime_get_ns();
}

/* Without what went out again. (bytes_acked would count the SYN and the FIN.) */
static __always_inline u64 payload_sent(struct sock *sk)
{
  struct tcp_sock *tp = (struct tcp_sock *)sk;

  return READ(tp, bytes_sent) - READ(tp, bytes_retrans);
}

/* The other end's FIN, which sets SOCK_DONE, counts as a byte. */
static __always_inline u64 payload_received(struct sock *sk)
{
  u64 received = READ((struct tcp_sock *)sk, bytes_received);
  u64 done = 1ULL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);

  return received && (READ(sk, __sk_common.skc_flags) & done) ? received - 1 : received;
}

static __always_inline void read_counters(struct mf_tcp_counters *counters, struct sock *sk)
{
  struct tcp_sock *tp = (struct tcp_sock *)sk;

  counters->tx_bytes = payload_sent(sk);
  counters->rx_bytes = payload_received(sk);
  counters->segs_out = READ(tp, segs_out);
  counters->segs_in = READ(tp, segs_in);
  counters->retrans = READ(tp, total_retrans);
  counters->pad = 0;
}

#endif /* MASFLOW_CONNECTION_BPF_H */
