/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where bytes are seen to move: for each way several mechanisms with one body. Included by
 * http.bpf.c only.
 */
#ifndef MASFLOW_HTTP_HOOKS_BPF_H
#define MASFLOW_HTTP_HOOKS_BPF_H

/* Up to where bytes were read: the FIN that a read came to counts in copied_seq. */
static __always_inline u32 without_fin(u32 copied_seq, u32 rcv_nxt, unsigned long sk_flags)
{
  u64 done = 1ULL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);

  return copied_seq == rcv_nxt && (sk_flags & done) ? copied_seq - 1 : copied_seq;
}

/* ---- by the length of each call, since 6.3 ---- */

/*
 * TP_PROTO(struct sock *sk, int ret, int flags), above what TLS does in the kernel. With BTF: what
 * the verifier trusts (the socket, the task, its registers) is read without a check of the address.
 * But not pointers, which go through READ(): for each of these it would search all types of the
 * kernel by name, which took 20 ms of a start. The payload is found by the registers of the call.
 */
static __always_inline int on_length(u64 *ctx, u8 way)
{
  struct sock *sk = (struct sock *)ctx[0];
  int ret = (int)ctx[1];
  u32 flags = ctx[2];
  struct mf_http_scratch *scratch;
  struct task_struct *task;
  struct mf_http_conn *conn;
  struct tcp_sock *tp;
  struct mf_call *call;

  if (ret <= 0 || (way == MF_WAY_RECEIVED && (flags & (MSG_PEEK | MSG_OOB))))
    return 0;
  tp = known_tcp_sock(sk);
  scratch = scratch_of(way);
  if (!tp || !scratch)
    return 0;
  call = &scratch->call;
  call->bytes = ret;
  call->begins = false;
  call->ports = (u32)tp->inet_conn.icsk_inet.inet_sport << 16 |
                tp->inet_conn.icsk_inet.sk.__sk_common.skc_dport;
  call->end_seq = way == MF_WAY_SENT
                      ? tp->write_seq
                      : without_fin(tp->copied_seq, tp->rcv_nxt, sk->__sk_common.skc_flags);
  conn = find_or_begin(sk, call->ports, way);
  if (conn && conn->state == MF_HTTP_NO)
    return 0;
  task = bpf_get_current_task_btf();
  find_call_payload(&call->payload, task, sk, way);
  if (!conn) {
    count_untracked(sk, way);
    return 0;
  }
  if (way == MF_WAY_RECEIVED && (flags & MSG_TRUNC)) /* the bytes were thrown away */
    call->payload.readable = false;
  call->cgroup_id = task_cgroup_id(task);
  call->pid = task->tgid;
  call->tid = task->pid;
  on_moved(conn, sk, scratch, way, false);
  return 0;
}

SEC("tp_btf/sock_send_length")
int mf_http_send(u64 *ctx)
{
  return on_length(ctx, MF_WAY_SENT);
}

SEC("tp_btf/sock_recv_length")
int mf_http_recv(u64 *ctx)
{
  return on_length(ctx, MF_WAY_RECEIVED);
}

/* ---- in the functions of TCP ---- */

static __always_inline void skip_bytes(struct mf_payload *payload, u32 bytes)
{
  if (payload->base)
    payload->base += bytes;
  else
    payload->skip += bytes;
}

/* A send that could not be looked at. */
static __always_inline void count_missed(struct sock *sk)
{
  struct mf_http_conn *conn = find_http(sk);

  if (conn && conn->state == MF_HTTP_YES)
    count_unread();
}

static __always_inline bool is_old_iter(void)
{
  return !bpf_core_field_exists(((struct iov_iter *)0)->iter_type);
}

static __always_inline const struct iovec *pieces_of(struct iov_iter *iter)
{
  const struct iovec *pieces;

  if (!bpf_core_field_exists(iter->__iov))
    return READ(iter, iov);
  pieces = READ(iter, __iov);
  barrier_var(pieces); /* see parent_of() */
  return pieces;
}

/* What the iterator still has to copy. The kernel's own senders, pages (sendfile) and the like
 * are not readable. */
static __always_inline u32 read_iter(struct mf_payload *payload, struct msghdr *msg)
{
  struct iov_iter *iter = &msg->msg_iter;
  u32 type = is_old_iter() ? READ(iter, type) & ~1U : READ(iter, iter_type);
  u64 skip = READ(iter, iov_offset);

  __builtin_memset(payload, 0, sizeof(*payload));
  if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
      type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
    payload->base = (u64)READ(iter, ubuf) + skip;
    payload->readable = true;
  } else if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC)) {
    payload->iov = (u64)pieces_of(iter);
    payload->iov_in_kernel = true;
    payload->skip = skip;
    payload->pieces = READ(iter, nr_segs);
    payload->readable = true;
  }
  return READ(iter, count);
}

/* What the socket took of it so far, and takes, passes unread. */
static __always_inline void give_up_postponed(struct mf_http_conn *conn, struct sock *sk)
{
  end_postponed(conn, sk);
  count_unread();
}

/* scratch->call has its payload, length and place. */
static __always_inline int on_tcp_call(struct sock *sk, struct mf_http_scratch *scratch, u8 way)
{
  u64 pid_tgid = bpf_get_current_pid_tgid();
  struct mf_call *call = &scratch->call;
  struct mf_http_conn *conn;

  if (!is_tcp(sk))
    return 0;
  call->ports = (u32)READ((struct inet_sock *)sk, inet_sport) << 16 |
                READ(sk, __sk_common.skc_dport);
  conn = find_or_begin(sk, call->ports, way);
  if (!conn) {
    count_untracked(sk, way);
    return 0;
  }
  if (conn->state == MF_HTTP_NO)
    return 0;
  /* One of another thread, which waits for room. */
  if (way == MF_WAY_SENT && call->begins && conn->postponed)
    give_up_postponed(conn, sk);
  if (way == MF_WAY_RECEIVED && !conn->postponed)
    settle_sent(sk, conn, false);
  call->cgroup_id = task_cgroup_id(current_task());
  call->pid = pid_tgid >> 32;
  call->tid = (u32)pid_tgid;
  on_moved(conn, sk, scratch, way, way == MF_WAY_SENT);
  return 0;
}

/* A send at its begin or its end, as scratch->call has it. A function of its own, see mf_http_copy. */
__noinline int mf_http_sent(u64 address)
{
  struct mf_http_scratch *scratch = scratch_of(MF_WAY_SENT);

  return scratch ? on_tcp_call((struct sock *)address, scratch, MF_WAY_SENT) : 0;
}

static __always_inline void on_sent(struct sock *sk)
{
  u64 address = 0;

  bpf_probe_read_kernel(&address, sizeof(address), &sk); /* see identify() */
  mf_http_sent(address);
}

/*
 * int tcp_sendmsg_locked(struct sock *sk, struct msghdr *msg, size_t size). At its begin, before
 * the bytes are copied: how many the socket takes shows in write_seq at the next hook.
 */
/* One copy for all programs that end up here. Hidden and not static: the names of static functions
 * are stripped, and libbpf finds none then. */
__hidden __noinline int on_send_begins(struct sock *sk, struct msghdr *msg)
{
  struct mf_http_scratch *scratch = scratch_of(MF_WAY_SENT);

  if (!scratch)
    return 0;
  if (claim(scratch)) {
    scratch->call.begins = true;
    scratch->call.bytes = read_iter(&scratch->call.payload, msg);
    scratch->call.end_seq = READ((struct tcp_sock *)sk, write_seq);
    if (scratch->call.bytes)
      on_sent(sk);
  } else {
    count_missed(sk);
  }
  release(scratch);
  return 0;
}

/*
 * A send that was postponed ends, or gives the socket away while it waits for room: the kernel has
 * touched what it took so far. One copy, hidden, as above.
 */
__hidden __noinline int on_postponed(struct sock *sk, struct mf_http_conn *conn, bool waits)
{
  struct mf_http_scratch *scratch = scratch_of(MF_WAY_SENT);
  u64 key = (u64)sk;
  struct mf_http_postponed *send = bpf_map_lookup_elem(&http_postponed, &key);
  u32 end_seq = READ((struct tcp_sock *)sk, write_seq);
  u32 bytes;

  if (send && send->tid != (u32)bpf_get_current_pid_tgid())
    return 0; /* another one, while that one waits */
  if (!scratch || !send || send->seq != conn->ways[MF_WAY_SENT].seq) {
    /* Too many at a time, or it is counted already, as the socket was closed meanwhile. */
    give_up_postponed(conn, sk);
    return 0;
  }
  bytes = can_send(sk) ? end_seq - send->seq : 0;
  if (bytes && claim(scratch)) {
    scratch->call.begins = false;
    scratch->call.bytes = bytes;
    scratch->call.end_seq = end_seq;
    scratch->call.payload = send->payload;
    on_sent(sk);
    release(scratch);
  } else if (bytes) {
    release(scratch);
    count_missed(sk);
  }
  if (!waits) {
    end_postponed(conn, sk);
  } else if (bytes) {
    send->seq = end_seq;
    skip_bytes(&send->payload, bytes);
  }
  return 0;
}

SEC("fentry/tcp_sendmsg_locked")
int mf_http_send_fe(u64 *ctx)
{
  return on_send_begins((struct sock *)ctx[0], (struct msghdr *)ctx[1]);
}

SEC("fexit/tcp_sendmsg_locked")
int mf_http_send_fx(u64 *ctx)
{
  struct sock *sk = (struct sock *)ctx[0];
  struct mf_http_conn *conn = find_http(sk);

  if (!conn || conn->state == MF_HTTP_NO)
    return 0;
  if (conn->postponed)
    on_postponed(sk, conn, false);
  if (!conn->postponed)
    settle_sent(sk, conn, true);
  return 0;
}

SEC("kprobe/tcp_sendmsg_locked")
int mf_http_send_kp(struct pt_regs *ctx)
{
  return on_send_begins((struct sock *)FUNCTION_ARG1(ctx), (struct msghdr *)FUNCTION_ARG2(ctx));
}

/*
 * The end of a call of a kprobe: whoever sent holds the socket until then. (A kretprobe on a
 * function that waits would lose most calls.)
 */
SEC("kprobe/release_sock")
int mf_http_rel_kp(struct pt_regs *ctx)
{
  struct sock *sk = (struct sock *)FUNCTION_ARG1(ctx);
  struct mf_http_conn *conn = find_http(sk);

  if (!conn || conn->state == MF_HTTP_NO)
    return 0;
  if (conn->postponed)
    on_postponed(sk, conn, READ(sk, sk_write_pending));
  if (!conn->postponed && can_send(sk) &&
      READ((struct tcp_sock *)sk, write_seq) != conn->ways[MF_WAY_SENT].seq)
    settle_sent(sk, conn, true);
  return 0;
}

/* Where the reads in progress put their bytes, by thread. */
struct mf_read {
  struct sock *sk;
  struct mf_payload payload;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, u32);
  __type(value, struct mf_read);
} http_reads SEC(".maps");

static __always_inline int on_read_begins(struct sock *sk, struct msghdr *msg)
{
  struct mf_http_conn *conn = find_http(sk);
  u32 tid = (u32)bpf_get_current_pid_tgid();
  struct mf_read read = {.sk = sk};

  if (conn && conn->state == MF_HTTP_NO)
    return 0;
  read_iter(&read.payload, msg);
  bpf_map_update_elem(&http_reads, &tid, &read, BPF_ANY);
  return 0;
}

__hidden __noinline int on_read(struct sock *sk, u32 bytes, u32 end_seq,
                                const struct mf_payload *payload)
{
  struct mf_http_scratch *scratch = scratch_of(MF_WAY_RECEIVED);

  if (!scratch)
    return 0;
  scratch->call.begins = false;
  scratch->call.bytes = bytes;
  scratch->call.end_seq = end_seq;
  scratch->call.payload = *payload;
  return on_tcp_call(sk, scratch, MF_WAY_RECEIVED);
}

static __always_inline u32 read_so_far(struct sock *sk)
{
  struct tcp_sock *tp = (struct tcp_sock *)sk;

  return without_fin(READ(tp, copied_seq), READ(tp, rcv_nxt), READ(sk, __sk_common.skc_flags));
}

static __always_inline int on_read_returns(struct sock *sk, int flags, int ret)
{
  u32 tid = (u32)bpf_get_current_pid_tgid();
  struct mf_read *read = bpf_map_lookup_elem(&http_reads, &tid);
  struct mf_payload payload;
  bool same;

  if (!read)
    return 0;
  payload = read->payload;
  same = read->sk == sk;
  bpf_map_delete_elem(&http_reads, &tid);
  if (!same || ret <= 0 || (flags & (MSG_PEEK | MSG_OOB)))
    return 0;
  if (flags & MSG_TRUNC)
    payload.readable = false;
  return on_read(sk, ret, read_so_far(sk), &payload);
}

SEC("fentry/tcp_recvmsg")
int mf_http_recv_fe(u64 *ctx)
{
  return on_read_begins((struct sock *)ctx[0], (struct msghdr *)ctx[1]);
}

/* The arguments of tcp_recvmsg: see tcp_call.bpf.h. */
SEC("fexit/tcp_recvmsg")
int mf_http_recv_f6(u64 *ctx)
{
  return on_read_returns((struct sock *)ctx[0], (int)ctx[4], (int)ctx[6]);
}

SEC("fexit/tcp_recvmsg")
int mf_http_recv_f5(u64 *ctx)
{
  return on_read_returns((struct sock *)ctx[0], (int)ctx[3], (int)ctx[5]);
}

SEC("fexit/tcp_recvmsg")
int mf_http_recv_f4(u64 *ctx)
{
  return on_read_returns((struct sock *)ctx[0], (int)ctx[3], (int)ctx[4]);
}

SEC("kprobe/tcp_recvmsg")
int mf_http_recv_kp(struct pt_regs *ctx)
{
  return on_read_begins((struct sock *)FUNCTION_ARG1(ctx), (struct msghdr *)FUNCTION_ARG2(ctx));
}

/* TP_PROTO(struct sock *sk): bytes were just copied to the reader of kprobe tcp_recvmsg, which a
 * kretprobe would mostly lose as it sleeps. Once for each packet buffer; MSG_PEEK does not move
 * copied_seq. */
SEC("raw_tp/tcp_rcv_space_adjust")
int mf_http_recv_ra(u64 *ctx)
{
  struct sock *sk = (struct sock *)ctx[0];
  u32 tid = (u32)bpf_get_current_pid_tgid();
  struct mf_read *read = bpf_map_lookup_elem(&http_reads, &tid);
  struct mf_http_conn *conn = find_http(sk);
  struct mf_payload payload;
  u32 end_seq = read_so_far(sk);
  u32 bytes;

  if (!read || read->sk != sk)
    return 0;
  /* Of the first bytes that we see the number is not known: the kernel's counters tell it. */
  bytes = end_seq - (conn ? conn->ways[MF_WAY_RECEIVED].seq
                          : (u32)READ((struct tcp_sock *)sk, rcv_nxt) -
                                (u32)READ((struct tcp_sock *)sk, bytes_received));
  if ((s32)bytes <= 0)
    return 0;
  payload = read->payload;
  skip_bytes(&read->payload, bytes);
  return on_read(sk, bytes, end_seq, &payload);
}

#endif /* MASFLOW_HTTP_HOOKS_BPF_H */
