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

// As `ulimit -l 0`.
bool NoLockedMemory();
// Whether that keeps BPF from having any: so before 5.11.
bool BpfMemoryIsLocked();

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_CONSTRAINTS_H_
