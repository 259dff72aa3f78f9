// SPDX-License-Identifier: Apache-2.0
//
// What the iter/task programs yield. They see the processes of our pid namespace.
#ifndef MASFLOW_BPF_TASK_ITERATOR_H_
#define MASFLOW_BPF_TASK_ITERATOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

#include "bpf/record_batch.h"
#include "masflow_bpf/wire.h"

struct bpf_program;

namespace masflow::internal {

// mf_snapshot: one MF_KIND_EXEC record a process, completed with the arguments from
// /proc/<pid>/cmdline (the kernel side can only read the memory of the current task).
// A process that has ended in between keeps MF_EXEC_NO_ARGS. Looks twice, and again at
// what was amid an exec, so that each record tells of one image.
absl::StatusOr<RecordBatch> TakeSnapshot(bpf_program* program, std::uint32_t args_limit);

// mf_family.
absl::StatusOr<std::vector<mf_family_entry>> ReadFamily(bpf_program* program);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_TASK_ITERATOR_H_
