// SPDX-License-Identifier: Apache-2.0
//
// What our programs take of the machine, as the kernel counts it.
#include <algorithm>
#include <string>

#include <bpf/bpf.h>

#include "core/unique_fd.h"
#include "live.h"
#include "spawn.h"
#include "verified.h"

namespace masflow::kernel_test {
namespace {

using CostTest = KernelTest;

// Zeros if there is no such program.
ProgramCost CostOf(const SessionStats& stats, const std::string& program) {
  const auto found = std::find_if(stats.programs.begin(), stats.programs.end(),
                                  [&](const ProgramCost& cost) { return cost.program == program; });
  return found == stats.programs.end() ? ProgramCost{} : *found;
}

TEST_F(CostTest, RunsAndTheirTimeAreCountedByProgram) {
  constexpr int kExecs = 20;
  absl::StatusOr<Session> session = CreateSession({});
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_TRUE(session->stats().programs.empty());  // nothing is attached
  {
    const auto stream = ProcessStream::Open(*session);
    ASSERT_TRUE(stream.ok()) << stream.status();
    // As the sysctl does, for as long as it is open.
    const internal::UniqueFd counting(bpf_enable_stats(BPF_STATS_RUN_TIME));
    ASSERT_TRUE(counting.valid());
    const ProgramCost before = CostOf(session->stats(), "mf_exec");
    for (int i = 0; i < kExecs; ++i) {
      Spawn({"/bin/true"}).Wait();
    }
    const ProgramCost after = CostOf(session->stats(), "mf_exec");
    EXPECT_EQ(after.stream, StreamKind::kProcess);
    EXPECT_GE(after.runs - before.runs, static_cast<std::uint64_t>(kExecs));
    EXPECT_GT(after.run_time, before.run_time);
    // Also the second programs that some kernels need.
    for (const auto& [program, instructions] : VerifiedInstructions()) {
      if (!program.starts_with("mf_cgroup_")) {  // of no stream
        EXPECT_EQ(CostOf(session->stats(), program).program, program);
      }
    }
  }
  EXPECT_TRUE(session->stats().programs.empty());
}

}  // namespace
}  // namespace masflow::kernel_test
