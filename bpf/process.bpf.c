// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Process life: exec, exit, fork, failed exec, and the processes that already
 * run. Every program is off until the reader turns it on (src/bpf/process_feed).
 */
#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "exec_image.bpf.h"
#include "filter.bpf.h"
#include "ring.bpf.h"
#include "syscall.bpf.h"
#include "task.bpf.h"
#include "tree.bpf.h"
#include "twin.bpf.h"

#define SIGNAL_GROUP_EXIT 0x00000004

struct mf_process_key {
  u64 start_ns;
  u32 pid;
  u32 pad;
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool emit_forks = false; /* else mf_fork only follows the trees of the filter */

struct mf_ring_state process_state = {};

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} process_ring SEC(".maps");

/*
 * One scratch record a CPU and program, never shared between programs: tracing
 * programs are preemptible from 7.0, but the kernel does not let one program
 * start twice on a CPU (it counts a miss instead, and the twin takes over).
 */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct exec_image);
} exec_scratch SEC(".maps"), exec_scratch_2 SEC(".maps"), snapshot_scratch SEC(".maps");

struct failed_scratch_value {
  struct mf_exec_failed record;
  char filename[2 * MF_FAILED_FILENAME_MAX];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, u32);
  __type(value, struct failed_scratch_value);
} failed_scratch SEC(".maps");

/* Processes whose end was already reported: only for mf_exit_live, see there. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct mf_process_key);
  __type(value, u8);
} ended SEC(".maps");

static __always_inline int report_exec(u64 *ctx, void *scratch, enum mf_part part)
{
  struct task_struct *task = (struct task_struct *)ctx[0];
  struct linux_binprm *bprm = (struct linux_binprm *)ctx[2];
  u32 zero = 0;
  struct exec_image *image;
  u64 size;

  if (!is_to_tell(&process_state, MF_TWIN_EXEC, part, READ(task, self_exec_id)))
    return 0;
  if (!passes_filter(task, READ(task, tgid)))
    return 0;
  image = bpf_map_lookup_elem(scratch, &zero);
  if (!image)
    return 0;
  size = fill_exec(image, task, READ(bprm, filename));
  /* exec makes the calling thread the leader and gives it the leader's id: this is its old one. */
  image->record.header.tid = (u32)ctx[1];
  asm volatile("%0 &= 0x7fff" : "+r"(size)); /* MF_EXEC_SIZE_MASK */
  send_record(&process_ring, &process_state, image, size);
  return 0;
}

/* TP_PROTO(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm); the new image runs. */
SEC("raw_tp/sched_process_exec")
int mf_exec(u64 *ctx)
{
  return report_exec(ctx, &exec_scratch, MF_FIRST);
}

SEC("raw_tp/sched_process_exec")
int mf_exec_twin(u64 *ctx)
{
  return report_exec(ctx, &exec_scratch_2, MF_TWIN);
}

static __always_inline int report_exit(struct task_struct *task)
{
  struct task_struct *leader = READ(task, group_leader);
  struct signal_struct *signal = READ(task, signal);
  struct mf_exit record = {};
  u32 pid = READ(task, tgid);
  bool passes = passes_filter(leader, pid);

  if (filter_by_tree)
    bpf_map_delete_elem(&filter_trees, &pid);
  if (!passes)
    return 0;
  fill_header(&record.header, MF_KIND_EXIT, sizeof(record), task);
  fill_process(&record.process, leader);
  record.duration_ns = bpf_ktime_get_boot_ns() - record.process.start_ns;
  /*
   * What wait(2) will say. Up to 5.16 a process of one thread ends without
   * SIGNAL_GROUP_EXIT, and its leader's code counts.
   */
  if (READ(signal, flags) & SIGNAL_GROUP_EXIT)
    record.status = READ(signal, group_exit_code);
  else
    record.status = READ(leader, exit_code);
  send_record(&process_ring, &process_state, &record, sizeof(record));
  return 0;
}

static __always_inline int report_group_exit(u64 *ctx, enum mf_part part)
{
  struct task_struct *task = (struct task_struct *)ctx[0];

  if (!is_to_tell(&process_state, MF_TWIN_EXIT, part, READ(task, start_boottime)))
    return 0;
  return (u8)ctx[1] ? report_exit(task) : 0;
}

/* TP_PROTO(struct task_struct *p, bool group_dead); the second from 6.16. */
SEC("raw_tp/sched_process_exit")
int mf_exit_group(u64 *ctx)
{
  return report_group_exit(ctx, MF_FIRST);
}

SEC("raw_tp/sched_process_exit")
int mf_exit_twin(u64 *ctx)
{
  return report_group_exit(ctx, MF_TWIN);
}

/*
 * Before 6.16: a process has ended when signal->live is 0, whichever thread sees
 * it. (The leader may end long before.) Two threads that end at once can both
 * see 0; the first to enter itself in `ended` reports.
 */
SEC("raw_tp/sched_process_exit")
int mf_exit_live(u64 *ctx)
{
  struct task_struct *task = (struct task_struct *)ctx[0];
  struct mf_process_key key = {};
  u8 one = 1;

  if (READ(task, signal, live.counter) != 0)
    return 0;
  key.pid = READ(task, tgid);
  key.start_ns = READ(task, group_leader, start_boottime);
  /* As an int, see add_connection() in connection.bpf.h. */
  if ((int)bpf_map_update_elem(&ended, &key, &one, BPF_NOEXIST) == -MF_EEXIST)
    return 0;
  return report_exit(task);
}

static __always_inline int report_fork(u64 *ctx, enum mf_part part)
{
  struct task_struct *parent = (struct task_struct *)ctx[0];
  struct task_struct *child = (struct task_struct *)ctx[1];
  u32 ppid = READ(parent, tgid);
  u32 pid = READ(child, tgid);
  struct mf_fork record = {};

  if (!is_to_tell(&process_state, MF_TWIN_FORK, part, READ(child, start_boottime)))
    return 0;
  if ((u32)READ(child, pid) != pid) /* a thread */
    return 0;
  if (filter_by_tree && !follow_fork(ppid, pid, &process_state))
    return 0;
  if (!emit_forks)
    return 0;
  if ((filter_by_pid && !pid_listed(ppid) && !pid_listed(pid)) || !passes_but_pid(child))
    return 0;
  fill_header(&record.header, MF_KIND_FORK, sizeof(record), child);
  fill_process(&record.process, child);
  /* CLONE_PARENT makes the child a sibling; the one that forked is still `parent` here. */
  record.process.ppid = ppid;
  record.process.parent_start_ns = READ(parent, group_leader, start_boottime);
  record.parent_tid = READ(parent, pid);
  send_record(&process_ring, &process_state, &record, sizeof(record));
  return 0;
}

/* TP_PROTO(struct task_struct *parent, struct task_struct *child); the child has not run yet. */
SEC("raw_tp/sched_process_fork")
int mf_fork(u64 *ctx)
{
  return report_fork(ctx, MF_FIRST);
}

SEC("raw_tp/sched_process_fork")
int mf_fork_twin(u64 *ctx)
{
  return report_fork(ctx, MF_TWIN);
}

static __always_inline int report_exec_failed(const char *filename, long error)
{
  struct task_struct *task = current_task();
  struct task_struct *leader = READ(task, group_leader);
  u32 zero = 0;
  struct failed_scratch_value *scratch;
  struct mf_exec_failed *record;
  char end = 0;
  long len;
  u64 bytes;

  if (!passes_filter(leader, READ(task, tgid)))
    return 0;
  scratch = bpf_map_lookup_elem(&failed_scratch, &zero);
  if (!scratch)
    return 0;
  record = &scratch->record;
  fill_header(&record->header, MF_KIND_EXEC_FAILED, 0, task);
  fill_process(&record->process, leader);
  record->error = (u32)-error;
  record->pad = 0;
  /* The kernel has just read this name, so its page is resident. Before 6.14 or so the length
     of an empty string is 0, without its end. */
  len = bpf_probe_read_user_str(scratch->filename, MF_FAILED_FILENAME_MAX, filename);
  if (len < 0)
    record->header.flags |= MF_EXEC_FAILED_NO_FILENAME;
  else if (len == MF_FAILED_FILENAME_MAX) /* cut, or it just fits */
    bpf_probe_read_user(&end, 1, filename + MF_FAILED_FILENAME_MAX - 1);
  if (end)
    record->header.flags |= MF_EXEC_FAILED_FILENAME_CUT;
  bytes = len > 0 ? len - 1 : 0;
  bytes &= MF_FAILED_FILENAME_MAX - 1;
  record->filename_len = bytes;
  record->header.size = sizeof(*record) + bytes;
  asm volatile("%0 &= 0x1ff" : "+r"(bytes)); /* MF_FAILED_FILENAME_MAX - 1 */
  send_record(&process_ring, &process_state, scratch, sizeof(*record) + bytes);
  return 0;
}

/* fexit: only the two system calls pay. ctx is {const struct pt_regs *regs, long ret}. */
SEC("fexit/" SYSCALL_FUNCTION("execve"))
int mf_execve_fx(u64 *ctx)
{
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  long ret = ctx[1];

  return ret < 0 ? report_exec_failed((const char *)SYSCALL_ARG1(regs), ret) : 0;
}

SEC("fexit/" SYSCALL_FUNCTION("execveat"))
int mf_execveat_fx(u64 *ctx)
{
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  long ret = ctx[1];

  return ret < 0 ? report_exec_failed((const char *)SYSCALL_ARG2(regs), ret) : 0;
}

/* TP_PROTO(struct pt_regs *regs, long ret). Every system call of the machine pays some 20 ns. */
SEC("raw_tp/sys_exit")
int mf_execfail_sx(u64 *ctx)
{
  struct pt_regs *regs = (struct pt_regs *)ctx[0];
  long ret = ctx[1];
  long nr;

  if (ret >= 0)
    return 0;
  nr = SYSCALL_NR(regs);
  if (nr != NR_EXECVE && nr != NR_EXECVEAT)
    return 0;
  if (IS_COMPAT(current_task())) /* the numbers mean something else there */
    return 0;
  return report_exec_failed(
      (const char *)(nr == NR_EXECVE ? SYSCALL_ARG1(regs) : SYSCALL_ARG2(regs)), ret);
}

/*
 * The processes of the reader's pid namespace, each by its leader. Zombies are
 * left out: their exit record was sent or precedes the stream.
 *
 * An exec changes the image step by step before its hook runs. So the count of
 * execs is read first: if it is the same at the next look, nothing changed in
 * between. The clock is read last: once in_exec is off, the record of the hook
 * is older than this one.
 */
SEC("iter/task")
int mf_snapshot(struct bpf_iter__task *ctx)
{
  struct seq_file *seq = ctx->meta->seq;
  struct task_struct *task = ctx->task;
  struct mf_snapshot_entry entry = {};
  struct exec_image *image;
  struct pid *pid;
  u32 zero = 0;
  u32 level;
  u64 size;

  if (!is_process(task) || (!is_alive(task) && READ(task, exit_state)))
    return 0;
  if (!passes_filter(task, READ(task, tgid)))
    return 0;
  image = bpf_map_lookup_elem(&snapshot_scratch, &zero);
  if (!image)
    return 0;
  entry.exec_id = READ(task, self_exec_id);
  entry.in_exec = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
  entry.ending = !is_alive(task);
  size = fill_exec(image, task, NULL);
  image->record.header.flags |= MF_EXEC_SNAPSHOT;
  pid = READ(task, thread_pid);
  level = READ(current_task(), thread_pid, level);
  bpf_probe_read_kernel(&image->record.pid_in_reader_ns, sizeof(u32),
                        (void *)__builtin_preserve_access_index(&pid->numbers[0]) +
                            level * bpf_core_type_size(struct upid));
  bpf_seq_write(seq, &entry, sizeof(entry));
  asm volatile("%0 &= 0x7fff" : "+r"(size)); /* MF_EXEC_SIZE_MASK */
  bpf_seq_write(seq, image, size);
  return 0;
}
