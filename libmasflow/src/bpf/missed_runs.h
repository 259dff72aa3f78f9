// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_MISSED_RUNS_H_
#define MASFLOW_BPF_MISSED_RUNS_H_

#include <algorithm>
#include <cstdint>

namespace masflow::internal {

// How many occurrences both programs of a hook missed (bpf/twin.bpf.h), by what the kernel counts
// as skipped runs of each and by what the twin has taken over, which has to be read first. While
// the twin is yet to run for one that the first has missed, that one is none of them: hence not
// more than the twin's own.
inline std::uint64_t MissedByBoth(std::uint64_t taken_over, std::uint64_t skipped_first,
                                  std::uint64_t skipped_twin) {
  const auto left = static_cast<std::int64_t>(skipped_first - taken_over);
  return left <= 0 ? 0 : std::min(static_cast<std::uint64_t>(left), skipped_twin);
}

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_MISSED_RUNS_H_
