// SPDX-License-Identifier: Apache-2.0
#include "bpf/task_iterator.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "bpf/iterator.h"
#include "core/unique_fd.h"

namespace masflow::internal {
namespace {

// The start time of /proc/<pid>/stat, in clock ticks since boot; 0 if unknown.
std::uint64_t StartTicks(int process_dir) {
  const UniqueFd fd(openat(process_dir, "stat", O_RDONLY | O_CLOEXEC));
  std::vector<std::byte> bytes;
  if (!fd.valid() || !ReadUpTo(fd.get(), 4096, &bytes)) {
    return 0;
  }
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t name_end = text.rfind(')');  // the name itself may hold anything
  if (name_end == std::string::npos) {
    return 0;
  }
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) {
    fields >> skipped;
  }
  std::uint64_t ticks = 0;
  fields >> ticks;
  return ticks;
}

// The directory of exactly this process: an open /proc/<pid> never turns into another
// process, and the start time tells whether it was the right one when opened.
UniqueFd OpenProcess(std::uint32_t pid, std::uint64_t start_ns) {
  UniqueFd dir(open(("/proc/" + std::to_string(pid)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto tick_ns = 1'000'000'000u / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  if (dir.valid() && StartTicks(dir.get()) != start_ns / tick_ns) {
    dir.Reset();
  }
  return dir;
}

void AddArgs(std::uint32_t args_limit, std::vector<std::byte>* record) {
  mf_exec fixed;
  std::memcpy(&fixed, record->data(), sizeof(fixed));
  const UniqueFd dir = OpenProcess(fixed.pid_in_reader_ns, fixed.process.start_ns);
  if (!dir.valid()) {
    return;
  }
  const UniqueFd file(openat(dir.get(), "cmdline", O_RDONLY | O_CLOEXEC));
  const std::size_t before = record->size();
  const std::size_t wanted = std::min(fixed.args_total, args_limit);
  const bool read = file.valid() && ReadUpTo(file.get(), wanted, record);
  if (!read || (wanted > 0 && record->size() == before)) {  // a zombie has none any more
    record->resize(before);
    return;
  }
  fixed.args_len = static_cast<std::uint32_t>(record->size() - before);
  if (fixed.args_len < wanted) {
    fixed.args_total = fixed.args_len;  // it has put a shorter title in their place
  }
  fixed.header.size = static_cast<std::uint32_t>(record->size());
  fixed.header.flags &= static_cast<std::uint16_t>(~MF_EXEC_NO_ARGS);
  std::memcpy(record->data(), &fixed, sizeof(fixed));
}

void DropArgs(std::vector<std::byte>* record) {
  mf_exec fixed;
  std::memcpy(&fixed, record->data(), sizeof(fixed));
  record->resize(record->size() - fixed.args_len);
  fixed.args_len = 0;
  fixed.header.size = static_cast<std::uint32_t>(record->size());
  fixed.header.flags |= MF_EXEC_NO_ARGS;
  std::memcpy(record->data(), &fixed, sizeof(fixed));
}

struct Sighting {
  mf_snapshot_entry entry{};
  std::vector<std::byte> record;
  bool settled = false;
};

// By start time and pid.
using Sightings = std::map<std::pair<std::uint64_t, std::uint32_t>, Sighting>;

absl::StatusOr<Sightings> Look(bpf_program* program) {
  absl::StatusOr<std::vector<std::byte>> bytes = RunIterator(program);
  if (!bytes.ok()) {
    return bytes.status();
  }
  Sightings seen;
  constexpr std::size_t kFixed = sizeof(mf_snapshot_entry) + sizeof(mf_exec);
  for (std::size_t at = 0; at + kFixed <= bytes->size();) {
    Sighting sighting;
    std::memcpy(&sighting.entry, bytes->data() + at, sizeof(sighting.entry));
    at += sizeof(sighting.entry);
    mf_exec fixed;
    std::memcpy(&fixed, bytes->data() + at, sizeof(fixed));
    if (fixed.header.size < sizeof(fixed) || fixed.header.size > bytes->size() - at) {
      return absl::InternalError("the task iterator yielded a damaged record");
    }
    const auto begin = bytes->begin() + static_cast<std::ptrdiff_t>(at);
    sighting.record.assign(begin, begin + fixed.header.size);
    at += fixed.header.size;
    seen[{fixed.process.start_ns, fixed.header.pid}] = std::move(sighting);
  }
  return seen;
}

// What `before` says of a process, in the light of a later look (null: it is not there any
// more). False: to be left out.
bool Settle(Sighting& before, const Sighting* now, std::uint32_t args_limit) {
  if (before.entry.ending != 0) {
    before.settled = now == nullptr;
    return !before.settled;
  }
  if (now == nullptr) {
    DropArgs(&before.record);  // perhaps of an image that it has begun since
    before.settled = true;
    return before.entry.in_exec == 0;  // else the record of that exec announces it
  }
  before.settled = before.entry.in_exec == 0 && before.entry.exec_id == now->entry.exec_id;
  if (!before.settled) {
    before = *now;
    AddArgs(args_limit, &before.record);
  }
  return true;
}

// Waits until each record tells of one image, and until the exit hooks of those have run
// that were ending, so that their records lie in the ring before anybody looks there.
bool SettleAll(const Sightings& later, std::uint32_t args_limit, Sightings* found) {
  bool all = true;
  for (auto at = found->begin(); at != found->end();) {
    Sighting& before = at->second;
    const auto now = later.find(at->first);
    const bool keep =
        before.settled || Settle(before, now == later.end() ? nullptr : &now->second, args_limit);
    all = all && before.settled;
    at = keep ? std::next(at) : found->erase(at);
  }
  return all;
}

}  // namespace

absl::StatusOr<RecordBatch> TakeSnapshot(bpf_program* program, std::uint32_t args_limit) {
  absl::StatusOr<Sightings> found = Look(program);
  if (!found.ok()) {
    return found.status();
  }
  for (auto& [process, sighting] : *found) {
    AddArgs(args_limit, &sighting.record);
  }
  // An exec takes a fraction of a millisecond. One that is held up, by a debugger or a slow
  // file system, is not waited for.
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  for (bool settled = false; !settled && std::chrono::steady_clock::now() < end;) {
    absl::StatusOr<Sightings> later = Look(program);
    if (!later.ok()) {
      return later.status();
    }
    settled = SettleAll(*later, args_limit, &*found);
    if (!settled) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  std::vector<std::byte> records;
  for (const auto& [process, sighting] : *found) {
    if (sighting.entry.ending == 0) {
      records.insert(records.end(), sighting.record.begin(), sighting.record.end());
    }
  }
  return RecordBatch(std::move(records));
}

absl::StatusOr<std::vector<mf_family_entry>> ReadFamily(bpf_program* program) {
  absl::StatusOr<std::vector<std::byte>> bytes = RunIterator(program);
  if (!bytes.ok()) {
    return bytes.status();
  }
  std::vector<mf_family_entry> family(bytes->size() / sizeof(mf_family_entry));
  std::memcpy(family.data(), bytes->data(), family.size() * sizeof(mf_family_entry));
  return family;
}

}  // namespace masflow::internal
