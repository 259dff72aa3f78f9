// SPDX-License-Identifier: Apache-2.0
//
// The BPF programs, maps and links of a process, and whether the kernel still has them.
#ifndef MASFLOW_KERNEL_BPF_OBJECTS_H_
#define MASFLOW_KERNEL_BPF_OBJECTS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace masflow::kernel_test {

struct BpfObjects {
  std::set<std::uint32_t> programs;
  std::set<std::uint32_t> maps;
  std::set<std::uint32_t> links;

  std::size_t size() const { return programs.size() + maps.size() + links.size(); }
};

// By the descriptors that it holds. Other processes on this machine may have their own.
BpfObjects BpfObjectsOf(std::uint32_t pid);

// Waits until none of them is left: the kernel frees them a moment after their last user.
bool AllGone(const BpfObjects& objects);

// Those that are still there, for a message.
std::string Remaining(const BpfObjects& objects);

// The entries of a table of its own, found by the table's name (at most 15 bytes of it count);
// only those of whose value `is_meant` says so, if it is given.
using IsMeant = std::function<bool(const std::vector<std::byte>& value)>;
std::size_t MapEntries(std::uint32_t pid, const std::string& name, const IsMeant& is_meant = {});

// Descriptors that this process has open.
std::size_t OpenDescriptors();

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_BPF_OBJECTS_H_
