/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records of the HTTP stream. Included by wire.h, whose rules hold here too.
 *
 * They tell of bytes, not of messages: what a connection that looks like HTTP/1.x moved in
 * each of its two ways, with the first bytes of each message. The library makes exchanges
 * of them (src/http). All records of one connection come in the order of its bytes.
 */
#ifndef MASFLOW_BPF_WIRE_HTTP_H
#define MASFLOW_BPF_WIRE_HTTP_H

/* The two ways of a connection, seen from this end. */
#define MF_WAY_SENT 0
#define MF_WAY_RECEIVED 1
#define MF_WAYS 2

#define MF_HTTP_CAPTURE_MAX 15360 /* bytes of one message that a record can hold */

/*
 * Who has the connection. Precedes the first other record of it; comes again when another
 * process goes on with it, and after it got lost. The process is the one that moved the bytes;
 * birth_ns and tag are those of the TCP stream where that follows the connection.
 */
struct mf_http_connection {
  struct mf_tcp_base base;
};
MF_SIZE(mf_http_connection, 136);

/* Which connection; follows mf_header in the records below. */
struct mf_http_id {
  __u64 birth_ns;
  __u32 tag;
  __u32 pad;
};
MF_SIZE(mf_http_id, 16);

/* mf_header.flags of MF_KIND_HTTP_DATA */
#define MF_HTTP_TURN 0x1  /* the way before this was the other one (or there was none) */
#define MF_HTTP_START 0x2 /* the bytes look like the begin of a message */

/*
 * One call that moved `length` bytes, the first of which are here. What is not here has
 * passed unread: the rest of this call, and whatever lies between the end of the former
 * record of this way and `offset`. (A record can also repeat bytes: where the hook is at
 * the begin of a call, one that is cut short is followed by another with the same offset.)
 * header.ktime_ns is when the call returned (hooks at its begin: when it began).
 * Trailing: the captured bytes.
 */
struct mf_http_data {
  struct mf_header header;
  struct mf_http_id id;
  __u64 offset;    /* of the first byte in its way, counted since the connection was first seen */
  __u64 cgroup_id; /* of the process at this call */
  __u32 length;
  __u16 captured;
  __u8 way;
  __u8 pad;
};
MF_SIZE(mf_http_data, 64);
MF_AT(mf_http_data, offset, 40);
MF_AT(mf_http_data, captured, 60);

/* How far one way has come. */
struct mf_http_way {
  __u64 end;      /* offset behind the last byte */
  __u64 last_ns;  /* when that passed; 0: none did */
  __u8 tail[8];   /* the last bytes that passed unread, the very last one in tail[7] */
  __u32 tail_len; /* how many of these are known */
  __u32 pad;
};
MF_SIZE(mf_http_way, 32);

/*
 * Bytes have passed unread since the last record: precedes the next record of the
 * connection, and comes by itself some 100 ms later where there is none.
 */
struct mf_http_progress {
  struct mf_header header; /* pid and tid: 0 */
  struct mf_http_id id;
  struct mf_http_way ways[MF_WAYS];
};
MF_SIZE(mf_http_progress, 104);

/* mf_http_end.reason */
#define MF_HTTP_END_SENT 0     /* this side will send no more (its FIN): it may still receive */
#define MF_HTTP_END_CLOSED 1   /* in order, or by the application of this side, however */
#define MF_HTTP_END_RESET 2    /* by a RST of the other side, or another error: see `error` */
#define MF_HTTP_END_UNSEEN 3   /* it had ended when the socket was looked at */
#define MF_HTTP_END_NOT_HTTP 4 /* the kernel side has decided that it is no HTTP */

/* No more in one way or both. After any reason but MF_HTTP_END_SENT nothing follows. */
struct mf_http_end {
  struct mf_header header; /* pid and tid: 0 */
  struct mf_http_id id;
  struct mf_http_way ways[MF_WAYS];
  __u32 reason;
  __u32 error; /* errno of the socket, positive; 0: none */
};
MF_SIZE(mf_http_end, 112);

#endif /* MASFLOW_BPF_WIRE_HTTP_H */
