/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process runs: the file name it was started by, the path of its
 * executable, its arguments. Used by the exec hook and by the snapshot.
 *
 * Verifier rule met on 5.10 and 6.1: bounds are lost when a value is spilled, so
 * each offset and length is masked on its way into the helper, and the buffer is
 * large enough for the sum of all masks.
 */
#ifndef MASFLOW_EXEC_IMAGE_BPF_H
#define MASFLOW_EXEC_IMAGE_BPF_H

#include "masflow_bpf/vmlinux.h"
#include "masflow_bpf/wire.h"
#include "repeat.bpf.h"
#include "task.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

const volatile unsigned int args_limit = 4096; /* <= MF_ARGS_MAX */

#define MF_NAME_LEN 256          /* NAME_MAX and a NUL */
#define MF_HEAD_MASK 0x1fff      /* file name and path together */
#define MF_ARGS_MASK 0x3fff      /* MF_ARGS_MAX */
#define MF_EXEC_SIZE_MASK 0x7fff /* a whole record */

struct exec_image {
  struct mf_exec record;
  char tail[MF_EXEC_SIZE_MASK - sizeof(struct mf_exec) + 1];
};
_Static_assert(MF_HEAD_MASK + MF_ARGS_MASK <= sizeof(((struct exec_image *)0)->tail), "tail");
_Static_assert(MF_FILENAME_MAX + MF_PATH_MAX <= MF_HEAD_MASK + 1, "head");
/* The kernel takes no per-CPU value above 32 KiB. */
_Static_assert(sizeof(struct exec_image) <= 32768, "per-CPU limit");

/* Where the walk up from a file is. */
struct mf_path_walk {
  struct exec_image *image;
  struct mount *mount;
  struct dentry *dentry;
  u32 end; /* a flag of the record that tells how it ended, if not at the root */
};

/* Step from the root of a mount to where it is mounted; false at the root of the tree. */
static __always_inline bool leave_mount(struct mf_path_walk *walk)
{
  struct mount *mount = walk->mount; /* in READ() it would be taken for a field of the kernel's */
  struct mount *outer = READ(mount, mnt_parent);

  if (!outer || outer == mount)
    return false;
  walk->dentry = READ(mount, mnt_mountpoint);
  walk->mount = outer;
  return true;
}

/* Appends one component at record->filename_len + record->path_len; false: none could be read. */
static __always_inline bool append_component(struct exec_image *image, struct dentry *dentry)
{
  struct mf_exec *record = &image->record;
  u64 at = record->filename_len + record->path_len;
  long len;

  asm volatile("%0 &= 0x1fff" : "+r"(at)); /* MF_HEAD_MASK */
  len = bpf_probe_read_kernel_str(image->tail + at, MF_NAME_LEN, READ(dentry, d_name.name));
  if (len <= 1)
    return false;
  record->path_len += len;
  record->path_parts += 1;
  return true;
}

MF_BODY long take_component(u64 turn, void *context)
{
  struct mf_path_walk *walk = context;
  struct mf_exec *record = &walk->image->record;
  struct dentry *dentry = walk->dentry;
  struct dentry *parent = READ(dentry, d_parent);
  struct mount *mount = walk->mount;

  (void)turn;
  if (dentry == READ(mount, mnt.mnt_root)) {
    if (leave_mount(walk))
      return 0;
    walk->end = 0;
    return 1;
  }
  if (record->path_len > MF_PATH_MAX - MF_NAME_LEN || !append_component(walk->image, dentry))
    return 1;
  if (dentry == parent) {
    walk->end = MF_EXEC_PATH_OFF_TREE;
    return 1;
  }
  walk->dentry = parent;
  return 0;
}

/*
 * The components from the file up to the root of its mount namespace, last one
 * first (the reader turns them round). bpf_d_path is not allowed here on any
 * kernel so far. How much there is stands in the record, in map memory, which
 * the verifier does not track: with registers it walked 500,000 instructions.
 */
static __always_inline void read_path(struct exec_image *image, struct task_struct *task)
{
  struct mf_exec *record = &image->record;
  struct file *file = READ(task, mm, exe_file);
  struct dentry *dentry = READ(file, f_path.dentry);
  struct vfsmount *vfsmount = READ(file, f_path.mnt);
  struct mf_path_walk walk = {
      .image = image,
      .mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt),
      .dentry = dentry,
      .end = MF_EXEC_PATH_CUT,
  };

  if (!dentry || !vfsmount) {
    record->header.flags |= MF_EXEC_NO_PATH;
    return;
  }
  if (READ(dentry, d_inode, i_nlink) == 0)
    record->header.flags |= MF_EXEC_UNLINKED;
  REPEAT(MF_PATH_PARTS_MAX, take_component, &walk);
  record->header.flags |= walk.end;
}

/* Only for the current task just after its exec: the kernel wrote these pages a moment ago. */
static __always_inline void read_args(struct exec_image *image, struct task_struct *task)
{
  struct mf_exec *record = &image->record;
  u64 len = record->args_total;
  u64 at = record->filename_len + record->path_len;

  if (len > args_limit)
    len = args_limit;
  asm volatile("%0 &= 0x1fff" : "+r"(at));  /* MF_HEAD_MASK */
  asm volatile("%0 &= 0x3fff" : "+r"(len)); /* MF_ARGS_MASK */
  if (bpf_probe_read_user(image->tail + at, len, (void *)READ(task, mm, arg_start)))
    record->header.flags |= MF_EXEC_NO_ARGS;
  else
    record->args_len = len;
}

static __always_inline void read_filename(struct exec_image *image, const char *filename)
{
  long len = bpf_probe_read_kernel_str(image->tail, MF_FILENAME_MAX, filename);
  char end = 0;

  /* A name that just fits gives the same length as one that was cut. */
  if (len == MF_FILENAME_MAX)
    bpf_probe_read_kernel(&end, 1, filename + MF_FILENAME_MAX - 1);
  if (end)
    image->record.header.flags |= MF_EXEC_FILENAME_CUT;
  image->record.filename_len = len > 0 ? (len - 1) & (MF_FILENAME_MAX - 1) : 0;
}

/* Filename is NULL for a task that is not the current one: then its memory cannot be read either. */
static __always_inline u64 fill_exec(struct exec_image *image, struct task_struct *task,
                                     const char *filename)
{
  struct mf_exec *record = &image->record;
  struct cred *cred = READ(task, cred);

  __builtin_memset(record, 0, sizeof(*record));
  fill_header(&record->header, MF_KIND_EXEC, 0, task);
  fill_process(&record->process, task);
  record->euid = READ(cred, euid.val);
  record->egid = READ(cred, egid.val);
  record->args_total = READ(task, mm, arg_end) - READ(task, mm, arg_start);
  if (filename)
    read_filename(image, filename);
  read_path(image, task);
  if (filename)
    read_args(image, task);
  else
    record->header.flags |= MF_EXEC_NO_ARGS;
  record->header.size = sizeof(*record) + record->filename_len + record->path_len +
                        record->args_len;
  return record->header.size;
}

#endif /* MASFLOW_EXEC_IMAGE_BPF_H */
