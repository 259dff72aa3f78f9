/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes by call, on request: what a call really moved, from its result or from the
 * sequence numbers, never what it was asked to. Included by tcp.bpf.c only.
 */
#ifndef MASFLOW_TCP_CALL_BPF_H
#define MASFLOW_TCP_CALL_BPF_H

#define MSG_PEEK 2

static __always_inline void on_transfer(struct sock *sk, u64 tx_bytes, u64 rx_bytes)
{
  struct mf_conn *conn = find_connection(sk);
  struct mf_tcp_data *record;
  struct mf_user user;

  if (!conn)
    return;
  if (conn->phase == MF_PHASE_QUEUED)
    infer_owner(conn);
  /* Also after the close: what the other end sent before its RST can still be read. */
  if (conn->phase != MF_PHASE_OPEN && conn->phase != MF_PHASE_CLOSED)
    return;
  user = conn->user;
  conn->user.pid = 0;
  note_user(conn);
  record = reserve_bulk(&tcp_ring, &tcp_state, sizeof(*record));
  if (!record) {
    conn->user = user;
    return;
  }
  begin_record(&record->base, conn, MF_KIND_TCP_DATA, sizeof(*record));
  record->tx_bytes = tx_bytes;
  record->rx_bytes = rx_bytes;
  record->tx_total = 0;
  record->rx_total = 0;
  record->since_ns = 0;
  record->user = conn->user;
  record->reason = MF_DATA_CALL;
  record->tid = (u32)bpf_get_current_pid_tgid();
  submit_record(&tcp_ring, &tcp_state, record);
  if (!conn->user.pid)
    conn->user = user; /* the owner called: who else used it stays known */
}

/* TP_PROTO(struct sock *sk, int ret, int flags), since 6.3. Above what TLS does in the kernel. */
SEC("raw_tp/sock_send_length")
int mf_send_tp(u64 *ctx)
{
  struct sock *sk = (struct sock *)ctx[0];
  int ret = (int)ctx[1];

  if (ret > 0)
    on_transfer(sk, ret, 0);
  return 0;
}

SEC("raw_tp/sock_recv_length")
int mf_recv_tp(u64 *ctx)
{
  struct sock *sk = (struct sock *)ctx[0];
  int ret = (int)ctx[1];

  if (ret > 0 && !((u32)ctx[2] & MSG_PEEK))
    on_transfer(sk, 0, ret);
  return 0;
}

/* int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size) */
SEC("fexit/tcp_sendmsg")
int mf_send_fx(u64 *ctx)
{
  if ((int)ctx[3] > 0)
    on_transfer((struct sock *)ctx[0], (u32)ctx[3], 0);
  return 0;
}

/* int tcp_sendpage(sk, page, offset, size, flags): sendfile, before 6.5. */
SEC("fexit/tcp_sendpage")
int mf_sendpage_fx(u64 *ctx)
{
  if ((int)ctx[5] > 0)
    on_transfer((struct sock *)ctx[0], (u32)ctx[5], 0);
  return 0;
}

static __always_inline int on_recvmsg(u64 sk, int flags, int ret)
{
  if (ret > 0 && !(flags & MSG_PEEK))
    on_transfer((struct sock *)sk, 0, ret);
  return 0;
}

/* int tcp_recvmsg(sk, msg, len, nonblock, flags, addr_len) up to 5.18, then without nonblock, and
 * since 6.17 without addr_len. */
SEC("fexit/tcp_recvmsg")
int mf_recv_fx6(u64 *ctx)
{
  return on_recvmsg(ctx[0], (int)ctx[4], (int)ctx[6]);
}

SEC("fexit/tcp_recvmsg")
int mf_recv_fx5(u64 *ctx)
{
  return on_recvmsg(ctx[0], (int)ctx[3], (int)ctx[5]);
}

SEC("fexit/tcp_recvmsg")
int mf_recv_fx4(u64 *ctx)
{
  return on_recvmsg(ctx[0], (int)ctx[3], (int)ctx[4]);
}

/* ssize_t tcp_splice_read(struct socket *sock, ppos, pipe, len, flags) */
SEC("fexit/tcp_splice_read")
int mf_splice_fx(u64 *ctx)
{
  struct socket *socket = (struct socket *)ctx[0];

  if ((int)ctx[5] > 0)
    on_transfer(READ(socket, sk), 0, (u32)ctx[5]);
  return 0;
}

/*
 * By kprobe, at entries only: whoever sends holds the socket until release_sock, and write_seq has
 * grown by then by what was sent. A call that waits for room releases the socket meanwhile, and is
 * reported in parts. From where it grows is known from the first call on.
 */
static __always_inline int on_send_begins(struct sock *sk)
{
  struct mf_conn *conn = find_connection(sk);

  if (!conn || conn->sent_seq_known || !can_send(sk))
    return 0;
  conn->sent_seq = READ((struct tcp_sock *)sk, write_seq);
  conn->sent_seq_known = 1;
  return 0;
}

SEC("kprobe/tcp_sendmsg_locked")
int mf_send_kp(struct pt_regs *ctx)
{
  return on_send_begins((struct sock *)FUNCTION_ARG1(ctx));
}

SEC("kprobe/tcp_sendpage")
int mf_sendpage_kp(struct pt_regs *ctx)
{
  return on_send_begins((struct sock *)FUNCTION_ARG1(ctx));
}

SEC("kprobe/release_sock")
int mf_release_kp(struct pt_regs *ctx)
{
  struct sock *sk = (struct sock *)FUNCTION_ARG1(ctx);
  struct mf_conn *conn = find_connection(sk);
  u32 write_seq, sent;

  if (!conn || !conn->sent_seq_known || !can_send(sk))
    return 0;
  write_seq = READ((struct tcp_sock *)sk, write_seq);
  sent = write_seq - conn->sent_seq;
  conn->sent_seq = write_seq;
  if (sent)
    on_transfer(sk, sent, 0);
  return 0;
}

/*
 * TP_PROTO(struct sock *sk): data was just copied to the reader, the socket is locked.
 * MSG_PEEK does not move copied_seq. A FIN that was read moves it by one.
 */
SEC("raw_tp/tcp_rcv_space_adjust")
int mf_recv_ra(u64 *ctx)
{
  struct sock *sk = (struct sock *)ctx[0];
  struct tcp_sock *tp = (struct tcp_sock *)sk;
  struct mf_conn *conn = find_connection(sk);
  u64 done = 1ULL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);
  u32 copied, bytes;

  if (!conn)
    return 0;
  copied = READ(tp, copied_seq);
  bytes = copied - conn->copied_seq;
  conn->copied_seq = copied;
  if (bytes && copied == READ(tp, rcv_nxt) && (READ(sk, __sk_common.skc_flags) & done))
    --bytes;
  if (bytes)
    on_transfer(sk, 0, bytes);
  return 0;
}

#endif /* MASFLOW_TCP_CALL_BPF_H */
