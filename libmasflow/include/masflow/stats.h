// SPDX-License-Identifier: Apache-2.0
//
// What was delivered and what was not. Loss is an event: it is counted by stream
// and by reason, and reported in band.
#ifndef MASFLOW_STATS_H_
#define MASFLOW_STATS_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "masflow/events.h"

namespace masflow {
inline namespace v0 {

enum class StreamKind : std::uint8_t { kProcess = 0, kTcp = 1, kHttp = 2 };
inline constexpr std::size_t kStreamKinds = 3;

enum class LossReason : std::uint8_t {
  kRingFull = 0,  // the host drained too slowly, or the ring is smaller than the record
  // A table in the kernel had no room, or no memory: for a connection (TcpOptions, HttpOptions:
  // max_connections), or for a process of filter.trees (65,536). What it would have told of is one
  // lost record.
  kTableFull = 1,
  kHookMissed = 2,  // the kernel skipped a program that was already running on that CPU
  kUnread = 3,      // bytes of an HTTP message passed that the hook could not read
};
inline constexpr std::size_t kLossReasons = 4;

// "process", "tcp", "http"; "ring full", "table full", "hook missed", "unread".
MASFLOW_EXPORT std::string_view Name(StreamKind kind);
MASFLOW_EXPORT std::string_view Name(LossReason reason);

// Records that were due and will never come. Passed to Session::OnLoss at the end of
// the drain turn in which it was noticed, after the records of that turn.
struct Loss {
  StreamKind stream{};
  LossReason reason{};
  std::uint64_t count = 0;  // since the last report of this stream and reason
  KernelTime since{};       // lost between these two times
  KernelTime until{};

  friend bool operator==(const Loss&, const Loss&) = default;
};

// Counts since the stream was opened; they only grow. Once the stream is drained:
//   produced == delivered + unheard + merged + malformed + filtered + lost_total()
struct StreamStats {
  std::uint64_t produced = 0;   // records due, counted in the kernel (and in the snapshot)
  std::uint64_t delivered = 0;  // handed to a callback or to AsyncNext
  std::uint64_t unheard = 0;    // taken from the ring, but no callback was set for their kind
  std::uint64_t merged = 0;     // snapshot entries that a live event had already announced,
                                // and ends of processes that were gone before the snapshot
  std::uint64_t malformed = 0;  // not decodable; never seen but in damaged recordings
  std::uint64_t filtered = 0;   // events that WorkloadFilter did not let pass
  std::array<std::uint64_t, kLossReasons> lost{};  // by LossReason

  std::uint64_t lost_total() const {
    std::uint64_t sum = 0;
    for (std::uint64_t count : lost) sum += count;
    return sum;
  }
};

struct WorkloadStats {
  std::uint64_t cgroups = 0;        // known now, some that are gone included
  std::uint64_t pods = 0;           // with names, known now
  std::uint64_t unknown = 0;        // events so far whose cgroup was not known
  std::uint64_t name_failures = 0;  // times so far that a source of names could not do its work
};

// What a program of ours in the kernel has taken of the machine so far, in whoever came to its
// hook. The kernel counts that only while the sysctl kernel.bpf_stats_enabled is 1, at the price of
// some 50 ns a run; zeros else.
struct ProgramCost {
  StreamKind stream{};
  std::string program{};  // as bpftool and perf show it
  std::uint64_t runs = 0;
  std::chrono::nanoseconds run_time{};

  friend bool operator==(const ProgramCost&, const ProgramCost&) = default;
};

// What the open streams take at most, in bytes; zeros of what they do not have (a replay has no
// rings). It is fixed when they are opened, by ring_bytes, max_connections and the filters:
// docs/embedding.md says what happens at its limits. Not in it: the programs themselves, names of
// workloads, what a snapshot finds until that is delivered, and what the host keeps.
struct MemoryStats {
  std::uint64_t rings = 0;  // in the kernel: the rings between it and the host
  // In the kernel: all other tables, as if they were full. Those of connections take memory as
  // these come, from Linux 6.1 on; before, they have all of it at once.
  std::uint64_t tables = 0;
  std::uint64_t host_most = 0;  // in this process, at most

  std::uint64_t total() const { return rings + tables + host_most; }
};

struct SessionStats {
  std::array<StreamStats, kStreamKinds> streams{};  // by StreamKind; zeros where none was opened
  WorkloadStats workloads{};
  std::vector<ProgramCost> programs{};  // that are attached now; of the live kernel only
  MemoryStats memory{};

  const StreamStats& operator[](StreamKind kind) const {
    return streams[static_cast<std::size_t>(kind)];
  }
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_STATS_H_
