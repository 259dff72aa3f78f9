/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the bytes of a call lie in the memory of the process, and how they get into a
 * record: at most 64 pieces, and no more than asked for.
 */
#ifndef MASFLOW_HTTP_PAYLOAD_BPF_H
#define MASFLOW_HTTP_PAYLOAD_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "socket.bpf.h"
#include "syscall.bpf.h"
#include "task.bpf.h"

#define MF_HEAD_PREFIX 8 /* so many bytes tell what begins */
#define MF_PIECES_MAX 64
#define MF_PIECES_AT_ONCE 4 /* read from user space */

/* As user space has them: the ABI of readv() and recvmsg(). */
struct mf_iovec {
  u64 base;
  u64 size;
};

struct mf_msghdr {
  u64 name;
  u64 name_len;
  u64 iov;
  u64 iov_len;
};

struct mf_payload {
  u64 base; /* of a single buffer; 0: see iov */
  u64 iov;  /* array of mf_iovec */
  u64 skip; /* bytes of the first piece that are not meant */
  u32 pieces;
  bool iov_in_kernel; /* the array: what it points to never is */
  bool readable;
  bool is_lost; /* it is there, but not to be found by this hook */
};

/* One call that moved bytes of a connection. */
struct mf_call {
  u64 now_ns;
  u64 cgroup_id; /* of the current task, as the two below */
  u32 pid;
  u32 tid;
  u32 bytes;
  u32 ports;
  u32 end_seq;  /* TCP sequence number behind the bytes */
  u16 flags;    /* for the record */
  bool begins;  /* the hook is at the begin of the call: `bytes` are what it wants to move */
  bool turned;  /* the way before was the other one */
  bool faulted; /* the bytes could not be read, though they are there */
  bool cut;     /* nor could all that was to be read of them */
  u8 pad[6];
  struct mf_payload payload;
};

/* What looking at a send changes, as it was before. */
struct mf_http_look {
  u64 prefix;
  u32 budget;
  u8 prefix_len;
  u8 state;
  u8 doubt;
  u8 last_way;
  u8 request_way;
  u8 pad[7];
};

/*
 * What a record is put together in, and what is known of the call: on the stack each of its
 * values would be another path for the verifier to follow. One for each way, so for each of
 * the two programs that run at a time: programs are preemptible from 7.0.
 */
struct mf_http_scratch {
  struct mf_call call;
  struct mf_http_look before;
  struct mf_http_data record;
  /* Twice what is needed, so that a masked offset and a masked length stay within. */
  u8 data[31744];
  /* Where the loops over the pieces are: in registers it multiplies the verifier's work. */
  u64 iov;
  u64 skip;
  u32 pieces;
  u32 used;
  u32 wanted;
  u32 iov_in_kernel;
  struct mf_iovec some[MF_PIECES_AT_ONCE];
  struct mf_iovec last;
  u32 users; /* see claim() */
  u32 pad;
};

#define MF_HTTP_SCRATCH(map_name)            \
  struct {                                   \
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); \
    __uint(max_entries, 1);                  \
    __type(key, u32);                        \
    __type(value, struct mf_http_scratch);   \
  } map_name SEC(".maps")

MF_HTTP_SCRATCH(send_scratch);
MF_HTTP_SCRATCH(recv_scratch);

static __always_inline struct mf_http_scratch *scratch_of(u32 way)
{
  u32 zero = 0;

  return way == MF_WAY_SENT ? bpf_map_lookup_elem(&send_scratch, &zero)
                            : bpf_map_lookup_elem(&recv_scratch, &zero);
}

/*
 * Where two programs send, at the begin of a call and at its end, they have one between them. Those of
 * fentry and fexit can be preempted on any kernel that preempts: then the other one must not write
 * into it, or bytes of one process would be told of another. Not by the result of the atomic, which
 * 5.10 does not give. Whatever it says, release() has to follow.
 */
static __always_inline bool claim(struct mf_http_scratch *scratch)
{
  volatile u32 *users = &scratch->users;

  __sync_fetch_and_add(&scratch->users, 1);
  return *users == 1;
}

static __always_inline void release(struct mf_http_scratch *scratch)
{
  __sync_fetch_and_add(&scratch->users, -1);
}

/*
 * The arguments of the system call that we are in: its registers are still there, and the
 * kernel has just touched the memory. A task of io_uring can do other work inside of any
 * call, so there the descriptor must be that of the socket.
 */
static __always_inline void find_call_payload(struct mf_payload *payload, struct task_struct *task,
                                              struct sock *sk, u8 way)
{
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  bool sent = way == MF_WAY_SENT;
  long nr = regs->SYSCALL_NR_FIELD;
  u64 argument = regs->SYSCALL_ARG2_FIELD;
  struct mf_msghdr header;

  __builtin_memset(payload, 0, sizeof(*payload));
  if (IS_COMPAT_FIELD(task) ||
      (READ(task, io_uring) && tcp_socket_of(regs->SYSCALL_ARG1_FIELD) != sk)) {
    payload->is_lost = true;
  } else if (nr == (sent ? NR_WRITE : NR_READ) || nr == (sent ? NR_SENDTO : NR_RECVFROM)) {
    payload->base = argument;
    payload->readable = true;
  } else if (nr == (sent ? NR_WRITEV : NR_READV)) {
    payload->iov = argument;
    payload->pieces = regs->SYSCALL_ARG3_FIELD;
    payload->readable = true;
  } else if (nr == (sent ? NR_SENDMSG : NR_RECVMSG)) {
    if (bpf_probe_read_user(&header, sizeof(header), (void *)argument)) {
      payload->is_lost = true;
      return;
    }
    payload->iov = header.iov;
    payload->pieces = header.iov_len;
    payload->readable = true;
  } else if (nr == NR_IO_URING_ENTER || nr == (sent ? NR_SENDMMSG : NR_RECVMMSG)) {
    payload->is_lost = true;
  } /* else sendfile, splice and the like: a body, rarely a head */
}

static __always_inline long read_pieces(struct mf_iovec *pieces, u64 size, u64 iov, bool in_kernel)
{
  return in_kernel ? bpf_probe_read_kernel(pieces, size, (void *)iov)
                   : bpf_probe_read_user(pieces, size, (void *)iov);
}

/* A mask of so many bytes of a number, the first ones in memory. */
static __always_inline u64 first_bytes(u32 count)
{
  return count >= 8 ? ~0ULL : (1ULL << count * 8) - 1;
}

/* The same bounds for the verifier, right where they count: 5.10 and 6.1 forget those of a
 * register that is spilled. */
#define BOUND_TO_MASK(value, mask) asm volatile("%0 &= %1" : "+r"(value) : "i"(mask))

static __always_inline bool copy_piece(struct mf_http_scratch *scratch, u64 base, u64 size)
{
  u64 at = scratch->used;
  u64 left = scratch->wanted - scratch->used;

  if (size > left)
    size = left;
  BOUND_TO_MASK(at, 16383);
  BOUND_TO_MASK(size, 16383);
  if (size > MF_HTTP_CAPTURE_MAX)
    return false;
  if (bpf_probe_read_user(scratch->data + at, size, (void *)base))
    return false;
  scratch->used += size;
  return true;
}

/* The piece of this number, each once and in order. NULL: there is none, or it cannot be read. */
static __always_inline struct mf_iovec *next_piece(struct mf_http_scratch *scratch, u32 index)
{
  u64 size = scratch->pieces - index;

  if (index >= scratch->pieces)
    return NULL;
  if (index % MF_PIECES_AT_ONCE == 0) {
    if (size > MF_PIECES_AT_ONCE)
      size = MF_PIECES_AT_ONCE;
    size *= sizeof(struct mf_iovec);
    BOUND_TO_MASK(size, 127);
    if (size > sizeof(scratch->some) ||
        read_pieces(scratch->some, size, scratch->iov, scratch->iov_in_kernel))
      return NULL;
    scratch->iov += size;
  }
  return &scratch->some[index % MF_PIECES_AT_ONCE];
}

/* The next piece without what is to be skipped of it, which may be all. False: see next_piece(). */
static __always_inline bool next_part(struct mf_http_scratch *scratch, u32 index,
                                      struct mf_iovec *part)
{
  struct mf_iovec *piece = next_piece(scratch, index);
  u64 skip = scratch->skip;

  if (!piece)
    return false;
  if (skip > piece->size)
    skip = piece->size;
  scratch->skip -= skip;
  part->base = piece->base + skip;
  part->size = piece->size - skip;
  return true;
}

/*
 * A loop over pieces has its body in a function that is not static: the verifier looks at such a one
 * once, whoever calls it and how often, and not once for each turn. (As bounded loops the two took
 * 28,000 instructions, inlined 450,000.) They find what they work on in the scratch memory, for 5.10 lets
 * pass no pointer. Nonzero: the loop ends.
 */
__noinline int mf_http_copy_1(u32 way, u32 turn)
{
  struct mf_http_scratch *scratch = scratch_of(way);
  struct mf_iovec part;

  if (!scratch || scratch->used >= scratch->wanted || !next_part(scratch, turn, &part))
    return 1;
  return !copy_piece(scratch, part.base, part.size);
}

__noinline int mf_http_copy(u32 way)
{
  struct mf_http_scratch *scratch = scratch_of(way);

  for (u32 turn = 0; turn < MF_PIECES_MAX; ++turn) {
    if (mf_http_copy_1(way, turn))
      break;
  }
  return scratch ? scratch->used : 0;
}

__noinline int mf_http_last_1(u32 way, u32 turn)
{
  struct mf_http_scratch *scratch = scratch_of(way);
  struct mf_iovec part;
  u64 left;

  if (!scratch || !next_part(scratch, turn, &part))
    return 1;
  left = scratch->wanted - scratch->used;
  if (part.size >= left) {
    scratch->last.base = part.base;
    scratch->last.size = left;
    return 1;
  }
  scratch->used += part.size;
  return 0;
}

/* Where the last of the wanted bytes lies: scratch->last is its piece, up to that byte. */
__noinline int mf_http_last(u32 way)
{
  struct mf_http_scratch *scratch = scratch_of(way);

  if (!scratch)
    return 0;
  scratch->last.size = 0;
  for (u32 turn = 0; turn < MF_PIECES_MAX; ++turn) {
    if (mf_http_last_1(way, turn))
      break;
  }
  return scratch->last.size > 0;
}

static __always_inline void begin_pieces(struct mf_http_scratch *scratch, u32 wanted)
{
  const struct mf_payload *payload = &scratch->call.payload;

  scratch->iov = payload->iov;
  scratch->skip = payload->skip;
  scratch->pieces = payload->pieces;
  scratch->iov_in_kernel = payload->iov_in_kernel;
  scratch->used = 0;
  scratch->wanted = wanted;
}

/* Up to `wanted` bytes; how many could be read. */
static __always_inline u32 copy_payload(struct mf_http_scratch *scratch, u32 way, u32 wanted)
{
  begin_pieces(scratch, wanted);
  if (scratch->call.payload.base)
    copy_piece(scratch, scratch->call.payload.base, wanted);
  else
    mf_http_copy(way);
  if (scratch->used < wanted)
    scratch->call.cut = true;
  return scratch->used;
}

/* The bytes that the call begins with, at most eight; how many could be read. */
static __always_inline u32 read_prefix(u64 *prefix, struct mf_http_scratch *scratch, u32 way)
{
  u64 size = scratch->call.bytes;

  *prefix = 0;
  if (size > MF_HEAD_PREFIX)
    size = MF_HEAD_PREFIX;
  if (!scratch->call.payload.base) {
    size = copy_payload(scratch, way, size);
    if (size)
      __builtin_memcpy(prefix, scratch->data, sizeof(*prefix));
    *prefix &= first_bytes(size);
    return size;
  }
  BOUND_TO_MASK(size, 15);
  if (size > MF_HEAD_PREFIX)
    return 0;
  if (!bpf_probe_read_user(prefix, size, (void *)scratch->call.payload.base))
    return size;
  scratch->call.cut = true;
  return 0;
}

/* The last bytes of the call, for those who look for the end of a chunked body. */
static __always_inline u32 read_tail(u64 *tail, struct mf_http_scratch *scratch, u32 way, u32 bytes)
{
  u64 base = scratch->call.payload.base, size = bytes;
  u64 number = 0;

  if (!scratch->call.payload.readable)
    return 0;
  if (!base) {
    begin_pieces(scratch, bytes);
    if (!mf_http_last(way))
      return 0;
    base = scratch->last.base;
    size = scratch->last.size;
  }
  if (size >= sizeof(number)) {
    if (bpf_probe_read_user(&number, sizeof(number), (void *)(base + size - sizeof(number)))) {
      scratch->call.cut = true;
      return 0;
    }
    *tail = bpf_be64_to_cpu(number);
    return sizeof(number);
  }
  BOUND_TO_MASK(size, 7);
  if (!size)
    return 0;
  if (bpf_probe_read_user(&number, size, (void *)base)) {
    scratch->call.cut = true;
    return 0;
  }
  *tail = *tail << size * 8 | bpf_be64_to_cpu(number) >> (64 - size * 8);
  return size;
}

#endif /* MASFLOW_HTTP_PAYLOAD_BPF_H */
