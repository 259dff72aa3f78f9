/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The records of the TCP stream. Included by wire.h, whose rules hold here too. */
#ifndef MASFLOW_BPF_WIRE_TCP_H
#define MASFLOW_BPF_WIRE_TCP_H

#define MF_ADDRESS_LEN 16

/* mf_tcp.family */
#define MF_FAMILY_IPV4 4
#define MF_FAMILY_IPV6 6

/* mf_tcp.role */
#define MF_ROLE_UNKNOWN 0
#define MF_ROLE_CLIENT 1 /* opened the connection */
#define MF_ROLE_SERVER 2 /* accepted it, or is about to */

/*
 * A connection as seen from one of its two ends. birth_ns (CLOCK_MONOTONIC) with
 * tag, which stands for the socket's address, is its identity.
 */
struct mf_tcp {
  __u64 birth_ns;
  __u32 tag;
  __u32 netns;                /* inode number of the network namespace */
  __u8 local[MF_ADDRESS_LEN]; /* network byte order; IPv4 in the first four, zeros after them */
  __u8 remote[MF_ADDRESS_LEN];
  __u16 local_port; /* 0: none yet */
  __u16 remote_port;
  __u8 family; /* an IPv4-mapped IPv6 address is given as IPv4 */
  __u8 role;
  __u16 pad;
};
MF_SIZE(mf_tcp, 56);
MF_AT(mf_tcp, local, 16);
MF_AT(mf_tcp, local_port, 48);

/* mf_header.flags of all TCP records */
#define MF_TCP_NO_OWNER 0x1       /* no process has it yet: process, pid and tid are zeros */
#define MF_TCP_OWNER_INFERRED 0x2 /* the first process seen to use it, not seen to open it */
#define MF_TCP_ROLE_INFERRED 0x4  /* from the listening sockets that there were */
#define MF_TCP_PRE_EXISTING 0x8   /* was open before the stream; counts begin with the stream */

/* Every TCP record begins so. header.pid and process are the owner's; header.tid is the
 * thread that became owner. */
struct mf_tcp_base {
  struct mf_header header;
  struct mf_process process;
  struct mf_tcp tcp;
};
MF_SIZE(mf_tcp_base, 136);
MF_AT(mf_tcp_base, process, 24);
MF_AT(mf_tcp_base, tcp, 80);

/* Another process that was seen to use the socket. All zeros: none. */
struct mf_user {
  __u64 start_ns;
  __u32 pid;
  __u32 pad;
  char comm[MF_COMM_LEN];
};
MF_SIZE(mf_user, 32);

/* mf_tcp_connect.outcome */
#define MF_CONNECTED 0
#define MF_CONNECT_FAILED 1    /* error says why */
#define MF_CONNECT_ABANDONED 2 /* the application gave up */

struct mf_tcp_connect {
  struct mf_tcp_base base;
  __u64 duration_ns; /* since the first SYN was about to be sent; 0: not seen, or none was */
  __u32 outcome;
  __u32 error; /* errno, positive; 0 unless MF_CONNECT_FAILED */
};
MF_SIZE(mf_tcp_connect, 152);

struct mf_tcp_accept {
  struct mf_tcp_base base;
  __u64 queued_ns; /* from the end of the handshake to accept(); 0: not seen */
};
MF_SIZE(mf_tcp_accept, 144);

/* mf_tcp_data.reason */
#define MF_DATA_INTERVAL 0
#define MF_DATA_LAST 1 /* as the connection closed: the rest */
#define MF_DATA_CALL 2 /* one system call */

/* Bytes of payload. In MF_DATA_CALL the totals are not set. */
struct mf_tcp_data {
  struct mf_tcp_base base;
  __u64 tx_bytes;
  __u64 rx_bytes;
  __u64 tx_total; /* since the connection was first seen, these included */
  __u64 rx_total;
  __u64 since_ns; /* begin of the span; MF_DATA_CALL: 0 */
  struct mf_user user;
  __u32 reason;
  __u32 tid; /* MF_DATA_CALL: that called */
};
MF_SIZE(mf_tcp_data, 216);

/* Of them in one run of mf_tcp_pass_run. */
#define MF_TCP_PASS_RECORDS 4096

/* What the kernel counts of a connection. */
struct mf_tcp_counters {
  __u64 tx_bytes; /* payload, each byte once */
  __u64 rx_bytes;
  __u32 segs_out; /* all segments, pure acknowledgements and retransmissions included */
  __u32 segs_in;
  __u32 retrans; /* segments sent again */
  __u32 pad;
};
MF_SIZE(mf_tcp_counters, 32);

/* mf_tcp_close.reason */
#define MF_CLOSE_FIN 0          /* in order: each side that closed sent a FIN */
#define MF_CLOSE_REMOTE_RESET 1 /* the other side sent a RST */
#define MF_CLOSE_LOCAL_RESET 2  /* this side sent a RST: unread data, or linger 0 */
#define MF_CLOSE_TIMEOUT 3      /* the other side did not answer any more; error says how */
#define MF_CLOSE_ERROR 4        /* another error, e.g. ended by the administrator */
#define MF_CLOSE_UNSEEN 5 /* it had ended when the socket was looked at: counters as last known */

/* mf_tcp_close.first */
#define MF_FIRST_UNKNOWN 0
#define MF_FIRST_LOCAL 1
#define MF_FIRST_REMOTE 2

struct mf_tcp_close {
  struct mf_tcp_base base;
  struct mf_tcp_counters counters;
  __u64 duration_ns; /* since it was established; 0: not seen */
  __u32 srtt_us;     /* smoothed round trip time; 0: never measured */
  __u32 min_rtt_us;  /* 0: never measured */
  __u32 error;       /* errno, positive, 0: none */
  __u8 reason;
  __u8 first;    /* who ended it */
  __u8 accepted; /* 0: it was never taken out of the accept queue */
  __u8 pad;
  struct mf_user user;
};
MF_SIZE(mf_tcp_close, 224);

/* Found open as the stream began. */
struct mf_tcp_open {
  struct mf_tcp_base base;
  __u32 state; /* as in the kernel: 1 established, … */
  __u32 pad;
};
MF_SIZE(mf_tcp_open, 144);

/* A listening socket; of mf_tcp the remote end is zero and the role is server. */
struct mf_tcp_listen {
  struct mf_tcp_base base;
  __u32 backlog; /* connections that may wait for accept() */
  __u32 pad;
};
MF_SIZE(mf_tcp_listen, 144);

#endif /* MASFLOW_BPF_WIRE_TCP_H */
