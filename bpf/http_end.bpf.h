/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How connections with HTTP end, and the pass that tells of bytes which passed unread. Included
 * by http.bpf.c only. */
#ifndef MASFLOW_HTTP_END_BPF_H
#define MASFLOW_HTTP_END_BPF_H

/* close() gives up both ways, shutdown(SHUT_WR) only the one that sends. */
static __always_inline bool gives_up_both(struct sock *sk, int to)
{
  return to == TCP_FIN_WAIT1 && READ(sk, sk_shutdown) == SHUTDOWN_MASK;
}

/*
 * A RST came, but there is more to tell: what arrived before it can still be read, and may be a
 * response; or a call is under way whose hook is yet to run. The end is told as the socket goes.
 */
static __always_inline bool ends_later(struct sock *sk, const struct mf_http_conn *conn)
{
  struct tcp_sock *tp = (struct tcp_sock *)sk;
  u32 copied = READ(tp, copied_seq);

  return READ(tp, rcv_nxt) != copied || READ(sk, sk_lock.owned) ||
         READ(tp, write_seq) != conn->ways[MF_WAY_SENT].seq ||
         copied != conn->ways[MF_WAY_RECEIVED].seq;
}

/* Idempotent, see mf_tcp_state_again in tcp.bpf.c. */
__hidden __noinline int http_state_changes(u64 *ctx)
{
  struct sock *sk = (struct sock *)ctx[0];
  int to = (int)ctx[2];
  struct mf_http_conn *conn;

  if (to != TCP_FIN_WAIT1 && to != TCP_LAST_ACK && to != TCP_CLOSE)
    return 0;
  conn = find_http(sk);
  if (!conn || conn->state == MF_HTTP_NO)
    return 0;
  if (to == TCP_CLOSE) {
    conn->error = READ(sk, sk_err);
    if (conn->error && ends_later(sk, conn))
      return 0;
  }
  if (!conn->fin_sent) /* from then on the FIN counts as sent, too */
    settle_sent(sk, conn, false);
  if (to == TCP_CLOSE) {
    send_end(conn, conn->error ? MF_HTTP_END_RESET : MF_HTTP_END_CLOSED);
    return 0;
  }
  if (!conn->fin_sent)
    send_end(conn, gives_up_both(sk, to) ? MF_HTTP_END_CLOSED : MF_HTTP_END_SENT);
  conn->fin_sent = 1;
  return 0;
}

SEC("raw_tp/inet_sock_set_state")
int mf_http_state(u64 *ctx)
{
  return http_state_changes(ctx);
}

SEC("raw_tp/inet_sock_set_state")
int mf_http_state_2(u64 *ctx)
{
  return http_state_changes(ctx);
}

__hidden __noinline int http_socket_goes(u64 *ctx)
{
  u64 key = ctx[0];
  struct mf_http_conn *conn = find_http((struct sock *)key);

  if (!conn)
    return 0;
  if (conn->error && !conn->ended && !conn->fin_sent)
    settle_sent((struct sock *)key, conn, false);
  send_end(conn, conn->error ? MF_HTTP_END_RESET : MF_HTTP_END_CLOSED);
  bpf_map_delete_elem(&http_conns, &key);
  return 0;
}

SEC("raw_tp/tcp_destroy_sock")
int mf_http_destroy(u64 *ctx)
{
  return http_socket_goes(ctx);
}

SEC("raw_tp/tcp_destroy_sock")
int mf_http_destr_2(u64 *ctx)
{
  return http_socket_goes(ctx);
}

/*
 * A long body passes unread, and behind it nothing may come for a while: the reader makes this
 * pass, some 100 ms after, over the few connections of which that is so.
 */
static __always_inline void tell_unread(u64 key)
{
  struct mf_http_conn *conn = bpf_map_lookup_elem(&http_conns, &key);
  u8 one = 1;

  if (conn && conn->unread) {
    ++pass_seen;
    send_progress(conn);
    return;
  }
  bpf_map_delete_elem(&http_unread, &key);
  /* It can have been marked in between. The atomic is a full barrier. */
  __sync_fetch_and_add(&progress_barrier, 1);
  if (conn && conn->unread) {
    ++pass_seen;
    bpf_map_update_elem(&http_unread, &key, &one, BPF_ANY);
  }
}

SEC("iter/bpf_map_elem")
int mf_http_pass(struct bpf_iter__bpf_map_elem *ctx)
{
  u64 *listed = ctx->key;

  if (listed)
    tell_unread(*listed);
  return 0;
}

/* Hidden: see tell_moved(). */
__hidden long tell_listed(void *table, const u64 *key, void *value, void *context)
{
  (void)table;
  (void)value;
  (void)context;
  tell_unread(*key);
  return 0;
}

/* See mf_tcp_pass_run. */
SEC("syscall")
int mf_http_pass_run(void)
{
  bpf_for_each_map_elem(&http_unread, tell_listed, NULL, 0);
  return 0;
}

#endif /* MASFLOW_HTTP_END_BPF_H */
