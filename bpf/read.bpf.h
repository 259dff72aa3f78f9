/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading the kernel's structures. */
#ifndef MASFLOW_READ_BPF_H
#define MASFLOW_READ_BPF_H

#include "masflow_bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* From 6.2, and no call at run time. Whether the object is of that type is not checked. */
extern void *bpf_rdonly_cast(const void *object, u32 btf_id) __ksym __weak;

/* Set before the load and frozen: this kernel has it. */
const volatile bool can_cast = false;

/*
 * A field, through any number of pointers: READ(task, group_leader, tgid). With the cast by plain
 * loads, which like the helper give 0 where there is nothing to read; else by a call of the helper
 * for each pointer, of some 100 instructions.
 */
#define READ(source, field, ...)                                                                  \
  ({                                                                                              \
    ___type((source), field, ##__VA_ARGS__) value_read;                                           \
    if (can_cast) {                                                                               \
      __typeof__(source) typed = bpf_rdonly_cast((source),                                        \
                                                 bpf_core_type_id_kernel(__typeof__(*(source)))); \
      value_read = ___arrow(typed, field, ##__VA_ARGS__);                                         \
    } else {                                                                                      \
      BPF_CORE_READ_INTO(&value_read, (source), field, ##__VA_ARGS__);                            \
    }                                                                                             \
    value_read;                                                                                   \
  })

#endif /* MASFLOW_READ_BPF_H */
