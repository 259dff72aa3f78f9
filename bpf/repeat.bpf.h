/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loops with pointers in hand. The verifier goes through each turn of a bounded loop; of bpf_loop()
 * (Linux 5.17) it looks at the body once. The objects for kernels before 6.2 (see read.bpf.h) have
 * the bounded loop. Without pointers there is a better way for all kernels: see mf_http_copy_1.
 */
#ifndef MASFLOW_REPEAT_BPF_H
#define MASFLOW_REPEAT_BPF_H

#include "masflow_bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

/*
 * MF_BODY long name(u64 turn, void *context): nonzero ends the loop. `context` has to lie on the
 * stack. (Hidden and not static: the names of static functions are stripped, and libbpf finds none
 * then.)
 */
#ifdef MF_CASTS

#define MF_BODY __hidden
#define REPEAT(most, body, context) bpf_loop((most), (body), (context), 0)

#else

#define MF_BODY static __always_inline
#define REPEAT(most, body, context)                \
  do {                                             \
    for (u32 turn_ = 0; turn_ < (most); ++turn_) { \
      if (body(turn_, (context)))                  \
        break;                                     \
    }                                              \
  } while (0)

#endif

#endif /* MASFLOW_REPEAT_BPF_H */
