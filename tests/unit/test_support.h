// SPDX-License-Identifier: Apache-2.0
//
// What the tests of session, streams, drivers and wire format share.
#ifndef MASFLOW_TESTS_UNIT_TEST_SUPPORT_H_
#define MASFLOW_TESTS_UNIT_TEST_SUPPORT_H_

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/testing/fake_source.h"
#include "masflow_bpf/wire.h"
#include "replay_testing.h"

namespace masflow::internal {

using masflow::testing::FakeSource;

// Far beyond what any of it takes, also under a sanitizer on a busy machine.
inline constexpr std::chrono::seconds kDeadline{30};

inline bool Readable(int fd) {
  pollfd entry = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) == 1;
}

// Until `condition` holds; false at the deadline.
template <class Condition>
bool Eventually(Condition&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

inline Session NewSession(const FakeSource& fake) {
  absl::StatusOr<Session> session = Session::Create({.source = fake.source()});
  EXPECT_TRUE(session.ok()) << session.status();
  return *std::move(session);
}

inline ProcessStream OpenProcesses(Session& session, ProcessOptions options = {}) {
  absl::StatusOr<ProcessStream> stream = ProcessStream::Open(session, std::move(options));
  EXPECT_TRUE(stream.ok()) << stream.status();
  return *std::move(stream);
}

inline void PushExecs(FakeSource& fake, std::uint32_t first, std::uint32_t last) {
  for (std::uint32_t pid = first; pid <= last; ++pid) {
    fake.Push(TestExec(pid));
  }
}

inline std::vector<std::uint32_t> PidRange(std::uint32_t first, std::uint32_t last) {
  std::vector<std::uint32_t> pids;
  for (std::uint32_t pid = first; pid <= last; ++pid) {
    pids.push_back(pid);
  }
  return pids;
}

inline StreamStats ProcessStats(const Session& session) {
  return session.stats()[StreamKind::kProcess];
}

inline std::ptrdiff_t CountEntries(const char* folder) {
  const std::filesystem::directory_iterator entries(folder);
  return std::distance(begin(entries), end(entries));
}

// All that is not still in the source is accounted for.
inline void ExpectBalanced(const StreamStats& stats) {
  EXPECT_EQ(stats.produced,
            stats.delivered + stats.unheard + stats.merged + stats.malformed + stats.lost_total());
}

// A session on a fake source with an open process stream, all in reach of callbacks that
// move, replace or destroy them. `pids_` are those that OnExec was called with.
class FakeSessionTest : public ::testing::Test {
 protected:
  FakeSessionTest() : session_(NewSession(fake_)), processes_(OpenProcesses(*session_)) {}

  void CollectExecs() {
    processes_->OnExec([this](const ProcessExecView& e) { pids_.push_back(e.process.id.pid); });
  }
  // Until nothing is left; how many records.
  std::size_t DrainAll() {
    std::size_t records = 0;
    for (int turns = 0; turns < 100'000; ++turns) {
      const DrainResult result = session_->Drain(64);
      records += result.records;
      if (!result.more) {
        break;
      }
    }
    return records;
  }

  FakeSource fake_;
  std::optional<Session> session_;
  std::optional<ProcessStream> processes_;
  std::vector<std::uint32_t> pids_;
};

// For the fields of two events, one by one.
template <class A, class B, std::size_t... I>
void ForEachPair(const A& a, const B& b, std::index_sequence<I...>, const auto& check) {
  (check(I, std::get<I>(a), std::get<I>(b)), ...);
}

template <class A, class B>
void ForEachPair(const A& a, const B& b, const auto& check) {
  ForEachPair(a, b, std::make_index_sequence<std::tuple_size_v<A>>(), check);
}

// Events with every field set, each to a value of its own.
inline Process FullProcess() {
  return {.id = {.pid = 11, .start = std::chrono::nanoseconds(12)},
          .parent = {.pid = 13, .start = std::chrono::nanoseconds(14)},
          .uid = 15,
          .gid = 16,
          .cgroup_id = 17,
          .comm = "co\x80mm"};
}

// The same one each time, as events compare workloads by identity.
inline std::shared_ptr<const Workload> SomeWorkload() {
  static const auto workload = std::make_shared<const Workload>();
  return workload;
}

// What either flavour of an event points to.
inline const Workload* Raw(const Workload* workload) {
  return workload;
}
inline const Workload* Raw(const std::shared_ptr<const Workload>& workload) {
  return workload.get();
}

inline ProcessExec FullExec() {
  return {.time = At(21),
          .process = FullProcess(),
          .tid = 22,
          .euid = 23,
          .egid = 24,
          .filename = "./fi\xffle",
          .filename_truncated = true,
          .executable = "/ex/ec",
          .executable_truncated = true,
          .executable_unlinked = true,
          .args = std::string("a\0\0b\xfe\0", 6),
          .args_total_bytes = 25,
          .pre_existing = true};
}

// Its two results exclude each other on the wire; Own and View do not care.
inline ProcessExit FullExit() {
  return {.time = At(31),
          .process = FullProcess(),
          .exit_code = std::uint8_t{32},
          .signal = std::uint8_t{33},
          .core_dumped = true,
          .duration = std::chrono::nanoseconds(34)};
}

inline ProcessFork FullFork() {
  return {.time = At(41), .process = FullProcess(), .parent_tid = 42};
}

inline ProcessExecFailure FullExecFailure() {
  return {.time = At(51),
          .process = FullProcess(),
          .tid = 52,
          .error = 53,
          .filename = "no/such",
          .filename_truncated = true};
}

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_UNIT_TEST_SUPPORT_H_
