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

/* From include/net/tcp_states.h and sock.h; part of the kernel's ABI. */
enum { TCP_FIN_WAIT1 = 4, TCP_CLOSE = 7, TCP_LAST_ACK = 9 };
#define SHUTDOWN_MASK 3

/* One call that moved bytes of a connection. */
struct mf_call {
  struct sock *sk;
  struct mf_http_conn *conn;
  u32 bytes;
  u32 ports;
  u32 end_seq; /* TCP sequence number behind the bytes */
  u8 way;
  bool begins;  /* the hook is at the begin of the call: `bytes` are what it wants to move */
  bool turned;  /* the way before was the other one */
  bool faulted; /* the bytes could not be read, though they are there */
  u16 flags;    /* for the record */
  u64 now_ns;
  u64 cgroup_id; /* of the current task */
  struct mf_payload payload;
};

/*
 * Bytes of the connection that went before this call: the kernel's counters tell how many,
 * so it need not be seen to open. (bytes_acked counts the SYN of the side that opened it.)
 */
static __always_inline bool had_bytes_before(const struct mf_call *call)
{
  struct tcp_sock *tp = (struct tcp_sock *)call->sk;
  u64 sent = BPF_CORE_READ(tp, bytes_acked) +
             (u32)(BPF_CORE_READ(tp, write_seq) - BPF_CORE_READ(tp, snd_una));
  u64 received = BPF_CORE_READ(tp, bytes_received) -
                 (u32)(BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq));

  if (call->way == MF_WAY_SENT)
    sent -= call->begins ? 0 : call->bytes;
  else
    received -= call->bytes;
  return sent > 1 || received > 0;
}

/* The table is full: what looks like a request would have been an exchange. */
static __always_inline void count_untracked(const struct mf_call *call)
{
  u64 prefix;

  if (call->bytes < MF_HEAD_PREFIX || !call->payload.readable ||
      read_prefix(&prefix, &call->payload, call->bytes) != MF_HEAD_PREFIX ||
      !begins_known_request(prefix))
    return;
  __sync_fetch_and_add(&http_state.produced, 1);
  count_lost(&http_state, MF_LOST_TABLE_FULL);
}

static __always_inline void count_unread(void)
{
  __sync_fetch_and_add(&http_state.produced, 1);
  count_lost(&http_state, MF_LOST_UNREAD);
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
 * Bytes have passed between what we know and this call: no hook saw them (splice), or they are
 * those of the former call, whose hook was at its begin.
 */
static __always_inline void skip_gap(struct mf_call *call)
{
  struct mf_http_flow *flow = flow_of(call->conn, call->way);
  struct tcp_sock *tp = (struct tcp_sock *)call->sk;
  u32 gap = call->end_seq - (call->begins ? 0 : call->bytes) - flow->seq;

  flow->seq = call->end_seq;
  /* TLS in the kernel adds to what is sent, below the hooks that tell lengths. */
  if ((s32)gap <= 0 || BPF_CORE_READ(tp, inet_conn.icsk_ulp_ops))
    return;
  flow->offset += gap;
  if (flow->offset > flow->told)
    mark_unread(call->conn, call->sk);
}

static __always_inline u32 capture_of(const struct mf_http_conn *conn, u8 way)
{
  return conn->request_way == way ? request_capture : response_capture;
}

/* The first bytes of a message are known, as far as this call brought them. */
static __always_inline void judge_message(struct mf_call *call, u64 prefix, u32 size)
{
  struct mf_http_conn *conn = call->conn;
  struct mf_http_flow *flow = flow_of(conn, call->way);
  u32 known = flow->prefix_len;
  enum mf_verdict verdict;

  flow->prefix |= prefix << known * 8;
  size += known;
  if (size > MF_HEAD_PREFIX)
    size = MF_HEAD_PREFIX;
  verdict = judge_prefix(flow->prefix, size);
  note_verdict(conn, call->way, call->turned, verdict);
  /* If the call brought more than its first piece shows, that has to do. */
  flow->prefix_len = verdict == MF_BEGINS_PERHAPS && call->bytes + known < MF_HEAD_PREFIX
                         ? size
                         : MF_HEAD_PREFIX;
  if (verdict == MF_BEGINS_NOTHING) {
    flow->budget = conn->state == MF_HTTP_YES && conn->doubt < MF_DOUBT_DORMANT
                       ? capture_of(conn, call->way)
                       : 0;
  } else if (known == 0) {
    flow->budget = capture_of(conn, call->way);
    call->flags |= MF_HTTP_START;
  }
}

/* In the middle of a message: a response that follows another one, or a request? */
static __always_inline void judge_middle(struct mf_call *call)
{
  struct mf_http_conn *conn = call->conn;
  u64 prefix;

  if (conn->state != MF_HTTP_YES || call->bytes < MF_HEAD_PREFIX ||
      read_prefix(&prefix, &call->payload, call->bytes) != MF_HEAD_PREFIX ||
      (!begins_known_request(prefix) && !begins_response(prefix, MF_HEAD_PREFIX)))
    return;
  flow_of(conn, call->way)->budget = capture_of(conn, call->way);
  call->flags |= MF_HTTP_START;
}

/*
 * Sets what may be captured of this call and the following ones of its way, copies that, and
 * judges whether the connection is to be given up. A message begins where the way turns, or
 * in the middle of a way where the bytes look like it: interim and pipelined responses. How
 * many bytes were copied.
 */
static __always_inline u32 look_at(struct mf_call *call, struct mf_http_scratch *scratch)
{
  struct mf_http_conn *conn = call->conn;
  struct mf_http_flow *flow = flow_of(conn, call->way);
  u64 prefix = 0;
  u32 size, wanted;

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
    wanted = capture_of(conn, call->way);
    wanted = copy_payload(scratch, &call->payload, call->way,
                          call->bytes < wanted ? call->bytes : wanted);
    if (!wanted) {
      call->faulted = true;
      flow->prefix_len = MF_HEAD_PREFIX;
      return 0;
    }
    size = wanted < MF_HEAD_PREFIX ? wanted : MF_HEAD_PREFIX;
    __builtin_memcpy(&prefix, scratch->data, sizeof(prefix));
    judge_message(call, prefix & first_bytes(size), size);
    return wanted;
  }
  if (flow->prefix_len >= MF_HEAD_PREFIX) {
    judge_middle(call);
  } else {
    size = read_prefix(&prefix, &call->payload, call->bytes);
    if (!size) {
      call->faulted = true;
      flow->prefix_len = MF_HEAD_PREFIX;
      return 0;
    }
    judge_message(call, prefix, size);
  }
  wanted = call->bytes < flow->budget ? call->bytes : flow->budget;
  if (!wanted)
    return 0;
  wanted = copy_payload(scratch, &call->payload, call->way, wanted);
  call->faulted = !wanted;
  return wanted;
}

/* False: it is lost, which is counted. */
static __always_inline bool send_capture(struct mf_call *call, struct mf_http_scratch *scratch,
                                         u32 captured)
{
  struct mf_http_conn *conn = call->conn;
  u64 pid_tgid = bpf_get_current_pid_tgid();
  struct mf_http_data *record = &scratch->record;
  u64 size = captured;

  if (conn->unread)
    send_progress(conn);
  if (conn->pid != pid_tgid >> 32 && !announce(conn, call->sk))
    return false;
  if (!room_for_bulk(&http_ring)) {
    __sync_fetch_and_add(&http_state.produced, 1);
    note_ring_full(&http_ring, &http_state, take_wake_up(&http_ring, &http_state));
    return false;
  }
  record->header.kind = MF_KIND_HTTP_DATA;
  record->header.flags = call->flags;
  record->header.ktime_ns = call->now_ns;
  record->header.pid = pid_tgid >> 32;
  record->header.tid = (u32)pid_tgid;
  fill_id(&record->id, conn);
  record->offset = flow_of(conn, call->way)->offset;
  record->cgroup_id = call->cgroup_id;
  record->length = call->begins ? captured : call->bytes;
  record->captured = captured;
  record->way = call->way;
  record->pad = 0;
  BOUND_TO_MASK(size, 16383);
  size += sizeof(*record);
  record->header.size = size;
  return send_record(&http_ring, &http_state, record, size);
}

/* Counts the bytes of the call, and notes those of which no record has told: also of a lost one,
 * for else the reader could take the next message for it. Only after the record is in the ring,
 * see send_progress(). */
static __always_inline void advance(struct mf_call *call, struct mf_http_scratch *scratch,
                                    u32 captured)
{
  struct mf_http_flow *flow = flow_of(call->conn, call->way);

  flow->last_ns = call->now_ns;
  if (captured)
    flow->told = flow->offset + captured;
  if (call->begins)
    return;
  flow->offset += call->bytes;
  if (flow->offset <= flow->told)
    return;
  flow->tail_len = read_tail(&flow->tail, scratch, &call->payload, call->way, call->bytes);
  mark_unread(call->conn, call->sk);
}

static __always_inline void on_moved(struct mf_call *call)
{
  struct mf_http_conn *conn = call->conn;
  struct mf_http_flow *flow = flow_of(conn, call->way);
  struct mf_http_scratch *scratch = scratch_of(call->way);
  u32 captured;

  if (!scratch)
    return;
  call->now_ns = bpf_ktime_get_ns();
  call->turned = conn->last_way != call->way;
  call->flags = call->turned ? MF_HTTP_TURN : 0;
  conn->last_way = call->way;
  skip_gap(call);
  captured = look_at(call, scratch);
  if (conn->state == MF_HTTP_UNSURE && conn->doubt >= MF_DOUBT_OFF) {
    conn->state = MF_HTTP_NO;
    send_end(conn, MF_HTTP_END_NOT_HTTP);
    return;
  }
  if (captured) {
    flow->budget -= captured;
    if (!send_capture(call, scratch, captured))
      captured = 0;
  } else if (call->faulted ||
             (call->turned && call->payload.is_lost && conn->state == MF_HTTP_YES)) {
    count_unread();
  }
  advance(call, scratch, captured);
}

/* False: it is not followed. */
static __always_inline bool find_or_add(struct mf_call *call)
{
  struct tcp_sock *tp = (struct tcp_sock *)call->sk;
  struct mf_http_conn *conn = find_http(call->sk);

  if (!conn || conn->ports != call->ports) {
    if (conn) /* its end was missed, see end_unseen() in tcp_close.bpf.h */
      send_end(conn, MF_HTTP_END_UNSEEN);
    conn = add_http(call->sk, call->ports);
    if (!conn) {
      count_untracked(call);
      return false;
    }
    conn->pre_existing = had_bytes_before(call);
    conn->ways[MF_WAY_SENT].seq = BPF_CORE_READ(tp, write_seq);
    conn->ways[MF_WAY_RECEIVED].seq = BPF_CORE_READ(tp, copied_seq);
    flow_of(conn, call->way)->seq = call->end_seq - (call->begins ? 0 : call->bytes);
  }
  call->conn = conn;
  return conn->state != MF_HTTP_NO;
}

#include "http_hooks.bpf.h"

#include "http_end.bpf.h"

SEC("raw_tp/sched_process_fork")
int mf_http_fork(u64 *ctx)
{
  struct task_struct *parent = (struct task_struct *)ctx[0];
  struct task_struct *child = (struct task_struct *)ctx[1];
  u32 pid = BPF_CORE_READ(child, tgid);

  if ((u32)BPF_CORE_READ(child, pid) == pid) /* not a thread */
    follow_fork(BPF_CORE_READ(parent, tgid), pid, &http_state);
  return 0;
}

SEC("raw_tp/sched_process_exit")
int mf_http_exit(u64 *ctx)
{
  struct task_struct *task = (struct task_struct *)ctx[0];
  u32 pid = BPF_CORE_READ(task, tgid);

  if (!is_alive(task))
    bpf_map_delete_elem(&filter_trees, &pid);
  return 0;
}
