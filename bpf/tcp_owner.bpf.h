/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What needs the process: who accepted a connection, and connect() that fails before
 * a packet is sent. For each there are four mechanisms with one body. Included by
 * tcp.bpf.c only.
 */
#ifndef MASFLOW_TCP_OWNER_BPF_H
#define MASFLOW_TCP_OWNER_BPF_H

#include "syscall.bpf.h"

/* ---- accept ---- */

/* The accept itself was not seen: the first process that uses the socket. */
static __always_inline void infer_owner(struct mf_conn *conn)
{
  struct task_struct *task = current_task();

  if (is_kernel_thread(task))
    return;
  set_owner(conn, task);
  conn->base.header.flags |= MF_TCP_OWNER_INFERRED;
  conn->phase = MF_PHASE_OPEN;
  send_accept(conn);
}

/* One copy for all programs that end up here. Hidden and not static: the names of static functions
 * are stripped, and libbpf finds none then. */
__hidden __noinline int on_accept(struct sock *accepted)
{
  struct sock *sk = tcp_behind(accepted);
  struct task_struct *task = current_task();
  struct mf_conn *conn;
  struct mf_tcp_counters counters;
  u8 phase;

  if (!sk)
    return 0;
  conn = find_connection(sk);
  if (is_kernel_thread(task)) { /* the kernel's own server */
    if (conn)
      forget_connection(sk);
    return 0;
  }
  if (conn && conn->phase != MF_PHASE_QUEUED && conn->phase != MF_PHASE_QUEUED_CLOSED) {
    if (conn->base.tcp.remote_port == bpf_ntohs(READ(sk, __sk_common.skc_dport)))
      return 0; /* accepted already: it was used before we came here */
    end_unseen(conn);
    forget_connection(sk);
    conn = NULL;
  }
  if (!conn) {
    struct mf_tcp ends;

    __builtin_memset(&ends, 0, sizeof(ends));
    read_ends(&ends, sk);
    if (!task_passes(task) || !socket_passes(&ends))
      return 0;
    conn = add_connection(sk, true, true);
    if (!conn)
      return 0;
    conn->state = READ(sk, __sk_common.skc_state);
    conn->base.tcp.role = MF_ROLE_SERVER;
    conn->phase = MF_PHASE_QUEUED;
  }
  phase = conn->phase;
  set_owner(conn, task);
  if (phase == MF_PHASE_QUEUED)
    conn->phase = MF_PHASE_OPEN;
  send_accept(conn);
  if (phase == MF_PHASE_QUEUED_CLOSED) {
    counters = conn->start;
    send_close(conn, sk, &counters, true);
    conn->phase = MF_PHASE_CLOSED;
  }
  return 0;
}

/*
 * void security_sock_graft(struct sock *sk, struct socket *parent): as accept() succeeds. At its
 * entry: the exit of inet_csk_accept is not seen of those calls that were waiting in it already,
 * as servers are when the hook is attached, and a kretprobe loses most that wait.
 */
SEC("fentry/security_sock_graft")
int mf_accept_fe(u64 *ctx)
{
  on_accept((struct sock *)ctx[0]);
  return 0;
}

SEC("kprobe/security_sock_graft")
int mf_accept_kp(struct pt_regs *ctx)
{
  on_accept((struct sock *)FUNCTION_ARG1(ctx));
  return 0;
}

/*
 * The end of a system call, two ways. The tracepoint of one system call makes the others
 * pay only for the slow way out of the kernel; it needs tracefs, and Linux 5.15 for the
 * registers. (Its own context is not used: some distributions have changed its layout.)
 * sys_exit runs for every system call of the machine; with BTF, so that the number is
 * read without a helper.
 */
static __always_inline int accept_returned(long ret)
{
  if (ret >= 0 && !IS_COMPAT(current_task()))
    on_accept(tcp_socket_of(ret));
  return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int mf_accept_tp(void *ctx)
{
  (void)ctx;
  return accept_returned(SYSCALL_RESULT(user_registers()));
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int mf_accept4_tp(void *ctx)
{
  (void)ctx;
  return accept_returned(SYSCALL_RESULT(user_registers()));
}

/* TP_PROTO(struct pt_regs *regs, long ret) */
SEC("tp_btf/sys_exit")
int mf_accept_sx(u64 *ctx)
{
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  long nr = regs->SYSCALL_NR_FIELD;

  return nr == NR_ACCEPT || nr == NR_ACCEPT4 ? accept_returned(ctx[1]) : 0;
}

/* ---- connect() that returned an error ---- */

#define ERESTARTSYS 512
enum { EINTR = 4, EFAULT = 14, EISCONN = 106, EALREADY = 114, EINPROGRESS = 115 };

struct mf_sockaddr { /* sockaddr_in and sockaddr_in6 begin so */
  u16 family;
  __be16 port;
  u32 word; /* IPv4 address, or flow label */
  u8 address6[MF_ADDRESS_LEN];
};

static __always_inline bool parse_sockaddr(struct mf_tcp *tcp, const struct mf_sockaddr *to)
{
  if (to->family == AF_INET6 && !is_mapped(to->address6)) {
    tcp->family = MF_FAMILY_IPV6;
    __builtin_memcpy(tcp->remote, to->address6, MF_ADDRESS_LEN);
  } else if (to->family == AF_INET6) {
    tcp->family = MF_FAMILY_IPV4;
    set_ipv4(tcp->remote, ((const u32 *)to->address6)[3]);
  } else if (to->family == AF_INET) {
    tcp->family = MF_FAMILY_IPV4;
    set_ipv4(tcp->remote, to->word);
  } else {
    return false;
  }
  tcp->remote_port = bpf_ntohs(to->port);
  return true;
}

/* No SYN was sent, so the socket has no entry for this call: all is known from the call. */
static __always_inline void send_sync_failure(struct sock *sk, const struct mf_sockaddr *to,
                                              u32 error)
{
  struct task_struct *task = current_task();
  struct mf_tcp_connect *record;
  struct mf_tcp tcp;

  __builtin_memset(&tcp, 0, sizeof(tcp));
  read_ends(&tcp, sk); /* the local end, if it was bound */
  identify(&tcp, sk);
  tcp.role = MF_ROLE_CLIENT;
  if (!parse_sockaddr(&tcp, to))
    return;
  if (tcp.local_port == 0)
    __builtin_memset(tcp.local, 0, MF_ADDRESS_LEN);
  if (is_kernel_thread(task) || !task_passes(task) || !socket_passes(&tcp))
    return;
  record = reserve_record(&tcp_ring, &tcp_state, sizeof(*record));
  if (!record)
    return;
  fill_header(&record->base.header, MF_KIND_TCP_CONNECT, sizeof(*record), task);
  fill_process(&record->base.process, READ(task, group_leader));
  record->base.tcp = tcp;
  record->duration_ns = 0;
  record->outcome = MF_CONNECT_FAILED;
  record->error = error;
  submit_record(&tcp_ring, &tcp_state, record);
}

/* tcp_v4_connect or tcp_v6_connect has failed. */
static __always_inline void on_connect_error(struct sock *sk, struct sockaddr *address, u32 error)
{
  struct mf_conn *conn = find_connection(sk);
  struct mf_sockaddr to = {};

  if (conn && conn->phase == MF_PHASE_GIVEN_UP) {
    conn->begin_ns = 0; /* no SYN was sent */
    end_connect(conn, sk, MF_CONNECT_FAILED, error);
    return;
  }
  bpf_probe_read_kernel(&to, sizeof(to), address);
  send_sync_failure(sk, &to, error);
}

/* int tcp_v4_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len). For an IPv4-mapped
 * address tcp_v6_connect calls it, and reports then. */
SEC("fexit/tcp_v4_connect")
int mf_connect4_fx(u64 *ctx)
{
  struct sock *sk = (struct sock *)ctx[0];

  if ((int)ctx[3] < 0 && READ(sk, __sk_common.skc_family) == AF_INET)
    on_connect_error(sk, (struct sockaddr *)ctx[1], -(int)ctx[3]);
  return 0;
}

SEC("fexit/tcp_v6_connect")
int mf_connect6_fx(u64 *ctx)
{
  if ((int)ctx[3] < 0)
    on_connect_error((struct sock *)ctx[0], (struct sockaddr *)ctx[1], -(int)ctx[3]);
  return 0;
}

/* Arguments of the connects in progress, by thread. They do not sleep, so that a kretprobe is
 * safe, and as many threads can be amid one as there are CPUs. */
struct mf_connect_call {
  struct sock *sk;
  struct sockaddr *address;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, u32);
  __type(value, struct mf_connect_call);
} connect_calls SEC(".maps");

static __always_inline void enter_connect(struct pt_regs *ctx, u16 family)
{
  struct sock *sk = (struct sock *)FUNCTION_ARG1(ctx);
  struct mf_connect_call call = {.sk = sk, .address = (struct sockaddr *)FUNCTION_ARG2(ctx)};
  u32 tid = (u32)bpf_get_current_pid_tgid();

  if (READ(sk, __sk_common.skc_family) == family)
    bpf_map_update_elem(&connect_calls, &tid, &call, BPF_ANY);
}

static __always_inline void leave_connect(struct pt_regs *ctx, u16 family)
{
  u32 tid = (u32)bpf_get_current_pid_tgid();
  struct mf_connect_call *call = bpf_map_lookup_elem(&connect_calls, &tid);
  int ret = (int)FUNCTION_RESULT(ctx);
  struct sock *sk;

  if (!call)
    return;
  sk = call->sk;
  if (READ(sk, __sk_common.skc_family) != family) /* IPv6 called IPv4 */
    return;
  if (ret < 0)
    on_connect_error(sk, call->address, -ret);
  bpf_map_delete_elem(&connect_calls, &tid);
}

SEC("kprobe/tcp_v4_connect")
int mf_connect4_kp(struct pt_regs *ctx)
{
  enter_connect(ctx, AF_INET);
  return 0;
}

SEC("kretprobe/tcp_v4_connect")
int mf_connect4_krp(struct pt_regs *ctx)
{
  leave_connect(ctx, AF_INET);
  return 0;
}

SEC("kprobe/tcp_v6_connect")
int mf_connect6_kp(struct pt_regs *ctx)
{
  enter_connect(ctx, AF_INET6);
  return 0;
}

SEC("kretprobe/tcp_v6_connect")
int mf_connect6_krp(struct pt_regs *ctx)
{
  leave_connect(ctx, AF_INET6);
  return 0;
}

/* What connect() returns tells of an earlier call, or of the call and not of the network. */
static __always_inline bool is_new_failure(u32 error)
{
  switch (error) {
  case EINTR:
  case ERESTARTSYS:
  case EFAULT:
  case EISCONN:
  case EALREADY:
  case EINPROGRESS:
    return false;
  case ECONNREFUSED: /* these come from the network, so there was a SYN: */
  case ECONNRESET:   /* the entry did not fit into the table, which is counted */
  case ECONNABORTED:
  case ETIMEDOUT:
    return false;
  }
  return true;
}

static __always_inline void on_connect_returned(struct sock *sk, const struct mf_sockaddr *to,
                                                u32 error)
{
  struct mf_conn *conn = find_connection(sk);
  bool began = conn && conn->in_call;

  if (began) {
    conn->in_call = 0;
    if (error == EINPROGRESS || error == EINTR || error == ERESTARTSYS) {
      conn->result_due = 1;
    } else if (conn->phase == MF_PHASE_GIVEN_UP && is_new_failure(error)) {
      conn->begin_ns = 0; /* no SYN was sent */
      end_connect(conn, sk, MF_CONNECT_FAILED, error);
    }
    return;
  }
  if (conn && conn->result_due) {
    if (error != EALREADY && error != EINTR && error != ERESTARTSYS)
      conn->result_due = 0;
    return;
  }
  if (is_new_failure(error))
    send_sync_failure(sk, to, error);
}

static __always_inline int connect_returned(struct pt_regs *regs, long ret)
{
  struct mf_sockaddr to = {};
  struct sock *sk;

  if (ret >= 0 || IS_COMPAT(current_task()))
    return 0;
  sk = tcp_socket_of(SYSCALL_ARG1(regs));
  if (!sk)
    return 0;
  /* The kernel has just read it, so the page is resident; an IPv4 address is shorter. */
  if (bpf_probe_read_user(&to, sizeof(to), (void *)SYSCALL_ARG2(regs)))
    bpf_probe_read_user(&to, 16, (void *)SYSCALL_ARG2(regs));
  on_connect_returned(sk, &to, -ret);
  return 0;
}

/* As for accept. */
SEC("tracepoint/syscalls/sys_exit_connect")
int mf_connect_tp(void *ctx)
{
  struct pt_regs *regs = user_registers();

  (void)ctx;
  return connect_returned(regs, SYSCALL_RESULT(regs));
}

SEC("tp_btf/sys_exit")
int mf_connect_sx(u64 *ctx)
{
  struct pt_regs *regs = (struct pt_regs *)ctx[0];

  return regs->SYSCALL_NR_FIELD == NR_CONNECT ? connect_returned(regs, ctx[1]) : 0;
}

#endif /* MASFLOW_TCP_OWNER_BPF_H */
