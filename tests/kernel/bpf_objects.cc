// SPDX-License-Identifier: Apache-2.0
#include "bpf_objects.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <thread>
#include <vector>

#include <bpf/bpf.h>

#include "core/unique_fd.h"
#include "live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

bool Exists(int fd) {
  if (fd >= 0) {
    close(fd);
  }
  return fd >= 0;
}

}  // namespace

BpfObjects BpfObjectsOf(std::uint32_t pid) {
  BpfObjects objects;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(ProcFile(pid, "fdinfo"), error)) {
    std::istringstream lines(ReadFile(entry.path()));
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string key;
      std::uint32_t id = 0;
      fields >> key >> id;
      if (key == "prog_id:") {
        objects.programs.insert(id);
      } else if (key == "map_id:") {
        objects.maps.insert(id);
      } else if (key == "link_id:") {
        objects.links.insert(id);
      }
    }
  }
  return objects;
}

std::string Remaining(const BpfObjects& objects) {
  std::string text;
  for (const std::uint32_t id : objects.programs) {
    text += Exists(bpf_prog_get_fd_by_id(id)) ? " program " + std::to_string(id) : "";
  }
  for (const std::uint32_t id : objects.maps) {
    text += Exists(bpf_map_get_fd_by_id(id)) ? " map " + std::to_string(id) : "";
  }
  for (const std::uint32_t id : objects.links) {
    text += Exists(bpf_link_get_fd_by_id(id)) ? " link " + std::to_string(id) : "";
  }
  return text;
}

bool AllGone(const BpfObjects& objects) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!Remaining(objects).empty()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::size_t MapEntries(std::uint32_t pid, const std::string& name, const IsMeant& is_meant) {
  std::size_t entries = 0;
  for (const std::uint32_t id : BpfObjectsOf(pid).maps) {
    const internal::UniqueFd fd(bpf_map_get_fd_by_id(id));
    bpf_map_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0 ||
        name.compare(0, sizeof(info.name) - 1, info.name) != 0) {
      continue;
    }
    std::vector<std::byte> key(info.key_size);
    std::vector<std::byte> value(info.value_size);
    for (void* before = nullptr; bpf_map_get_next_key(fd.get(), before, key.data()) == 0;
         before = key.data()) {
      const bool is_counted =
          !is_meant ||
          (bpf_map_lookup_elem(fd.get(), key.data(), value.data()) == 0 && is_meant(value));
      entries += is_counted ? 1 : 0;
    }
  }
  return entries;
}

std::size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace masflow::kernel_test
