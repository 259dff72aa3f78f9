/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of each socket that has moved bytes since the stream was opened: whether
 * it speaks HTTP, and how far each of its ways has come. An entry is made at the first
 * bytes, in the process that moves them, and goes with the socket. Keyed and allocated
 * as the table of connections (connection_table.bpf.h), for the same reasons.
 */
#ifndef MASFLOW_HTTP_TABLE_BPF_H
#define MASFLOW_HTTP_TABLE_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "connection_table.bpf.h"
#include "ring.bpf.h"
#include "socket.bpf.h"
#include "task.bpf.h"

enum mf_http_state {
  MF_HTTP_UNSURE, /* no response has been seen yet */
  MF_HTTP_YES,
  MF_HTTP_NO, /* or not to be followed: all further bytes cost one lookup */
};

#define MF_WAY_NONE 2

struct mf_http_flow {
  u64 offset; /* bytes so far, read or not */
  u64 told;   /* of these a record, or one that is to come, has told */
  u64 last_ns;
  u64 tail;   /* as a number whose lowest byte is the last one */
  u32 seq;    /* TCP sequence number behind these bytes */
  u32 budget; /* bytes of this message that may still be captured */
  u64 prefix; /* of the message, as far as known */
  u8 prefix_len;
  u8 tail_len;
  u8 pad[6];
};

struct mf_http_conn {
  u64 birth_ns;
  u32 tag;
  u32 pid;   /* the process that was announced; 0: none yet */
  u32 ports; /* of both ends: another socket at the same address has others */
  u32 error; /* of the socket as it closed */
  u8 state;
  u8 doubt; /* grows with messages that begin like none, see judge() */
  u8 last_way;
  u8 request_way; /* MF_WAY_NONE: not known */
  u8 pre_existing;
  u8 unread;   /* bytes have passed unread since the last record */
  u8 ended;    /* nothing more is sent of it */
  u8 fin_sent; /* by this side, and told */
  u8 role;     /* MF_ROLE_*: who opened it */
  /* Of a send seen as it begins: the bytes that it ends with, and behind which number these lie
   * if the socket takes all of it. */
  u8 due_tail_len;
  u8 postponed; /* a send is looked at as it ends, see http_postponed.bpf.h */
  u8 pad;
  u32 due_seq;
  u64 due_tail;
  struct mf_http_flow ways[MF_WAYS];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct mf_http_conn);
} http_conns SEC(".maps");

/* Those whose bytes passed unread, until a record has told how many: see mf_http_pass. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, u64);
  __type(value, u8);
} http_unread SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} http_ring SEC(".maps");

/*
 * Ends that did not fit into the ring: the reader takes them from here (HttpFeed::TakeEnds). An end
 * that nobody hears of would leave the connection, and what it waits for, in the reader's table.
 * Of a connection there can be two: what this side sends ends first (pad: 1).
 */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, struct mf_http_id);
  __type(value, struct mf_http_end);
} http_ends SEC(".maps");

struct mf_ring_state http_state = {};

__u64 ends_kept = 0;        /* grows with each entry of http_ends */
__u64 unread_marks = 0;     /* grows with each entry of http_unread */
__u64 progress_barrier = 0; /* only for the barrier that an atomic is */
__u64 pass_seen = 0;        /* entries that the last pass left in it */
/* The TCP stream of this session follows connections: `connections` is its table. Cleared by
 * the reader as that ends, for from then on entries get stale. */
bool tcp_followed = false;

static const struct mf_http_conn mf_empty_http_conn;

static __always_inline struct mf_http_conn *find_http(struct sock *sk)
{
  u64 key = (u64)sk;

  return bpf_map_lookup_elem(&http_conns, &key);
}

/* Not by index, of which the verifier cannot see the bounds. */
static __always_inline struct mf_http_flow *flow_of(struct mf_http_conn *conn, u8 way)
{
  return way == MF_WAY_SENT ? &conn->ways[MF_WAY_SENT] : &conn->ways[MF_WAY_RECEIVED];
}

static __always_inline void fill_id(struct mf_http_id *id, const struct mf_http_conn *conn)
{
  id->birth_ns = conn->birth_ns;
  id->tag = conn->tag;
  id->pad = 0;
}

static __always_inline void fill_short_header(struct mf_header *header, u16 kind, u32 size)
{
  header->kind = kind;
  header->flags = 0;
  header->size = size;
  header->ktime_ns = bpf_ktime_get_ns();
  header->pid = 0;
  header->tid = 0;
}

static __always_inline void fill_way(struct mf_http_way *way, const struct mf_http_flow *flow)
{
  u64 tail = bpf_cpu_to_be64(flow->tail);

  way->end = flow->offset;
  way->last_ns = flow->last_ns;
  __builtin_memcpy(way->tail, &tail, sizeof(tail));
  way->tail_len = flow->tail_len;
  way->pad = 0;
}

/*
 * How far the ways have come. Called before the next bytes are counted, and in the pass
 * beside the hooks: there the entry is read before a place in the ring is taken, so that
 * the record never tells of bytes whose own record is behind it.
 */
static __always_inline void send_progress(struct mf_http_conn *conn)
{
  struct mf_http_progress *record;
  struct mf_http_way sent, received;

  conn->unread = 0; /* first: what passes from here on marks it again */
  __sync_fetch_and_add(&progress_barrier, 1);
  fill_way(&sent, &conn->ways[MF_WAY_SENT]);
  fill_way(&received, &conn->ways[MF_WAY_RECEIVED]);
  record = reserve_or_keep(&http_ring, &http_state, sizeof(*record));
  if (!record) {
    conn->unread = 1; /* still listed: it is tried again, so nothing is lost */
    return;
  }
  fill_short_header(&record->header, MF_KIND_HTTP_PROGRESS, sizeof(*record));
  fill_id(&record->id, conn);
  record->ways[MF_WAY_SENT] = sent;
  record->ways[MF_WAY_RECEIVED] = received;
  submit_record(&http_ring, &http_state, record);
}

static const struct mf_http_end mf_empty_http_end;

/* All but its time. */
static __always_inline void fill_end(struct mf_http_end *end, const struct mf_http_conn *conn,
                                     u32 reason)
{
  end->header.kind = MF_KIND_HTTP_END;
  end->header.flags = 0;
  end->header.size = sizeof(*end);
  end->header.pid = 0;
  end->header.tid = 0;
  fill_id(&end->id, conn);
  fill_way(&end->ways[MF_WAY_SENT], &conn->ways[MF_WAY_SENT]);
  fill_way(&end->ways[MF_WAY_RECEIVED], &conn->ways[MF_WAY_RECEIVED]);
  end->reason = reason;
  end->error = conn->error;
}

static __always_inline void keep_end(const struct mf_http_conn *conn, u32 reason)
{
  struct mf_http_end *end;
  struct mf_http_id key;

  fill_id(&key, conn);
  key.pad = reason == MF_HTTP_END_SENT;
  if (bpf_map_update_elem(&http_ends, &key, (void *)&mf_empty_http_end, BPF_ANY)) {
    count_due_and_lost(&http_state, MF_LOST_RING_FULL);
    return;
  }
  end = bpf_map_lookup_elem(&http_ends, &key);
  if (!end)
    return;
  fill_end(end, conn, reason);
  /* Last: until then the reader leaves it alone. The atomic is a full barrier. */
  __sync_fetch_and_add(&progress_barrier, 1);
  end->header.ktime_ns = bpf_ktime_get_ns();
  __sync_fetch_and_add(&ends_kept, 1);
}

static __always_inline void send_end(struct mf_http_conn *conn, u32 reason)
{
  struct mf_http_end *record;

  if (conn->ended || !conn->pid) /* nobody has heard of it */
    return;
  conn->ended = reason != MF_HTTP_END_SENT;
  conn->unread = 0;
  record = reserve_or_keep(&http_ring, &http_state, sizeof(*record));
  if (!record) {
    keep_end(conn, reason);
    return;
  }
  fill_end(record, conn, reason);
  record->header.ktime_ns = bpf_ktime_get_ns();
  submit_record(&http_ring, &http_state, record);
}

/* Tells who moves the bytes. False: no room in the ring, which is counted. */
static __always_inline bool announce(struct mf_http_conn *conn, struct sock *sk)
{
  struct mf_http_connection *record;
  struct task_struct *task = current_task();

  record = reserve_record(&http_ring, &http_state, sizeof(*record));
  if (!record)
    return false;
  fill_header(&record->base.header, MF_KIND_HTTP_CONNECTION, sizeof(*record), task);
  record->base.header.flags = conn->pre_existing ? MF_TCP_PRE_EXISTING : 0;
  fill_process(&record->base.process, READ(task, group_leader));
  read_ends(&record->base.tcp, sk);
  record->base.tcp.birth_ns = conn->birth_ns;
  record->base.tcp.tag = conn->tag;
  record->base.tcp.netns = READ(sk, __sk_common.skc_net.net, ns.inum);
  record->base.tcp.role = conn->role;
  record->base.tcp.pad = 0;
  conn->pid = record->base.header.pid;
  submit_record(&http_ring, &http_state, record);
  return true;
}

/* So that the two streams call a connection by the same name. */
static __always_inline void take_tcp_identity(struct mf_http_conn *conn, struct sock *sk,
                                              const struct mf_tcp *ends)
{
  struct mf_conn *known;

  if (!tcp_followed)
    return;
  known = find_connection(sk);
  if (!known || known->base.tcp.local_port != ends->local_port ||
      known->base.tcp.remote_port != ends->remote_port) /* none, or one whose end was missed */
    return;
  conn->birth_ns = known->base.tcp.birth_ns;
  conn->tag = known->base.tcp.tag;
}

static __always_inline bool is_followed(struct sock *sk, struct mf_tcp *ends)
{
  struct task_struct *task = current_task();
  struct socket *socket = READ(sk, sk_socket);

  /* What the kernel itself opened has no file: NFS and the like work in the caller's process,
   * whose registers have nothing to do with these bytes. */
  if (is_kernel_thread(task) || !socket || !READ(socket, file))
    return false;
  return task_passes(task) && socket_passes(ends);
}

/* A new entry for this socket, in place of an old one. NULL: the table is full. */
static __always_inline struct mf_http_conn *add_http(struct sock *sk, u32 ports)
{
  u64 key = (u64)sk;
  struct mf_http_conn *conn;
  struct mf_tcp ends;

  if (bpf_map_update_elem(&http_conns, &key, (void *)&mf_empty_http_conn, BPF_ANY))
    return NULL;
  conn = bpf_map_lookup_elem(&http_conns, &key);
  if (!conn)
    return NULL;
  __builtin_memset(&ends, 0, sizeof(ends));
  read_ends(&ends, sk);
  identify(&ends, sk);
  conn->birth_ns = ends.birth_ns;
  conn->tag = ends.tag;
  conn->ports = ports;
  conn->last_way = MF_WAY_NONE;
  conn->request_way = MF_WAY_NONE;
  if (!is_followed(sk, &ends))
    conn->state = MF_HTTP_NO;
  else
    take_tcp_identity(conn, sk, &ends);
  return conn;
}

#endif /* MASFLOW_HTTP_TABLE_BPF_H */
