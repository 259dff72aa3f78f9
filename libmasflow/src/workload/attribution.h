// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_ATTRIBUTION_H_
#define MASFLOW_WORKLOAD_ATTRIBUTION_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "masflow/events.h"
#include "masflow/stats.h"
#include "masflow/tcp_events.h"
#include "masflow/workload.h"
#include "workload/workload_match.h"
#include "workload/workload_table.h"

namespace masflow::internal {

// Gives each event its workload, and judges by that whether it is delivered. By one thread at a
// time, but for AddCounts().
class Attribution {
 public:
  // `mute`: of a cgroup whose events need not come (any more), or shall come again.
  Attribution(WorkloadFilter filter, std::function<void(std::uint64_t, bool)> mute);

  // What RecordSink::OnWorkload() takes.
  void OnNews(std::span<const std::byte> record);

  // False: the filter does not let the event pass.
  template <class View>
  bool Attribute(View* view) {
    if constexpr (requires { view->process; }) {
      return AttributeProcess(&view->process);
    } else {
      ConnectionView& connection = view->connection;
      connection.peer = table_.FindPeer(connection.remote.address);
      return connection.owner.has_value() ? AttributeProcess(&*connection.owner) : !match_.active();
    }
  }

  // Any thread.
  WorkloadStats stats() const;

 private:
  bool AttributeProcess(ProcessView* process) {
    const WorkloadTable::Found found = table_.Find(process->cgroup_id);
    process->workload = found.workload;
    if (!found.known) {
      unknown_.store(unknown_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    return !match_.active() || match_.Judge(found.workload) == WorkloadMatch::Verdict::kYes;
  }
  void MuteOrNot(std::uint64_t cgroup_id);

  WorkloadTable table_;
  const WorkloadMatch match_;
  const std::function<void(std::uint64_t, bool)> mute_;
  std::vector<std::uint64_t> changed_;  // scratch
  std::atomic<std::uint64_t> unknown_{0};
  std::atomic<std::uint64_t> cgroups_{0};
  std::atomic<std::uint64_t> pods_{0};
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_ATTRIBUTION_H_
