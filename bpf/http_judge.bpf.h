/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether bytes begin an HTTP/1.x message, by the first eight of them. */
#ifndef MASFLOW_HTTP_JUDGE_BPF_H
#define MASFLOW_HTTP_JUDGE_BPF_H

#include "masflow_bpf/vmlinux.h"

#include "http_payload.bpf.h"
#include "http_table.bpf.h"

enum mf_verdict {
  MF_BEGINS_NOTHING,
  MF_BEGINS_PERHAPS, /* too few bytes to tell */
  MF_BEGINS_REQUEST,
  MF_BEGINS_RESPONSE,
};

/*
 * The bytes are looked at all together, as one number whose lowest byte is the first one (as both
 * architectures load it): a loop with a branch for each byte multiplies the verifier's paths,
 * to half a million instructions here.
 */
#define TEXT4(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
#define EACH_BYTE 0x0101010101010101ULL
#define HIGH_BITS (EACH_BYTE * 0x80)

static __always_inline bool begins_response(u64 prefix, u32 size)
{
  u64 text = TEXT4('H', 'T', 'T', 'P') | (u64)TEXT4('/', '1', '.', 0) << 32;

  return !((prefix ^ text) & first_bytes(size < 7 ? size : 7));
}

/* One of the methods in wide use and a space, or as much of it as four bytes show. */
static __always_inline bool begins_known_request(u64 prefix)
{
  u32 word = prefix;

  return (word == TEXT4('G', 'E', 'T', ' ')) | (word == TEXT4('P', 'U', 'T', ' ')) |
         (word == TEXT4('P', 'O', 'S', 'T')) | (word == TEXT4('H', 'E', 'A', 'D')) |
         (word == TEXT4('D', 'E', 'L', 'E')) | (word == TEXT4('P', 'A', 'T', 'C')) |
         (word == TEXT4('O', 'P', 'T', 'I')) | (word == TEXT4('C', 'O', 'N', 'N')) |
         (word == TEXT4('T', 'R', 'A', 'C'));
}

/* The high bit of each byte that is this character. (A byte above a match can be wrong, which
 * matters only behind the first one.) */
static __always_inline u64 bytes_equal(u64 bytes, u8 character)
{
  u64 difference = bytes ^ EACH_BYTE * character;

  return (difference - EACH_BYTE) & ~difference & HIGH_BITS;
}

/* The high bit of each byte that is a capital letter. */
static __always_inline u64 bytes_capital(u64 bytes)
{
  u64 low = bytes & ~HIGH_BITS; /* so that nothing is carried over */

  return (low + EACH_BYTE * (0x80 - 'A')) & ~(low + EACH_BYTE * (0x80 - 'Z' - 1)) & ~bytes &
         HIGH_BITS;
}

/* Any method: a word of capital letters, as far as it goes. (Lower case is legal and unused;
 * it would let every protocol of plain words pass.) */
static __always_inline bool begins_some_request(u64 prefix, u32 size)
{
  u64 space = bytes_equal(prefix, ' ') & first_bytes(size);
  u64 word = ((space & -space) - 1) & first_bytes(size); /* before the first space */
  u64 good = bytes_capital(prefix) | bytes_equal(prefix, '-') | bytes_equal(prefix, '_');

  return (prefix & 0xff) != ' ' && !(~good & word & HIGH_BITS);
}

static __always_inline enum mf_verdict judge_prefix(u64 prefix, u32 size)
{
  if (size == 0)
    return MF_BEGINS_NOTHING;
  if (size >= 4 && begins_known_request(prefix))
    return MF_BEGINS_REQUEST;
  if (begins_response(prefix, size))
    return size >= 7 ? MF_BEGINS_RESPONSE : MF_BEGINS_PERHAPS;
  if (!begins_some_request(prefix, size))
    return MF_BEGINS_NOTHING;
  return size >= MF_HEAD_PREFIX ? MF_BEGINS_REQUEST : MF_BEGINS_PERHAPS;
}

#define MF_DOUBT_OFF 4     /* unsure of it: no HTTP, for good */
#define MF_DOUBT_DORMANT 9 /* it was HTTP: from here on only what begins like a message counts */

/*
 * What a message's first bytes say of its connection. A connection that never showed a
 * response is given up after two messages that begin like none, or four that might be
 * requests; one that did never is, for after a tunnel's or an upload's end there can be
 * messages again.
 */
static __always_inline void note_verdict(struct mf_http_conn *conn, u8 way, bool turned,
                                         enum mf_verdict verdict)
{
  if (verdict == MF_BEGINS_RESPONSE) {
    conn->state = MF_HTTP_YES;
    conn->request_way = 1 - way;
    conn->doubt = 0;
  } else if (verdict == MF_BEGINS_REQUEST) {
    if (conn->state == MF_HTTP_YES)
      conn->doubt = 0;
    else if (turned)
      ++conn->doubt;
    if (conn->request_way == MF_WAY_NONE)
      conn->request_way = way;
  } else if (verdict == MF_BEGINS_NOTHING) {
    if (conn->state == MF_HTTP_UNSURE)
      conn->doubt += 2;
    else if (conn->doubt < MF_DOUBT_DORMANT && turned)
      ++conn->doubt;
  }
}

#endif /* MASFLOW_HTTP_JUDGE_BPF_H */
