/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a TCP socket is and who its ends are, and the filter on that. Shared by the streams
 * about connections. */
#ifndef MASFLOW_SOCKET_BPF_H
#define MASFLOW_SOCKET_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "filter.bpf.h"
#include "read.bpf.h"
#include "task.bpf.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define SOCK_STREAM 1

/* States of a TCP socket, from include/net/tcp_states.h; part of the kernel's ABI. */
enum {
  TCP_ESTABLISHED = 1,
  TCP_SYN_SENT = 2,
  TCP_SYN_RECV = 3,
  TCP_FIN_WAIT1 = 4,
  TCP_FIN_WAIT2 = 5,
  TCP_CLOSE = 7,
  TCP_CLOSE_WAIT = 8,
  TCP_LAST_ACK = 9,
  TCP_LISTEN = 10,
  TCP_CLOSING = 11,
};

/* Set before the load. */
const volatile __u64
    tag_secret = 1; /* odd: a tag must not tell where the kernel keeps its sockets */
const volatile bool filter_by_process = false; /* any of filter.bpf.h */
const volatile bool filter_by_port = false;
const volatile bool filter_by_local_port = false;
const volatile bool filter_by_remote_port = false;
const volatile bool filter_by_address = false;
const volatile bool filter_loopback = false; /* true: loopback does not pass */

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

static __always_inline bool has_tcp_protocol(struct sock *sk)
{
  u16 family = READ(sk, __sk_common.skc_family);

  return (family == AF_INET || family == AF_INET6) && READ(sk, sk_protocol) == IPPROTO_TCP;
}

/* Raw sockets can have that protocol, but behind them lies no tcp_sock. */
static __always_inline bool is_tcp(struct sock *sk)
{
  return has_tcp_protocol(sk) && READ(sk, sk_type) == SOCK_STREAM;
}

/*
 * The TCP socket behind one that a program holds, or NULL. That of Multipath TCP has another
 * protocol (5.6), and its first subflow is the TCP that connects, listens or is accepted. Some
 * servers listen with it by default, and get plain TCP of clients that do not know it.
 */
static __always_inline struct sock *tcp_behind(struct sock *sk)
{
  if (sk && bpf_core_type_exists(struct mptcp_sock) && READ(sk, sk_protocol) == IPPROTO_MPTCP)
    sk = READ((struct mptcp_sock *)sk, first);
  return sk && is_tcp(sk) ? sk : NULL;
}

/* Of a socket that the verifier knows, by plain loads. NULL: it is of another kind, as a raw one
 * with the protocol TCP is. Only for hooks of 6.3 and later. */
static __always_inline struct tcp_sock *known_tcp_sock(struct sock *sk)
{
#ifdef MF_CASTS
  u16 family = sk->__sk_common.skc_family;

  if ((family != AF_INET && family != AF_INET6) || sk->sk_protocol != IPPROTO_TCP ||
      sk->sk_type != SOCK_STREAM)
    return NULL;
  return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct tcp_sock));
#else
  (void)sk;
  return NULL;
#endif
}

/* What write_seq grows by meanwhile are bytes. Later a FIN counts in it too. */
static __always_inline bool can_send(struct sock *sk)
{
  u8 state = READ(sk, __sk_common.skc_state);

  return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT;
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
  bool v6 = READ(sk, __sk_common.skc_family) == AF_INET6;

  if (v6) {
    BPF_CORE_READ_INTO(&tcp->remote, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
    v6 = !is_mapped(tcp->remote);
  }
  if (v6) {
    BPF_CORE_READ_INTO(&tcp->local, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
  } else {
    set_ipv4(tcp->remote, READ(sk, __sk_common.skc_daddr));
    set_ipv4(tcp->local, READ(sk, __sk_common.skc_rcv_saddr));
  }
  tcp->family = v6 ? MF_FAMILY_IPV6 : MF_FAMILY_IPV4;
  tcp->local_port = bpf_ntohs(READ((struct inet_sock *)sk, inet_sport));
  tcp->remote_port = bpf_ntohs(READ(sk, __sk_common.skc_dport));
}

static __always_inline void identify(struct mf_tcp *tcp, struct sock *sk)
{
  u64 address = 0;

  /* Of a pointer that it knows (fexit) the verifier lets nobody calculate. */
  bpf_probe_read_kernel(&address, sizeof(address), &sk);
  tcp->birth_ns = bpf_ktime_get_ns();
  tcp->tag = address * tag_secret >> 32;
  tcp->netns = READ(sk, __sk_common.skc_net.net, ns.inum);
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
  return !filter_by_process || passes_filter(READ(task, group_leader), READ(task, tgid));
}

#define SOCKFS_MAGIC 0x534F434B

/* The TCP socket behind an open file, or NULL. */
static __always_inline struct sock *tcp_socket_of_file(struct file *file)
{
  struct socket *socket;

  if (!file || READ(file, f_inode, i_sb, s_magic) != SOCKFS_MAGIC)
    return NULL;
  socket = READ(file, private_data);
  return tcp_behind(READ(socket, sk));
}

/* The same of a descriptor of the current task. */
static __always_inline struct sock *tcp_socket_of(u32 fd)
{
  struct fdtable *table = READ(current_task(), files, fdt);
  struct file **slots;
  struct file *file = NULL;

  if (fd >= READ(table, max_fds))
    return NULL;
  slots = READ(table, fd);
  bpf_probe_read_kernel(&file, sizeof(file), slots + fd);
  return tcp_socket_of_file(file);
}

#endif /* MASFLOW_SOCKET_BPF_H */
