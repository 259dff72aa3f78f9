/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the reader asks for: the sockets that were open before the hooks were attached,
 * and, by interval, the connections that moved bytes. Included by tcp.bpf.c only.
 */
#ifndef MASFLOW_TCP_ITER_BPF_H
#define MASFLOW_TCP_ITER_BPF_H

/* Ports that somebody listens on: a connection at one of these was accepted. */
struct mf_listening {
  u32 netns;
  u16 port;
  u16 pad;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, struct mf_listening);
  __type(value, u8);
} listening SEC(".maps");

bool listening_full = false;

static __always_inline bool adopt(struct sock *sk, struct task_struct *task, struct mf_conn **out)
{
  struct mf_conn *conn;
  struct mf_tcp ends;

  __builtin_memset(&ends, 0, sizeof(ends));
  read_ends(&ends, sk);
  if (is_kernel_thread(task) || !task_passes(task) || !socket_passes(&ends))
    return false;
  conn = add_connection(sk, true, true);
  if (!conn) {
    /* The buffer was full and the kernel shows us this file again: say it now. */
    conn = find_connection(sk);
    *out = conn;
    return conn && conn->ready_ns == 0 && (conn->base.header.flags & MF_TCP_PRE_EXISTING) &&
           conn->phase != MF_PHASE_CONNECTING;
  }
  set_owner(conn, READ(task, group_leader));
  *out = conn;
  return true;
}

/* First: who listens. */
SEC("iter/task_file")
int mf_tcp_listeners(struct bpf_iter__task_file *ctx)
{
  struct task_struct *task = ctx->task;
  /* At the end of a run both are NULL. */
  struct sock *sk = task ? tcp_socket_of_file(ctx->file) : NULL;
  struct mf_listening key = {};
  struct mf_tcp_listen record;
  struct mf_conn *conn;
  u8 one = 1;

  if (!sk || READ(sk, __sk_common.skc_state) != TCP_LISTEN)
    return 0;
  key.netns = READ(sk, __sk_common.skc_net.net, ns.inum);
  key.port = bpf_ntohs(READ((struct inet_sock *)sk, inet_sport));
  if (bpf_map_update_elem(&listening, &key, &one, BPF_ANY))
    listening_full = true;
  if (!emit_listeners || !adopt(sk, task, &conn))
    return 0;
  conn->base.header.flags |= MF_TCP_PRE_EXISTING;
  conn->base.tcp.role = MF_ROLE_SERVER;
  conn->state = TCP_LISTEN;
  conn->phase = MF_PHASE_LISTENING;
  begin_record(&record.base, conn, MF_KIND_TCP_LISTEN, sizeof(record));
  record.backlog = READ(sk, sk_max_ack_backlog);
  record.pad = 0;
  if (!bpf_seq_write(ctx->meta->seq, &record, sizeof(record)))
    conn->ready_ns = record.base.header.ktime_ns;
  return 0;
}

static __always_inline void set_adopted_role(struct mf_tcp *tcp, u16 *flags)
{
  struct mf_listening key = {.netns = tcp->netns, .port = tcp->local_port};

  if (bpf_map_lookup_elem(&listening, &key))
    tcp->role = MF_ROLE_SERVER;
  else if (!listening_full)
    tcp->role = MF_ROLE_CLIENT;
  if (tcp->role)
    *flags |= MF_TCP_ROLE_INFERRED;
}

/*
 * Then: what is open. The hooks run already; what they saw has an entry, which is
 * kept, so nothing is told twice. The file is held, so that its socket stays until we
 * are done with it.
 */
SEC("iter/task_file")
int mf_tcp_adopt(struct bpf_iter__task_file *ctx)
{
  struct task_struct *task = ctx->task;
  /* At the end of a run both are NULL. */
  struct sock *sk = task ? tcp_socket_of_file(ctx->file) : NULL;
  struct mf_tcp_open record;
  struct mf_conn *conn;
  int state;

  if (!sk)
    return 0;
  state = READ(sk, __sk_common.skc_state);
  if (state == TCP_CLOSE || state == TCP_LISTEN || state == TCP_SYN_RECV)
    return 0;
  if (!adopt(sk, task, &conn))
    return 0;
  conn->state = state;
  if (state == TCP_SYN_SENT) { /* its connect() has returned: the outcome will be seen */
    conn->base.tcp.role = MF_ROLE_CLIENT;
    conn->phase = MF_PHASE_CONNECTING;
    conn->result_due = 1;
    return 0;
  }
  if (conn->phase == MF_PHASE_NEW) {
    conn->base.header.flags |= MF_TCP_PRE_EXISTING;
    set_adopted_role(&conn->base.tcp, &conn->base.header.flags);
    read_counters(&conn->start, sk);
    conn->reported_ns = conn->base.tcp.birth_ns;
    conn->first = state == TCP_ESTABLISHED                           ? MF_FIRST_UNKNOWN
                  : state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK ? MF_FIRST_REMOTE
                                                                     : MF_FIRST_LOCAL;
    conn->phase = MF_PHASE_OPEN;
  }
  begin_record(&record.base, conn, MF_KIND_TCP_OPEN, sizeof(record));
  record.state = state;
  record.pad = 0;
  if (!bpf_seq_write(ctx->meta->seq, &record, sizeof(record)))
    conn->ready_ns = record.base.header.ktime_ns;
  return 0;
}

/* Set by the reader before each pass: only connections that were announced before. */
__u64 pass_before_ns = 0;
__u64 pass_seen = 0;      /* entries that can still move bytes */
bool pass_sweeps = false; /* this one looks for sockets whose end nobody saw, too */

#define MF_KEPT_AFTER_END_NS 60000000000ULL

/* See end_unseen(). True: the entry is gone. The hooks run before a state changes, so an open
 * entry with a closed socket is not one that they are just at. */
static __always_inline bool sweep(u64 key, struct mf_conn *conn)
{
  struct sock *sk = (struct sock *)key;
  bool ended = conn->phase == MF_PHASE_CLOSED || conn->phase == MF_PHASE_FAILED;

  if (ended && bpf_ktime_get_ns() - conn->reported_ns < MF_KEPT_AFTER_END_NS)
    return false;
  if (!ended && (conn->phase == MF_PHASE_LISTENING || conn->phase == MF_PHASE_QUEUED_CLOSED ||
                 READ(sk, __sk_common.skc_state) != TCP_CLOSE))
    return false;
  end_unseen(conn);
  bpf_map_delete_elem(&connections, &key);
  return true;
}

/* What one connection has moved since it was last told, and up to where that was seen. */
struct mf_moved {
  struct mf_tcp_data record; /* to be told, unless it has no bytes */
  u32 snd_nxt;
  u32 rcv_nxt;
};

/*
 * One pass over our own table, which costs nothing on the data path. A connection
 * that ends during the pass can be reported by it and by its close; the reader, which
 * knows when it made the pass, takes that out (src/bpf/pass_screen). False: it has nothing to tell.
 */
static __always_inline bool has_moved(struct mf_moved *moved, u64 key, struct mf_conn *conn)
{
  struct tcp_sock *tp = (struct tcp_sock *)key;
  struct mf_tcp_data *record = &moved->record;
  u64 birth_ns;

  if (pass_sweeps && sweep(key, conn))
    return false;
  if (conn->phase != MF_PHASE_FAILED && conn->phase != MF_PHASE_CLOSED &&
      conn->phase != MF_PHASE_LISTENING)
    ++pass_seen;
  if (conn->phase != MF_PHASE_OPEN || !conn->ready_ns || conn->ready_ns >= pass_before_ns)
    return false;
  /* Told by an earlier run of this pass: else it would not end where bytes move all the time. */
  if (conn->reported_ns >= pass_before_ns)
    return false;
  /* They tell of any byte, and lie side by side: of an idle socket one cache line is read. */
  moved->snd_nxt = READ(tp, snd_nxt);
  moved->rcv_nxt = READ(tp, rcv_nxt);
  if (moved->snd_nxt == conn->snd_nxt_seen && moved->rcv_nxt == conn->rcv_nxt_seen)
    return false;
  birth_ns = conn->base.tcp.birth_ns;
  __builtin_memset(record, 0, sizeof(*record));
  record->tx_total = payload_sent((struct sock *)tp) - conn->start.tx_bytes;
  record->rx_total = payload_received((struct sock *)tp) - conn->start.rx_bytes;
  /* What closed meanwhile has been reported; and the next socket may be there already. */
  if (conn->phase != MF_PHASE_OPEN || conn->base.tcp.birth_ns != birth_ns)
    return false;
  /* What is sent again is counted as such just before it is sent: never less than was said. */
  if (record->tx_total < conn->tx_reported)
    record->tx_total = conn->tx_reported;
  if (record->rx_total < conn->rx_reported)
    record->rx_total = conn->rx_reported;
  record->tx_bytes = record->tx_total - conn->tx_reported;
  record->rx_bytes = record->rx_total - conn->rx_reported;
  record->base = conn->base;
  record->base.header.kind = MF_KIND_TCP_DATA;
  record->base.header.size = sizeof(*record);
  record->base.header.ktime_ns = bpf_ktime_get_ns();
  record->since_ns = conn->reported_ns;
  record->reason = MF_DATA_INTERVAL;
  return true;
}

static __always_inline bool has_bytes(const struct mf_moved *moved)
{
  return moved->record.tx_bytes || moved->record.rx_bytes;
}

/* Only once the record is where the reader will find it. */
static __always_inline void note_told(struct mf_conn *conn, const struct mf_moved *moved)
{
  if (has_bytes(moved)) {
    conn->tx_reported = moved->record.tx_total;
    conn->rx_reported = moved->record.rx_total;
    conn->reported_ns = moved->record.base.header.ktime_ns;
  }
  conn->snd_nxt_seen = moved->snd_nxt;
  conn->rcv_nxt_seen = moved->rcv_nxt;
}

SEC("iter/bpf_map_elem")
int mf_tcp_pass(struct bpf_iter__bpf_map_elem *ctx)
{
  u64 *key = ctx->key;
  struct mf_conn *conn = ctx->value;
  struct mf_moved moved;

  if (!key || !conn || !has_moved(&moved, *key, conn))
    return 0;
  if (has_bytes(&moved) && bpf_seq_write(ctx->meta->seq, &moved.record, sizeof(moved.record)))
    return 0; /* the buffer is full: the kernel shows us this one again */
  note_told(conn, &moved);
  return 0;
}

/* The same for the kernels that walk a table by a call, and for those that let nobody have an
 * iterator over one. What does not fit here is told by the next run of the same pass. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, MF_TCP_PASS_RECORDS);
  __type(key, u32);
  __type(value, struct mf_tcp_data);
} pass_records SEC(".maps");

__u32 pass_used = 0; /* of pass_records */

/* Hidden: see handle_state(). */
__hidden long tell_moved(void *table, const u64 *key, struct mf_conn *conn, void *context)
{
  struct mf_tcp_data *place;
  struct mf_moved moved;
  u32 index = pass_used;

  (void)table;
  (void)context;
  if (!has_moved(&moved, *key, conn))
    return 0;
  if (has_bytes(&moved)) {
    place = bpf_map_lookup_elem(&pass_records, &index);
    if (!place)
      return 1;
    *place = moved.record;
    pass_used = index + 1;
  }
  note_told(conn, &moved);
  return 0;
}

SEC("syscall")
int mf_tcp_pass_run(void)
{
  bpf_for_each_map_elem(&connections, tell_moved, NULL, 0);
  return 0;
}

#endif /* MASFLOW_TCP_ITER_BPF_H */
