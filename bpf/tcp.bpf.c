// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The life of TCP connections: connect, accept, close, what was open before, and
 * how many bytes each moved. Every program is off until the reader turns it on
 * (src/bpf/tcp_feed).
 *
 * Two tracepoints carry it on every kernel: inet_sock_set_state and
 * tcp_destroy_sock. Who accepted, and errors of connect() before the first packet,
 * come from tcp_owner.bpf.h; bytes by call from tcp_call.bpf.h.
 */
#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "connection.bpf.h"
#include "filter.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"
#include "tree.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool emit_listeners = false;
const volatile bool emit_last_data = false; /* data by interval: the rest, at the close */

/* errno, the same on both architectures */
enum {
  EPIPE = 32,
  ENETUNREACH = 101,
  ECONNABORTED = 103,
  ECONNRESET = 104,
  ETIMEDOUT = 110,
  ECONNREFUSED = 111,
  EHOSTUNREACH = 113,
};

static __always_inline void send_connect(struct mf_conn *conn, u32 outcome, u32 error)
{
  struct mf_tcp_connect *record = reserve_record(&tcp_ring, &tcp_state, sizeof(*record));

  if (!record)
    return;
  begin_record(&record->base, conn, MF_KIND_TCP_CONNECT, sizeof(*record));
  record->duration_ns = conn->begin_ns ? record->base.header.ktime_ns - conn->begin_ns : 0;
  record->outcome = outcome;
  record->error = error;
  submit_record(&tcp_ring, &tcp_state, record);
}

/* The outcome of a connect, which ends the entry if it turns out not to pass. */
static __always_inline void end_connect(struct mf_conn *conn, struct sock *sk, u32 outcome,
                                        u32 error)
{
  if (conn->phase != MF_PHASE_GIVEN_UP) /* its ends were read when it closed, and are cleared */
    read_ends(&conn->base.tcp, sk);
  conn->phase = outcome == MF_CONNECTED ? MF_PHASE_OPEN : MF_PHASE_FAILED;
  conn->reported_ns = bpf_ktime_get_ns();
  if (!socket_passes(&conn->base.tcp)) {
    forget_connection(sk);
    return;
  }
  send_connect(conn, outcome, error);
  if (outcome == MF_CONNECTED) {
    conn->copied_seq = READ((struct tcp_sock *)sk, copied_seq);
    conn->begin_ns = conn->reported_ns;
    conn->ready_ns = bpf_ktime_get_ns();
  }
}

static __always_inline void send_accept(struct mf_conn *conn)
{
  struct mf_tcp_accept *record = reserve_record(&tcp_ring, &tcp_state, sizeof(*record));

  if (record) {
    begin_record(&record->base, conn, MF_KIND_TCP_ACCEPT, sizeof(*record));
    record->queued_ns = conn->begin_ns ? record->base.header.ktime_ns - conn->begin_ns : 0;
    submit_record(&tcp_ring, &tcp_state, record);
  }
  conn->ready_ns = bpf_ktime_get_ns();
  if (!conn->reported_ns)
    conn->reported_ns = conn->ready_ns;
}

#include "tcp_close.bpf.h"

#include "tcp_owner.bpf.h"

#include "tcp_call.bpf.h"

/* connect(): the process is the current one, the local port not chosen yet. */
static __always_inline void begin_connect(struct sock *sk, bool count)
{
  struct mf_conn *old = find_connection(sk);
  struct task_struct *task = current_task();
  struct mf_conn *conn;
  struct mf_tcp ends;

  if (old && old->phase == MF_PHASE_GIVEN_UP) /* the socket is used again */
    end_connect(old, sk, MF_CONNECT_ABANDONED, 0);
  else if (old)
    end_unseen(old);
  if (is_kernel_thread(task) || !task_passes(task))
    goto not_followed;
  __builtin_memset(&ends, 0, sizeof(ends));
  read_ends(&ends, sk);
  if (!remote_passes(&ends))
    goto not_followed;
  conn = add_connection(sk, false, count);
  if (!conn)
    return;
  set_owner(conn, task);
  conn->state = TCP_SYN_SENT;
  conn->base.tcp.role = MF_ROLE_CLIENT;
  conn->begin_ns = conn->base.tcp.birth_ns;
  conn->in_call = 1;
  conn->phase = MF_PHASE_CONNECTING;
  return;
not_followed:
  if (old)
    forget_connection(sk);
}

/*
 * A connection that came to a listening socket. In an interrupt: current is anybody.
 * Where processes are filtered the accept will tell whether it is followed.
 */
static __always_inline void begin_queued(struct sock *sk)
{
  struct mf_conn *conn;
  struct mf_tcp ends;

  if (filter_by_process) {
    forget_connection(sk);
    return;
  }
  __builtin_memset(&ends, 0, sizeof(ends));
  read_ends(&ends, sk);
  if (!socket_passes(&ends))
    return;
  /* If the table is full the accept tries again, and counts. */
  conn = add_connection(sk, false, false);
  if (!conn)
    return;
  conn->state = TCP_ESTABLISHED;
  conn->base.header.flags = MF_TCP_NO_OWNER;
  conn->base.tcp.role = MF_ROLE_SERVER;
  conn->begin_ns = conn->reported_ns = conn->base.tcp.birth_ns;
  conn->phase = MF_PHASE_QUEUED;
}

static __always_inline void begin_listen(struct sock *sk, bool count)
{
  struct task_struct *task = current_task();
  struct mf_tcp_listen *record;
  struct mf_conn *conn;
  struct mf_tcp ends;

  __builtin_memset(&ends, 0, sizeof(ends));
  read_ends(&ends, sk);
  if (is_kernel_thread(task) || !task_passes(task) || !socket_passes(&ends))
    return;
  conn = add_connection(sk, false, count);
  if (!conn)
    return;
  set_owner(conn, task);
  conn->state = TCP_LISTEN;
  conn->base.tcp.role = MF_ROLE_SERVER;
  conn->phase = MF_PHASE_LISTENING;
  record = reserve_record(&tcp_ring, &tcp_state, sizeof(*record));
  if (!record)
    return;
  begin_record(&record->base, conn, MF_KIND_TCP_LISTEN, sizeof(*record));
  record->backlog = READ(sk, sk_max_ack_backlog);
  record->pad = 0;
  submit_record(&tcp_ring, &tcp_state, record);
}

static __always_inline void on_close(struct mf_conn *conn, struct sock *sk, int from)
{
  struct mf_tcp_counters counters;
  bool accepted;

  judge_close(conn, sk, from);
  read_own_counters(&counters, conn, sk);
  if (conn->phase == MF_PHASE_QUEUED && conn->close_error) {
    /* accept() still hands it out. The counters are kept: a close of the listener clears them. */
    conn->start = counters;
    conn->phase = MF_PHASE_QUEUED_CLOSED;
    return;
  }
  if (conn->phase == MF_PHASE_QUEUED && READ(sk, sk_socket))
    infer_owner(conn);
  accepted = conn->phase != MF_PHASE_QUEUED;
  conn->phase = MF_PHASE_CLOSED; /* first: a pass that still sees it open precedes the records */
  send_close(conn, sk, &counters, accepted);
  conn->reported_ns = bpf_ktime_get_ns();
}

static __always_inline void on_connect_closed(struct mf_conn *conn, struct sock *sk)
{
  u32 error = READ(sk, sk_err);

  if (error) {
    end_connect(conn, sk, MF_CONNECT_FAILED, error);
    return;
  }
  /* Given up by the application, or about to fail in connect(), which then says why. */
  read_ends(&conn->base.tcp, sk);
  conn->phase = MF_PHASE_GIVEN_UP;
}

static __always_inline void on_state(struct mf_conn *conn, struct sock *sk, int from, int to)
{
  /* The change to ESTABLISHED was missed (the socket was found amid it). */
  if (conn->phase == MF_PHASE_CONNECTING && to != TCP_ESTABLISHED && from != TCP_SYN_SENT &&
      from != TCP_SYN_RECV) {
    conn->begin_ns = 0;
    end_connect(conn, sk, MF_CONNECTED, 0);
    if (!find_connection(sk))
      return;
  }
  switch (to) {
  case TCP_ESTABLISHED:
    if (conn->phase == MF_PHASE_CONNECTING)
      end_connect(conn, sk, MF_CONNECTED, 0);
    break;
  case TCP_FIN_WAIT1: /* only close() and shutdown() lead here and to LAST_ACK */
    if (!conn->first)
      conn->first = MF_FIRST_LOCAL;
    if (conn->phase == MF_PHASE_QUEUED)
      infer_owner(conn);
    note_user(conn);
    break;
  case TCP_CLOSE_WAIT:
    if (!conn->first)
      conn->first = MF_FIRST_REMOTE;
    break;
  case TCP_LAST_ACK:
    if (conn->phase == MF_PHASE_QUEUED)
      infer_owner(conn);
    note_user(conn);
    break;
  case TCP_CLOSE:
    if (conn->phase == MF_PHASE_CONNECTING) {
      on_connect_closed(conn, sk);
    } else if (conn->phase == MF_PHASE_OPEN || conn->phase == MF_PHASE_QUEUED) {
      /* Without an error it is the application that closes, so current is known. */
      if (conn->phase == MF_PHASE_OPEN && (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT) &&
          !READ(sk, sk_err))
        note_user(conn);
      on_close(conn, sk, from);
    }
    break;
  }
}

/* One copy for all programs that end up here. Hidden and not static: the names of static functions
 * are stripped, and libbpf finds none then. */
__hidden __noinline int handle_state(u64 *ctx, bool again)
{
  struct sock *sk = (struct sock *)ctx[0];
  int from = (int)ctx[1];
  int to = (int)ctx[2];
  struct mf_conn *conn;
  bool fresh;

  conn = find_connection(sk);
  if (again && conn && conn->state == to)
    return 0;
  if (!has_tcp_protocol(sk)) /* a raw one has no such states */
    return 0;
  /* With fast open a connection can be accepted, and have its entry, before. */
  fresh = to == TCP_ESTABLISHED && from == TCP_SYN_RECV && (!conn || conn->state != TCP_SYN_RECV);
  if (conn)
    conn->state = to;
  if (to == TCP_SYN_SENT) {
    begin_connect(sk, !again);
    return 0;
  }
  if (to == TCP_LISTEN) {
    if (emit_listeners)
      begin_listen(sk, !again);
    return 0;
  }
  if (conn && !fresh)
    on_state(conn, sk, from, to);
  else if (conn)
    end_unseen(conn);
  if (fresh)
    begin_queued(sk);
  return 0;
}

/*
 * The change that mf_tcp_state has handled last on this CPU. Nothing while it runs, for the kernel
 * skips a run only on a CPU on which another one is not over.
 */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, u64);
} handled SEC(".maps");

static __always_inline volatile u64 *handled_here(void)
{
  u32 zero = 0;

  return bpf_map_lookup_elem(&handled, &zero);
}

/* Sockets lie at multiples of more than the highest state. */
static __always_inline u64 change_of(const u64 *ctx)
{
  return ctx[0] | (u32)ctx[2];
}

/*
 * TP_PROTO(const struct sock *sk, const int oldstate, const int newstate). Before
 * the change. Neither requests in a SYN queue nor TIME_WAIT come here: these are not
 * full sockets; one that waits there has gone from FIN_WAIT2 to CLOSE.
 */
SEC("raw_tp/inet_sock_set_state")
int mf_tcp_state(u64 *ctx)
{
  volatile u64 *change = handled_here();

  if (!change)
    return 0;
  *change = 0;
  handle_state(ctx, false);
  *change = change_of(ctx);
  return 0;
}

static __always_inline int handle_state_again(u64 *ctx)
{
  volatile u64 *change = handled_here();

  return change && *change == change_of(ctx) ? 0 : handle_state(ctx, true);
}

/*
 * The same once more, for what the first one missed: since 6.1 the kernel skips a program
 * that already runs on the CPU, and a process that is in it can be interrupted by a
 * packet for another socket (some 300 of a million at full load). This one is a program of
 * its own, so it runs then; else it finds the work done. Transitions of one socket never
 * overlap.
 */
SEC("raw_tp/inet_sock_set_state")
int mf_tcp_state_again(u64 *ctx)
{
  return handle_state_again(ctx);
}

/* And once more, from 7.0 on: there a process can be preempted in any of them. */
SEC("raw_tp/inet_sock_set_state")
int mf_tcp_state_3(u64 *ctx)
{
  return handle_state_again(ctx);
}

__hidden __noinline int handle_destroy(struct sock *sk)
{
  struct mf_conn *conn = find_connection(sk);
  struct mf_tcp_counters counters;

  if (!conn)
    return 0;
  switch (conn->phase) {
  case MF_PHASE_GIVEN_UP:
    end_connect(conn, sk, MF_CONNECT_ABANDONED, 0);
    break;
  case MF_PHASE_QUEUED_CLOSED:
    counters = conn->start;
    send_close(conn, sk, &counters, false);
    break;
  case MF_PHASE_OPEN: /* its CLOSE was missed */
    judge_close(conn, sk, TCP_CLOSE);
    read_own_counters(&counters, conn, sk);
    conn->phase = MF_PHASE_CLOSED;
    send_close(conn, sk, &counters, true);
    break;
  }
  forget_connection(sk);
  return 0;
}

/* TP_PROTO(struct sock *sk): every TCP socket comes here once, at its very end. */
SEC("raw_tp/tcp_destroy_sock")
int mf_tcp_destroy(u64 *ctx)
{
  return handle_destroy((struct sock *)ctx[0]);
}

/* See mf_tcp_state_again: an entry that stays would fill the table. */
SEC("raw_tp/tcp_destroy_sock")
int mf_tcp_destroy_again(u64 *ctx)
{
  return handle_destroy((struct sock *)ctx[0]);
}

#include "tcp_iter.bpf.h"

SEC("raw_tp/sched_process_fork")
int mf_tcp_fork(u64 *ctx)
{
  return follow_on_fork(ctx, &tcp_state, MF_FIRST);
}

SEC("raw_tp/sched_process_fork")
int mf_tcp_fork_tw(u64 *ctx)
{
  return follow_on_fork(ctx, &tcp_state, MF_TWIN);
}

SEC("raw_tp/sched_process_exit")
int mf_tcp_exit(u64 *ctx)
{
  return forget_on_exit(ctx, &tcp_state, MF_FIRST);
}

SEC("raw_tp/sched_process_exit")
int mf_tcp_exit_tw(u64 *ctx)
{
  return forget_on_exit(ctx, &tcp_state, MF_TWIN);
}
