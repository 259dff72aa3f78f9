// SPDX-License-Identifier: Apache-2.0
//
// Takes from a forked child what a process of the test has. All return whether it worked.
#ifndef MASFLOW_KERNEL_CONSTRAINTS_H_
#define MASFLOW_KERNEL_CONSTRAINTS_H_

#include <cstdint>
#include <vector>

namespace masflow::kernel_test {

inline constexpr std::uint32_t kNobody = 65534;

// Another user and group, with these capabilities only (also after an exec).
bool BecomeNobody(const std::vector<int>& capabilities = {});

// Mounts of its own, which go with the child.
bool OwnMounts();

// In mounts of its own.
bool HideBtf();
bool HideTracefs();            // as where it is not mounted
bool MakeTracefsUnreadable();  // for all but root

// As `ulimit -l`.
bool LimitLockedMemory(std::uint64_t bytes);
// What docs/support.md says that all streams take on a machine of a few processors, and the limit
// that a process begins with where nobody has set another one (before 5.16).
inline constexpr std::uint64_t kEnoughLockedMemory = std::uint64_t{128} << 20;
inline constexpr std::uint64_t kUsualLockedMemory = 64 << 10;
// Whether that limits what BPF has: so before 5.11.
bool BpfMemoryIsLocked();

// Whether kernel.perf_event_paranoid has the level of Debian's kernels that leaves perf events, and
// with them kprobes, to CAP_SYS_ADMIN alone.
bool PerfEventsAreClosed();

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_CONSTRAINTS_H_
