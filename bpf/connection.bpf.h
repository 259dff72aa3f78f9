/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of connections: one entry for each socket that is followed, from the
 * moment it gets an owner (or lies in an accept queue) to its destruction.
 *
 * The key is the socket's address, which the kernel gives to the next socket at
 * once; what users get as identity is the entry's birth and a tag of the address.
 * Not an LRU table: that would drop live connections silently. Preallocated: in
 * tracing programs the others can deadlock before 6.1.
 */
#ifndef MASFLOW_CONNECTION_BPF_H
#define MASFLOW_CONNECTION_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "filter.bpf.h"
#include "ring.bpf.h"
#include "task.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6

/* Set before the load. */
const volatile __u64
    tag_secret = 1; /* odd: a tag must not tell where the kernel keeps its sockets */
const volatile bool filter_by_process = false; /* any of filter.bpf.h */
const volatile bool filter_by_port = false;
const volatile bool filter_by_local_port = false;
const volatile bool filter_by_remote_port = false;
const volatile bool filter_by_address = false;
const volatile bool filter_loopback = false; /* true: loopback does not pass */

/* What is known of a socket. */
enum mf_phase {
  MF_PHASE_NEW,           /* being filled in */
  MF_PHASE_CONNECTING,    /* SYN sent */
  MF_PHASE_GIVEN_UP,      /* CLOSE without an error: connect() may still return one */
  MF_PHASE_FAILED,        /* connect() has failed, and that was sent */
  MF_PHASE_QUEUED,        /* established, not accepted yet */
  MF_PHASE_QUEUED_CLOSED, /* and closed by the other end meanwhile */
  MF_PHASE_OPEN,
  MF_PHASE_CLOSED, /* its close was sent */
  MF_PHASE_LISTENING,
};

struct mf_conn {
  /* First what a pass over the table looks at: one cache line. */
  u64 ready_ns;     /* when the record that announces it had been sent; 0: not yet */
  u32 snd_nxt_seen; /* sequence numbers at the last pass */
  u32 rcv_nxt_seen;
  u8 phase;
  u8 state;      /* the newest that was handled, see mf_tcp_state_again */
  u8 first;      /* MF_FIRST_*: who closed */
  u8 in_call;    /* the connect() that began this attempt has not returned yet */
  u8 result_due; /* it returned before the outcome: the next connect() will tell that */
  u8 close_reason;
  u16 pad;
  u32 close_error;
  u32 copied_seq;               /* up to where received data was reported by call */
  u64 begin_ns;                 /* of the connect, then of the connection; 0: not seen */
  struct mf_tcp_base base;      /* as it goes into every record; header.flags, pid and tid too */
  struct mf_tcp_counters start; /* before we saw it; MF_PHASE_QUEUED_CLOSED: at its end */
  u64 tx_reported;              /* by records of data so far */
  u64 rx_reported;
  u64 reported_ns;
  struct mf_user user;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, u64);
  __type(value, struct mf_conn);
} connections SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} tcp_ring SEC(".maps");

struct mf_ring_state tcp_state = {};

/* Ports, by what they are compared with. */
#define MF_PORT_EITHER 0
#define MF_PORT_LOCAL 1
#define MF_PORT_REMOTE 2
#define MF_PORT_KEY(which, port) ((u32)(which) << 16 | (port))
MF_FILTER_MAP(filter_ports, u32, 3 * MF_FILTER_VALUES);

struct mf_prefix {
  u32 bits; /* of family and address together */
  u32 family;
  u8 address[MF_ADDRESS_LEN];
};

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, MF_FILTER_VALUES);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct mf_prefix);
  __type(value, u8);
} filter_addresses SEC(".maps");

static const struct mf_conn mf_empty_conn;

static __always_inline bool is_tcp(struct sock *sk)
{
  u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

  /* MPTCP's own sockets have another protocol; its subflows are TCP. */
  return (family == AF_INET || family == AF_INET6) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline struct mf_conn *find_connection(struct sock *sk)
{
  u64 key = (u64)sk;

  return bpf_map_lookup_elem(&connections, &key);
}

static __always_inline void forget_connection(struct sock *sk)
{
  u64 key = (u64)sk;

  bpf_map_delete_elem(&connections, &key);
}

static __always_inline bool is_mapped(const u8 *address)
{
  const u32 *words = (const u32 *)address;

  return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void set_ipv4(u8 *address, __be32 value)
{
  __builtin_memset(address, 0, MF_ADDRESS_LEN);
  __builtin_memcpy(address, &value, sizeof(value));
}

/*
 * Both ends, as the socket has them now. The local port is inet_sport: skc_num is
 * 0 already when a socket gets CLOSE. An IPv6 socket that talks IPv4 keeps the
 * addresses as IPv4 too, and up to 5.x there alone at SYN_SENT.
 */
static __always_inline void read_ends(struct mf_tcp *tcp, struct sock *sk)
{
  bool v6 = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6;

  if (v6) {
    BPF_CORE_READ_INTO(&tcp->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
    v6 = !is_mapped(tcp->remote);
  }
  if (v6) {
    BPF_CORE_READ_INTO(&tcp->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  } else {
    set_ipv4(tcp->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
    set_ipv4(tcp->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
  }
  tcp->family = v6 ? MF_FAMILY_IPV6 : MF_FAMILY_IPV4;
  tcp->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
  tcp->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

static __always_inline void identify(struct mf_tcp *tcp, struct sock *sk)
{
  u64 address = 0;

  /* Of a pointer that it knows (fexit) the verifier lets nobody calculate. */
  bpf_probe_read_kernel(&address, sizeof(address), &sk);
  tcp->birth_ns = bpf_ktime_get_ns();
  tcp->tag = address * tag_secret >> 32;
  tcp->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/*
 * A new entry, in phase NEW; an old one of this address is overwritten, unless
 * `keep`. NULL: there is one to be kept, or (counted if `count`) the table is full.
 */
static __always_inline struct mf_conn *add_connection(struct sock *sk, bool keep, bool count)
{
  u64 key = (u64)sk;
  struct mf_conn *conn;
  long error = bpf_map_update_elem(&connections, &key, (void *)&mf_empty_conn,
                                   keep ? BPF_NOEXIST : BPF_ANY);

  if (error) {
    if (count && error != -17 /* EEXIST */) {
      __sync_fetch_and_add(&tcp_state.produced, 1);
      count_lost(&tcp_state, MF_LOST_TABLE_FULL);
    }
    return NULL;
  }
  conn = bpf_map_lookup_elem(&connections, &key);
  if (!conn)
    return NULL;
  identify(&conn->base.tcp, sk);
  read_ends(&conn->base.tcp, sk);
  conn->copied_seq = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
  return conn;
}

static __always_inline void set_owner(struct mf_conn *conn, struct task_struct *task)
{
  fill_process(&conn->base.process, BPF_CORE_READ(task, group_leader));
  conn->base.header.pid = BPF_CORE_READ(task, tgid);
  conn->base.header.tid = BPF_CORE_READ(task, pid);
  conn->base.header.flags &= ~MF_TCP_NO_OWNER;
}

/* The current task uses the socket: is that somebody else than the owner? */
static __always_inline void note_user(struct mf_conn *conn)
{
  struct task_struct *leader = BPF_CORE_READ(current_task(), group_leader);
  u32 pid = BPF_CORE_READ(leader, tgid);
  u64 start_ns;

  if (is_kernel_thread(leader)) /* the last close of a file can be left to a worker */
    return;
  start_ns = BPF_CORE_READ(leader, start_boottime);
  if (pid == conn->base.header.pid && start_ns == conn->base.process.start_ns)
    return;
  conn->user.pid = pid;
  conn->user.start_ns = start_ns;
  bpf_probe_read_kernel(conn->user.comm, sizeof(conn->user.comm), &leader->comm);
}

static __always_inline bool port_listed(u16 which, u16 port)
{
  u32 key = MF_PORT_KEY(which, port);

  return bpf_map_lookup_elem(&filter_ports, &key);
}

static __always_inline bool is_loopback(u8 family, const u8 *address)
{
  const u32 *words = (const u32 *)address;

  if (family == MF_FAMILY_IPV4)
    return address[0] == 127;
  return words[0] == 0 && words[1] == 0 && words[2] == 0 && words[3] == bpf_htonl(1);
}

static __always_inline bool address_listed(u8 family, const u8 *address)
{
  struct mf_prefix key = {.bits = 32 + 128, .family = family};

  __builtin_memcpy(key.address, address, MF_ADDRESS_LEN);
  return bpf_map_lookup_elem(&filter_addresses, &key);
}

/* What can be said before a connecting socket has its own port. */
static __always_inline bool remote_passes(const struct mf_tcp *tcp)
{
  if (filter_by_remote_port && !port_listed(MF_PORT_REMOTE, tcp->remote_port))
    return false;
  if (filter_loopback &&
      (is_loopback(tcp->family, tcp->local) || is_loopback(tcp->family, tcp->remote)))
    return false;
  return true;
}

static __always_inline bool socket_passes(const struct mf_tcp *tcp)
{
  if (!remote_passes(tcp))
    return false;
  if (filter_by_port && !port_listed(MF_PORT_EITHER, tcp->local_port) &&
      !port_listed(MF_PORT_EITHER, tcp->remote_port))
    return false;
  if (filter_by_local_port && !port_listed(MF_PORT_LOCAL, tcp->local_port))
    return false;
  return !filter_by_address || address_listed(tcp->family, tcp->local) ||
         address_listed(tcp->family, tcp->remote);
}

static __always_inline bool task_passes(struct task_struct *task)
{
  return !filter_by_process ||
         passes_filter(BPF_CORE_READ(task, group_leader), BPF_CORE_READ(task, tgid));
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

  return BPF_CORE_READ(tp, bytes_sent) - BPF_CORE_READ(tp, bytes_retrans);
}

/* The other end's FIN, which sets SOCK_DONE, counts as a byte. */
static __always_inline u64 payload_received(struct sock *sk)
{
  u64 received = BPF_CORE_READ((struct tcp_sock *)sk, bytes_received);
  u64 done = 1ULL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);

  return received && (BPF_CORE_READ(sk, __sk_common.skc_flags) & done) ? received - 1 : received;
}

static __always_inline void read_counters(struct mf_tcp_counters *counters, struct sock *sk)
{
  struct tcp_sock *tp = (struct tcp_sock *)sk;

  counters->tx_bytes = payload_sent(sk);
  counters->rx_bytes = payload_received(sk);
  counters->segs_out = BPF_CORE_READ(tp, segs_out);
  counters->segs_in = BPF_CORE_READ(tp, segs_in);
  counters->retrans = BPF_CORE_READ(tp, total_retrans);
  counters->pad = 0;
}

#endif /* MASFLOW_CONNECTION_BPF_H */
