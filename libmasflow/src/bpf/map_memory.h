// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_MAP_MEMORY_H_
#define MASFLOW_BPF_MAP_MEMORY_H_

#include <cstdint>
#include <vector>

#include "bpf/environment.h"

struct bpf_map;
struct bpf_object;

namespace masflow::internal {

// What a map takes of the kernel's memory once it is full.
struct MapMemory {
  std::uint32_t id = 0;  // streams share some
  bool is_ring = false;
  std::uint64_t bytes = 0;
};

// By what the kernel says of its type and sizes. The amount itself the kernel tells only from 6.4
// on, only in /proc, and of tables that are not allocated beforehand only what is in use.
MapMemory MemoryOfMap(int fd);

// Before the load: a large table gets the memory of each entry as that is made. On kernels before
// 6.1, where that can deadlock in a tracing program, all of it at the load.
void AllocateByEntry(const Environment& environment, bpf_map* table);

// Of all maps that were created with the object.
std::vector<MapMemory> MemoryOfMaps(const bpf_object* object);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_MAP_MEMORY_H_
