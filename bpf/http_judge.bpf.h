/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whether bytes begin an HTTP/1.x message, by the first eight of them. */
#ifndef MASFLOW_HTTP_JUDGE_BPF_H
#define MASFLOW_HTTP_JUDGE_BPF_H

#include "masflow_bpf/vmlinux.h"

#include "http_table.bpf.h"

enum mf_verdict {
  MF_BEGINS_NOTHING,
  MF_BEGINS_PERHAPS, /* too few bytes to tell */
  MF_BEGINS_REQUEST,
  MF_BEGINS_RESPONSE,
};

/* Text as a little-endian number, as both architectures load it. */
#define TEXT4(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)

static __always_inline bool begins_response(const u8 *prefix, u32 size)
{
  const u8 text[7] = {'H', 'T', 'T', 'P', '/', '1', '.'};

  for (u32 i = 0; i < sizeof(text); ++i)
    if (i < size && prefix[i] != text[i])
      return false;
  return true;
}

/* One of the methods in wide use and a space, or as much of it as four bytes show. */
static __always_inline bool begins_known_request(const u8 *prefix)
{
  u32 word;

  __builtin_memcpy(&word, prefix, sizeof(word));
  switch (word) {
  case TEXT4('G', 'E', 'T', ' '):
  case TEXT4('P', 'U', 'T', ' '):
  case TEXT4('P', 'O', 'S', 'T'):
  case TEXT4('H', 'E', 'A', 'D'):
  case TEXT4('D', 'E', 'L', 'E'):
  case TEXT4('P', 'A', 'T', 'C'):
  case TEXT4('O', 'P', 'T', 'I'):
  case TEXT4('C', 'O', 'N', 'N'):
  case TEXT4('T', 'R', 'A', 'C'):
    return true;
  }
  return false;
}

/* Any method: a word of capital letters, as far as it goes. (Lower case is legal and unused;
 * it would let every protocol of plain words pass.) */
static __always_inline bool begins_some_request(const u8 *prefix, u32 size)
{
  for (u32 i = 0; i < MF_HEAD_PREFIX; ++i) {
    if (i >= size)
      return true;
    if (prefix[i] == ' ')
      return i != 0;
    if ((prefix[i] < 'A' || prefix[i] > 'Z') && prefix[i] != '-' && prefix[i] != '_')
      return false;
  }
  return true;
}

static __always_inline enum mf_verdict judge_prefix(const u8 *prefix, u32 size)
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
