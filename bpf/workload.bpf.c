// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Cgroups as they come and go, so that the id in an event has a path also when the process and
 * the cgroup are gone. A cgroup is told before any process can be in it, and nobody is woken for
 * it: the reader looks here before it reads what names the id.
 */
#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "task.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The number of the hierarchy whose ids events carry: 0 is cgroup v2. Set before the load. */
const volatile int hierarchy_id = 0;

struct mf_cgroup_state cgroup_state = {};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 512 * 1024);
} cgroup_ring SEC(".maps");

struct mf_cgroup_scratch {
  struct mf_cgroup record;
  char path[MF_CGROUP_PATH_MAX];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct mf_cgroup_scratch);
} cgroup_scratch SEC(".maps");

static __always_inline bool is_ours(struct cgroup *cgroup)
{
  return BPF_CORE_READ(cgroup, root, hierarchy_id) == hierarchy_id;
}

static __always_inline void send(struct mf_cgroup *record, struct cgroup *cgroup, u16 kind,
                                 u32 path_len)
{
  u64 size = path_len;

  if (size > MF_CGROUP_PATH_MAX)
    size = MF_CGROUP_PATH_MAX;
  size += sizeof(*record);
  fill_header(&record->header, kind, size, current_task());
  record->id = BPF_CORE_READ(cgroup, kn, id);
  record->path_len = path_len;
  record->pad = 0;
  if (bpf_ringbuf_output(&cgroup_ring, record, size, BPF_RB_NO_WAKEUP))
    __sync_fetch_and_add(&cgroup_state.lost, 1);
}

/* TP_PROTO(struct cgroup *cgrp, const char *path): all controllers are set up, nobody is in it. */
SEC("raw_tp/cgroup_mkdir")
int mf_cgroup_mkdir(u64 *ctx)
{
  struct cgroup *cgroup = (struct cgroup *)ctx[0];
  struct mf_cgroup_scratch *scratch;
  u32 zero = 0;
  long len;

  if (!is_ours(cgroup))
    return 0;
  scratch = bpf_map_lookup_elem(&cgroup_scratch, &zero);
  if (!scratch)
    return 0;
  len = bpf_probe_read_kernel_str(scratch->path, sizeof(scratch->path), (const void *)ctx[1]);
  if (len > 0) /* with its NUL */
    send(&scratch->record, cgroup, MF_KIND_CGROUP_MADE, len - 1);
  return 0;
}

SEC("raw_tp/cgroup_rmdir")
int mf_cgroup_rmdir(u64 *ctx)
{
  struct cgroup *cgroup = (struct cgroup *)ctx[0];
  struct mf_cgroup record;

  if (is_ours(cgroup))
    send(&record, cgroup, MF_KIND_CGROUP_GONE, 0);
  return 0;
}
