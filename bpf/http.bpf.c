// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HTTP/1.x, as bytes: which connections speak it, the first bytes of each message, and
 * how far each way has come. Messages and exchanges are made of that by the reader
 * (src/http). Every program is off until the reader turns it on (src/bpf/http_feed).
 *
 * Per call that moves bytes: one lookup where the connection is no HTTP; else, as long as a
 * message's capture lasts, one record; beyond that the bytes are only counted.
 */
#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "filter.bpf.h"
#include "http_judge.bpf.h"
#include "http_payload.bpf.h"
#include "http_table.bpf.h"
#include "ring.bpf.h"
#include "socket.bpf.h"
#include "task.bpf.h"
#include "tree.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Bytes of a message; at most MF_HTTP_CAPTURE_MAX. Set before the load. */
const volatile __u32 request_capture = 4096;
const volatile __u32 response_capture = 2048;

#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20

/* From include/net/sock.h. */
#define SHUTDOWN_MASK 3

/*
 * Whether bytes of the connection went before this call, and if not, who opened it. The kernel's
 * counters tell, so it need not be seen to open: bytes_acked counts the SYN of the side that
 * did.
 */
static __always_inline void set_origin(struct mf_http_conn *conn, struct sock *sk,
                                       const struct mf_call *call, u8 way)
{
  struct tcp_sock *tp = (struct tcp_sock *)sk;
  u64 sent = READ(tp, bytes_acked) + (u32)(READ(tp, write_seq) - READ(tp, snd_una));
  u64 received = READ(tp, bytes_received) - (u32)(READ(tp, rcv_nxt) - READ(tp, copied_seq));

  if (way == MF_WAY_SENT)
    sent -= call->begins ? 0 : call->bytes;
  else
    received -= call->bytes;
  conn->pre_existing = sent > 1 || received > 0;
  if (!conn->pre_existing)
    conn->role = sent ? MF_ROLE_CLIENT : MF_ROLE_SERVER;
}

static __always_inline void count_unread(void)
{
  count_due_and_lost(&http_state, MF_LOST_UNREAD);
}

/* Bytes have passed unread: the next record or, if there is none, the pass will tell. The
 * reader may be asleep, and has to wake up for that. */
static __always_inline void mark_unread(struct mf_http_conn *conn, struct sock *sk)
{
  volatile u64 *wake_at = &http_state.wake_at;
  u64 key = (u64)sk;
  u8 one = 1;

  if (conn->unread)
    return;
  conn->unread = 1;
  bpf_map_update_elem(&http_unread, &key, &one, BPF_ANY); /* full: it is told later */
  __sync_fetch_and_add(&unread_marks, 1);
  if (*wake_at == 0 && nudge_reader(&http_ring))
    *wake_at = MF_WAKE_SENT;
}

/*
 * Bytes have passed between what we know and `begin_seq`: no hook saw them (splice), or they are
 * those of the former call, whose hook was at its begin.
 */
static __always_inline void skip_gap(struct mf_http_conn *conn, struct sock *sk, u8 way,
                                     u32 begin_seq, u32 end_seq)
{
  struct mf_http_flow *flow = flow_of(conn, way);
  struct tcp_sock *tp = (struct tcp_sock *)sk;
  u32 gap = begin_seq - flow->seq;

  flow->seq = end_seq;
  /* TLS in the kernel adds to what is sent, below the hooks that tell lengths. */
  if ((s32)gap <= 0 || READ(tp, inet_conn.icsk_ulp_ops))
    return;
  flow->offset += gap;
  flow->tail_len = 0;
  if (way == MF_WAY_SENT && begin_seq == conn->due_seq) {
    flow->tail = conn->due_tail;
    flow->tail_len = conn->due_tail_len;
  }
  if (flow->offset > flow->told)
    mark_unread(conn, sk);
}

#include "http_postponed.bpf.h"

static __always_inline u32 capture_of(const struct mf_http_conn *conn, u8 way)
{
  return conn->request_way == way ? request_capture : response_capture;
}

/* The first bytes of a message are known, as far as this call brought them. */
static __always_inline void judge_message(struct mf_http_conn *conn, struct mf_call *call, u8 way,
                                          u64 prefix, u32 size)
{
  struct mf_http_flow *flow = flow_of(conn, way);
  u32 known = flow->prefix_len;
  enum mf_verdict verdict;

  flow->prefix |= prefix << known * 8;
  size += known;
  if (size > MF_HEAD_PREFIX)
    size = MF_HEAD_PREFIX;
  verdict = judge_prefix(flow->prefix, size);
  note_verdict(conn, way, call->turned, verdict);
  /* If the call brought more than its first piece shows, that has to do. */
  flow->prefix_len = verdict == MF_BEGINS_PERHAPS && call->bytes + known < MF_HEAD_PREFIX
                         ? size
                         : MF_HEAD_PREFIX;
  if (verdict == MF_BEGINS_NOTHING) {
    flow->budget = conn->state == MF_HTTP_YES && conn->doubt < MF_DOUBT_DORMANT
                       ? capture_of(conn, way)
                       : 0;
  } else if (known == 0) {
    flow->budget = capture_of(conn, way);
    call->flags |= MF_HTTP_START;
  }
}

/* What no hook saw of the other way: a program took it out of the socket, or gave it in, by other
 * means. Of a thread amid a call of its own this may say so too early. */
static __always_inline bool other_way_moved(struct mf_http_conn *conn, struct sock *sk, u8 way)
{
  struct tcp_sock *tp = (struct tcp_sock *)sk;

  if (READ(tp, inet_conn.icsk_ulp_ops)) /* see skip_gap() */
    return false;
  return way == MF_WAY_SENT ? READ(tp, copied_seq) != conn->ways[MF_WAY_RECEIVED].seq
                            : READ(tp, write_seq) != conn->ways[MF_WAY_SENT].seq;
}

/* In the middle of a message: a response that follows another one, or a request? If it answers a
 * request that no hook saw, that is lost. */
static __always_inline void judge_middle(struct mf_http_conn *conn, struct sock *sk,
                                         struct mf_http_scratch *scratch, u8 way)
{
  u64 prefix;

  if (conn->state != MF_HTTP_YES || scratch->call.bytes < MF_HEAD_PREFIX ||
      read_prefix(&prefix, scratch, way) != MF_HEAD_PREFIX ||
      (!begins_known_request(prefix) && !begins_response(prefix, MF_HEAD_PREFIX)))
    return;
  flow_of(conn, way)->budget = capture_of(conn, way);
  scratch->call.flags |= MF_HTTP_START;
  if (conn->request_way != way && other_way_moved(conn, sk, way))
    count_unread();
}

/* Up to `wanted` bytes of the call into the record. */
static __always_inline u32 copy(struct mf_http_scratch *scratch, u8 way, u32 wanted)
{
  struct mf_call *call = &scratch->call;
  u32 copied = copy_payload(scratch, way, call->bytes < wanted ? call->bytes : wanted);

  call->faulted = !copied;
  return copied;
}

/*
 * Sets what may be captured of this call and the following ones of its way, copies that, and
 * judges whether the connection is to be given up. A message begins where the way turns, or
 * in the middle of a way where the bytes look like it: interim and pipelined responses. How
 * many bytes were copied.
 */
static __always_inline u32 look_at(struct mf_http_conn *conn, struct sock *sk,
                                   struct mf_http_scratch *scratch, u8 way)
{
  struct mf_http_flow *flow = flow_of(conn, way);
  struct mf_call *call = &scratch->call;
  u64 prefix = 0;
  u32 size, copied;

  if (call->turned) {
    flow->prefix = 0;
    flow->prefix_len = 0;
    flow->budget = 0;
  }
  if (!call->payload.readable) {
    flow->prefix_len = MF_HEAD_PREFIX;
    return 0;
  }
  if (call->turned && conn->state == MF_HTTP_YES && conn->doubt < MF_DOUBT_DORMANT) {
    /* The usual case: it will be captured whatever it is, so it need not be read twice. */
    copied = copy(scratch, way, capture_of(conn, way));
    size = copied < MF_HEAD_PREFIX ? copied : MF_HEAD_PREFIX;
    __builtin_memcpy(&prefix, scratch->data, sizeof(prefix));
    if (copied)
      judge_message(conn, call, way, prefix & first_bytes(size), size);
    else
      flow->prefix_len = MF_HEAD_PREFIX;
    return copied;
  }
  if (flow->prefix_len >= MF_HEAD_PREFIX) {
    judge_middle(conn, sk, scratch, way);
  } else {
    size = read_prefix(&prefix, scratch, way);
    call->faulted = !size;
    if (!size) {
      flow->prefix_len = MF_HEAD_PREFIX;
      return 0;
    }
    judge_message(conn, call, way, prefix, size);
  }
  return flow->budget ? copy(scratch, way, flow->budget) : 0;
}

/* False: it is lost, which is counted. */
static __always_inline bool send_capture(struct mf_http_conn *conn, struct sock *sk,
                                         struct mf_http_scratch *scratch, u8 way, u32 captured)
{
  struct mf_http_data *record = &scratch->record;
  struct mf_call *call = &scratch->call;
  u64 size = captured;

  if (conn->unread)
    send_progress(conn);
  if (conn->pid != call->pid && !announce(conn, sk))
    return false;
  record->header.kind = MF_KIND_HTTP_DATA;
  record->header.flags = call->flags;
  record->header.ktime_ns = call->now_ns;
  record->header.pid = call->pid;
  record->header.tid = call->tid;
  fill_id(&record->id, conn);
  record->offset = flow_of(conn, way)->offset;
  record->cgroup_id = call->cgroup_id;
  record->length = call->begins ? captured : call->bytes;
  record->captured = captured;
  record->way = way;
  record->pad = 0;
  BOUND_TO_MASK(size, 16383);
  size += sizeof(*record);
  record->header.size = size;
  return send_bulk(&http_ring, &http_state, record, size);
}

/* Counts the bytes of the call, and notes those of which no record has told: also of a lost one,
 * for else the reader could take the next message for it. Only after the record is in the ring,
 * see send_progress(). */
static __always_inline void advance(struct mf_http_conn *conn, struct sock *sk,
                                    struct mf_http_scratch *scratch, u8 way, u32 captured)
{
  struct mf_http_flow *flow = flow_of(conn, way);
  struct mf_call *call = &scratch->call;

  flow->last_ns = call->now_ns;
  if (captured)
    flow->told = flow->offset + captured;
  if (call->begins) /* it is counted by skip_gap(), as far as the socket takes it */
    return;
  flow->offset += call->bytes;
  if (flow->offset <= flow->told)
    return;
  flow->tail_len = read_tail(&flow->tail, scratch, way, call->bytes);
  mark_unread(conn, sk);
}

/* What a send will end with, if the socket takes all of it: skip_gap() counts it. */
static __always_inline void note_due(struct mf_http_conn *conn, struct mf_http_scratch *scratch,
                                     u32 captured)
{
  struct mf_http_flow *flow = &conn->ways[MF_WAY_SENT];
  struct mf_call *call = &scratch->call;
  u64 told = captured ? flow->offset + captured : flow->told;

  conn->due_seq = call->end_seq + call->bytes;
  conn->due_tail = flow->tail;
  conn->due_tail_len = flow->offset + call->bytes > told
                           ? read_tail(&conn->due_tail, scratch, MF_WAY_SENT, call->bytes)
                           : 0;
}

/* Bytes have moved: scratch->call says which. `can_postpone`: a constant, for where it is false the
 * table of postponed sends is not there. */
static __always_inline void on_moved(struct mf_http_conn *conn, struct sock *sk,
                                     struct mf_http_scratch *scratch, u8 way, bool can_postpone)
{
  struct mf_call *call = &scratch->call;
  u32 captured;

  call->now_ns = bpf_ktime_get_ns();
  call->turned = conn->last_way != way;
  call->flags = call->turned ? MF_HTTP_TURN : 0;
  call->faulted = false;
  call->cut = false;
  if (can_postpone)
    note_look(scratch, conn);
  conn->last_way = way;
  skip_gap(conn, sk, way, call->end_seq - (call->begins ? 0 : call->bytes), call->end_seq);
  captured = look_at(conn, sk, scratch, way);
  if (can_postpone && call->begins) {
    note_due(conn, scratch, captured);
    /* What is not captured is counted by what the socket took, whatever it does with this. */
    if ((call->cut || (captured && is_full(sk))) && postpone(conn, sk, scratch))
      return;
  }
  if (conn->state == MF_HTTP_UNSURE && conn->doubt >= MF_DOUBT_OFF) {
    conn->state = MF_HTTP_NO;
    send_end(conn, MF_HTTP_END_NOT_HTTP);
    return;
  }
  if (captured) {
    flow_of(conn, way)->budget -= captured;
    if (!send_capture(conn, sk, scratch, way, captured))
      captured = 0;
  } else if (call->faulted ||
             (call->turned && call->payload.is_lost && conn->state == MF_HTTP_YES)) {
    count_unread();
  }
  advance(conn, sk, scratch, way, captured);
}

/* What the call before has sent, as far as that is known now. */
static __always_inline void settle_sent(struct sock *sk, struct mf_http_conn *conn, bool returns)
{
  u32 seq = READ((struct tcp_sock *)sk, write_seq);

  skip_gap(conn, sk, MF_WAY_SENT, seq, seq);
  if (returns)
    conn->ways[MF_WAY_SENT].last_ns = bpf_ktime_get_ns();
}

/* The first bytes that we see of a socket. A function of its own, see mf_http_copy; the address is
 * a number, for 5.10 lets pass no pointer. */
__noinline int mf_http_begin(u64 address, u32 way)
{
  struct mf_http_scratch *scratch = scratch_of(way);
  struct sock *sk = (struct sock *)address;
  struct tcp_sock *tp = (struct tcp_sock *)sk;
  struct mf_http_conn *conn = find_http(sk);
  struct mf_call *call;

  if (!scratch)
    return 0;
  call = &scratch->call;
  if (conn) /* its end was missed, see end_unseen() in tcp_close.bpf.h */
    send_end(conn, MF_HTTP_END_UNSEEN);
  conn = add_http(sk, call->ports);
  if (!conn)
    return 0;
  set_origin(conn, sk, call, way);
  conn->ways[MF_WAY_SENT].seq = READ(tp, write_seq);
  conn->ways[MF_WAY_RECEIVED].seq = READ(tp, copied_seq);
  flow_of(conn, way)->seq = call->end_seq - (call->begins ? 0 : call->bytes);
  return 0;
}

/* NULL: there is none, and no room for another one. */
static __always_inline struct mf_http_conn *find_or_begin(struct sock *sk, u32 ports, u8 way)
{
  struct mf_http_conn *conn = find_http(sk);
  u64 address = 0;

  if (conn && conn->ports == ports)
    return conn;
  bpf_probe_read_kernel(&address, sizeof(address), &sk); /* see identify() */
  mf_http_begin(address, way);
  return find_http(sk);
}

/* The table is full: what looks like a request, of a connection to be followed, would have been an
 * exchange. As mf_http_begin. */
__noinline int mf_http_untracked(u64 address, u32 way)
{
  struct mf_http_scratch *scratch = scratch_of(way);
  struct sock *sk = (struct sock *)address;
  struct mf_tcp ends;
  u64 prefix;

  if (!scratch || !scratch->call.payload.readable ||
      read_prefix(&prefix, scratch, way) != MF_HEAD_PREFIX || !begins_known_request(prefix))
    return 0;
  __builtin_memset(&ends, 0, sizeof(ends));
  read_ends(&ends, sk);
  if (is_followed(sk, &ends))
    count_due_and_lost(&http_state, MF_LOST_TABLE_FULL);
  return 0;
}

static __always_inline void count_untracked(struct sock *sk, u8 way)
{
  u64 address = 0;

  bpf_probe_read_kernel(&address, sizeof(address), &sk); /* see identify() */
  mf_http_untracked(address, way);
}

#include "http_hooks.bpf.h"

#include "http_end.bpf.h"

SEC("raw_tp/sched_process_fork")
int mf_http_fork(u64 *ctx)
{
  return follow_on_fork(ctx, &http_state, MF_FIRST);
}

SEC("raw_tp/sched_process_fork")
int mf_http_fork_tw(u64 *ctx)
{
  return follow_on_fork(ctx, &http_state, MF_TWIN);
}

SEC("raw_tp/sched_process_exit")
int mf_http_exit(u64 *ctx)
{
  return forget_on_exit(ctx, &http_state, MF_FIRST);
}

SEC("raw_tp/sched_process_exit")
int mf_http_exit_tw(u64 *ctx)
{
  return forget_on_exit(ctx, &http_state, MF_TWIN);
}
