// SPDX-License-Identifier: Apache-2.0
#include "bpf/map_memory.h"

#include <unistd.h>

#include <algorithm>
#include <bit>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace masflow::internal {
namespace {

constexpr std::uint64_t RoundUp(std::uint64_t bytes, std::uint64_t step) {
  return (bytes + step - 1) / step * step;
}

std::uint64_t Page() {
  return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::uint64_t Cpus() {
  return static_cast<std::uint64_t>(std::max(libbpf_num_possible_cpus(), 1));
}

// kernel/bpf/hashtab.c: a bucket is a list head and a lock, an element has 48 bytes in front of its
// key. Allocated beforehand, each CPU has one in reserve; else each has 8 bytes more.
std::uint64_t HashBytes(const bpf_map_info& map) {
  constexpr std::uint64_t kBucket = 16;
  constexpr std::uint64_t kElement = 48;
  constexpr std::uint64_t kNode = 8;
  const std::uint64_t element = kElement + RoundUp(map.key_size, 8) + RoundUp(map.value_size, 8);
  const std::uint64_t buckets = std::bit_ceil(std::uint64_t{map.max_entries}) * kBucket;
  return (map.map_flags & BPF_F_NO_PREALLOC) != 0 ? buckets + map.max_entries * (element + kNode)
                                                  : buckets + (map.max_entries + Cpus()) * element;
}

// kernel/bpf/lpm_trie.c: an inner node for each entry but one, and each node is an allocation of
// its own.
std::uint64_t TrieBytes(const bpf_map_info& map) {
  constexpr std::uint64_t kNode = 40;
  return 2 * std::uint64_t{map.max_entries} * std::bit_ceil(kNode + map.key_size + map.value_size);
}

// kernel/bpf/ringbuf.c: three pages besides the data, each of which is mapped twice.
std::uint64_t RingBytes(const bpf_map_info& map) {
  constexpr std::uint64_t kMorePages = 3;
  const std::uint64_t pages = map.max_entries / Page();
  return map.max_entries + kMorePages * Page() + (kMorePages + 2 * pages) * sizeof(void*);
}

std::uint64_t BytesOf(const bpf_map_info& map) {
  const std::uint64_t values = map.max_entries * RoundUp(map.value_size, 8);
  switch (map.type) {
    case BPF_MAP_TYPE_RINGBUF:
      return RingBytes(map);
    case BPF_MAP_TYPE_HASH:
    case BPF_MAP_TYPE_LRU_HASH:
      return HashBytes(map);
    case BPF_MAP_TYPE_LPM_TRIE:
      return TrieBytes(map);
    case BPF_MAP_TYPE_PERCPU_ARRAY:
      return Cpus() * values + map.max_entries * sizeof(void*);
    default:
      return (map.map_flags & BPF_F_MMAPABLE) != 0 ? Page() + RoundUp(values, Page()) : values;
  }
}

}  // namespace

MapMemory MemoryOfMap(int fd) {
  bpf_map_info map{};
  __u32 size = sizeof(map);
  if (bpf_obj_get_info_by_fd(fd, &map, &size) != 0) {
    return {};
  }
  return {.id = map.id, .is_ring = map.type == BPF_MAP_TYPE_RINGBUF, .bytes = BytesOf(map)};
}

void AllocateByEntry(const Environment& environment, bpf_map* table) {
  if (environment.AllocatesEntries()) {
    bpf_map__set_map_flags(table, bpf_map__map_flags(table) | BPF_F_NO_PREALLOC);
  }
}

std::vector<MapMemory> MemoryOfMaps(const bpf_object* object) {
  std::vector<MapMemory> found;
  const bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__fd(map) >= 0) {
      found.push_back(MemoryOfMap(bpf_map__fd(map)));
    }
  }
  return found;
}

}  // namespace masflow::internal
