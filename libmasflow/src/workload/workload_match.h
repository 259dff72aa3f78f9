// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_WORKLOAD_MATCH_H_
#define MASFLOW_WORKLOAD_WORKLOAD_MATCH_H_

#include "masflow/workload.h"

namespace masflow::internal {

// WorkloadFilter at work.
class WorkloadMatch {
 public:
  enum class Verdict {
    kYes,
    kNo,      // and nothing that is learned later will change it
    kNotYet,  // its names are still to be learned
  };

  explicit WorkloadMatch(WorkloadFilter filter);

  bool active() const { return active_; }
  // Null: of the host.
  Verdict Judge(const Workload* workload) const;

 private:
  Verdict JudgeContainer(const Workload& workload) const;

  const WorkloadFilter filter_;
  const bool active_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_WORKLOAD_MATCH_H_
