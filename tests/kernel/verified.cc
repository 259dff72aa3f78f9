// SPDX-License-Identifier: Apache-2.0
#include "verified.h"

#include <masflow_bpf/wire.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include "bpf/inflate.h"
#include "bpf_objects.h"
#include "core/unique_fd.h"

// After what they name.
#include "http_plain.skel.h"
#include "process_plain.skel.h"
#include "tcp_plain.skel.h"
#include "workload.skel.h"

namespace masflow::kernel_test {
namespace {

constexpr __u32 kLogStatistics = 4;    // BPF_LOG_STATS
constexpr std::size_t kNameSize = 15;  // what the kernel keeps of a program's name

using Counts = std::map<std::string, std::uint32_t>;

struct Loaded {
  std::uint32_t verified = 0;  // 0: this kernel does not say (before 5.16)
  std::vector<__u32> maps{};
};

std::map<std::string, Loaded> LoadedPrograms() {
  std::map<std::string, Loaded> programs;
  for (const std::uint32_t id : BpfObjectsOf(static_cast<std::uint32_t>(getpid())).programs) {
    const internal::UniqueFd fd(bpf_prog_get_fd_by_id(id));
    std::array<__u32, 64> maps{};
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    info.map_ids = reinterpret_cast<__u64>(maps.data());
    info.nr_map_ids = maps.size();
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) {
      ADD_FAILURE() << "no information about program " << id;
      continue;
    }
    programs[info.name] = {.verified = info.verified_insns,
                           .maps = {maps.begin(), maps.begin() + info.nr_map_ids}};
  }
  return programs;
}

// The constants decide which branches there are, so a second load needs those of the first.
std::vector<std::byte> ConstantsOf(const Loaded& program) {
  for (const __u32 id : program.maps) {
    const internal::UniqueFd fd(bpf_map_get_fd_by_id(id));
    bpf_map_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 &&
        std::string_view(info.name).ends_with(".rodata")) {
      std::vector<std::byte> value(info.value_size);
      const __u32 key = 0;
      EXPECT_EQ(bpf_map_lookup_elem(fd.get(), &key, value.data()), 0);
      return value;
    }
  }
  return {};
}

std::string KernelName(const bpf_program* program) {
  return std::string(bpf_program__name(program)).substr(0, kNameSize);
}

struct ObjectClose {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

// Loads those programs of an object once more that are loaded already, and reads the statistics.
Counts CountAgain(const void* bytes, std::size_t size,
                  const std::map<std::string, Loaded>& loaded) {
  const std::unique_ptr<bpf_object, ObjectClose> object(bpf_object__open_mem(bytes, size, nullptr));
  std::map<bpf_program*, std::vector<char>> logs;
  std::vector<std::byte> constants;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get()) {
    const auto found = loaded.find(KernelName(program));
    bpf_program__set_autoload(program, found != loaded.end());
    if (found != loaded.end()) {
      std::vector<char>& log = logs[program];
      log.resize(4096);
      bpf_program__set_log_buf(program, log.data(), log.size());
      bpf_program__set_log_level(program, kLogStatistics);
      if (constants.empty()) {
        constants = ConstantsOf(found->second);
      }
    }
  }
  if (logs.empty()) {
    return {};
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object.get()) {
    if (std::string_view(bpf_map__name(map)).ends_with(".rodata")) {
      EXPECT_EQ(bpf_map__set_initial_value(map, constants.data(), constants.size()), 0);
    } else if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF) {
      bpf_map__set_max_entries(map, static_cast<__u32>(getpagesize()));
    }
  }
  EXPECT_EQ(bpf_object__load(object.get()), 0);
  Counts counts;
  for (const auto& [one, log] : logs) {
    const std::string_view text(log.data());
    const std::size_t at = text.find("processed ");
    unsigned count = 0;
    EXPECT_TRUE(at != std::string_view::npos &&
                std::sscanf(text.data() + at, "processed %u insns", &count) == 1)
        << KernelName(one) << ": " << text;
    counts[KernelName(one)] = count;
  }
  return counts;
}

}  // namespace

Counts VerifiedInstructions() {
  const std::map<std::string, Loaded> loaded = LoadedPrograms();
  Counts counts;
  bool told = true;
  for (const auto& [name, program] : loaded) {
    counts[name] = program.verified;
    told = told && program.verified != 0;
  }
  if (told) {
    return counts;
  }
  std::size_t size = 0;  // of the objects for kernels before 6.2, as those before 5.16 are
  const auto count = [&](const void* gzip) {
    const internal::Inflated object = internal::Inflate(gzip, size);
    EXPECT_NE(object.bytes, nullptr);
    for (const auto& [name, verified] : CountAgain(object.bytes.get(), object.size, loaded)) {
      counts[name] = verified;
    }
  };
  count(masflow_process_plain_bpf__gzip_bytes(&size));
  count(masflow_tcp_plain_bpf__gzip_bytes(&size));
  count(masflow_http_plain_bpf__gzip_bytes(&size));
  count(masflow_workload_bpf__gzip_bytes(&size));
  return counts;
}

}  // namespace masflow::kernel_test
