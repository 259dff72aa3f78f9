/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading the kernel's structures. */
#ifndef MASFLOW_READ_BPF_H
#define MASFLOW_READ_BPF_H

#include "masflow_bpf/vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/*
 * A field, through any number of pointers: READ(task, group_leader, tgid). From 6.2 on by plain
 * loads, which like the helper give 0 where there is nothing to read; before by a call of the helper
 * for each pointer, of some 100 instructions.
 *
 * Each object is made twice, with MF_CASTS and without. One that only names the function of the
 * kernel, even as a weak symbol, could not be loaded from 5.11 to 6.1 with CAP_BPF and CAP_PERFMON
 * alone: libbpf looks for it among the kernel's modules, which takes CAP_SYS_ADMIN.
 */
#ifdef MF_CASTS

/* No call at run time. Whether the object is of that type is not checked. */
extern void *bpf_rdonly_cast(const void *object, u32 btf_id) __ksym;

#define READ(source, field, ...)                                                                \
  ({                                                                                            \
    __typeof__(source) typed = bpf_rdonly_cast((source),                                        \
                                               bpf_core_type_id_kernel(__typeof__(*(source)))); \
    ___arrow(typed, field, ##__VA_ARGS__);                                                      \
  })

#else

#define READ(source, field, ...) BPF_CORE_READ(source, field, ##__VA_ARGS__)

#endif

#endif /* MASFLOW_READ_BPF_H */
