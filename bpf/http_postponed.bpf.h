/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends that are looked at once more as they end. A hook at the begin of a call comes before the
 * kernel has touched the bytes, and no program of BPF brings in a page: constants of a program that
 * were not used yet, or a file that was just mapped, cannot be read there. As soon as the socket has
 * taken the bytes they can. And of a send for which there is no room it is not known whether it waits
 * or is refused (EAGAIN), which moves nothing. Included by http.bpf.c only.
 */
#ifndef MASFLOW_HTTP_POSTPONED_BPF_H
#define MASFLOW_HTTP_POSTPONED_BPF_H

struct mf_http_postponed {
  struct mf_payload payload; /* from `seq` on */
  u32 seq;
  u32 tid;
};

/* By socket: who sends holds it. LRU, so that an entry whose end was missed does not stay; there
 * are as many as threads that are in such a call at this moment. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, u64);
  __type(value, struct mf_http_postponed);
} http_postponed SEC(".maps");

static __always_inline void note_look(struct mf_http_scratch *scratch,
                                      const struct mf_http_conn *conn)
{
  const struct mf_http_flow *flow = &conn->ways[MF_WAY_SENT];
  struct mf_http_look *before = &scratch->before;

  before->prefix = flow->prefix;
  before->budget = flow->budget;
  before->prefix_len = flow->prefix_len;
  before->state = conn->state;
  before->doubt = conn->doubt;
  before->last_way = conn->last_way;
  before->request_way = conn->request_way;
}

/* As if it had not been looked at. */
static __always_inline void forget_look(const struct mf_http_scratch *scratch,
                                        struct mf_http_conn *conn)
{
  const struct mf_http_look *before = &scratch->before;
  struct mf_http_flow *flow = &conn->ways[MF_WAY_SENT];

  flow->prefix = before->prefix;
  flow->budget = before->budget;
  flow->prefix_len = before->prefix_len;
  conn->state = before->state;
  conn->doubt = before->doubt;
  conn->last_way = before->last_way;
  conn->request_way = before->request_way;
}

/* As sk_stream_memory_free() has it. (Not TCP_NOTSENT_LOWAT.) */
static __always_inline bool is_full(struct sock *sk)
{
  return READ(sk, sk_wmem_queued) >= READ(sk, sk_sndbuf);
}

/* False: there is no room, so that it has to do as it is. */
static __always_inline bool postpone(struct mf_http_conn *conn, struct sock *sk,
                                     const struct mf_http_scratch *scratch)
{
  struct mf_http_postponed send = {.seq = scratch->call.end_seq, .tid = scratch->call.tid};
  u64 key = (u64)sk;

  send.payload = scratch->call.payload;
  if (bpf_map_update_elem(&http_postponed, &key, &send, BPF_ANY))
    return false;
  forget_look(scratch, conn);
  conn->postponed = 1;
  return true;
}

/* It has ended, or will not be looked at any more. */
static __always_inline void end_postponed(struct mf_http_conn *conn, struct sock *sk)
{
  u64 key = (u64)sk;

  conn->postponed = 0;
  bpf_map_delete_elem(&http_postponed, &key);
}

#endif /* MASFLOW_HTTP_POSTPONED_BPF_H */
