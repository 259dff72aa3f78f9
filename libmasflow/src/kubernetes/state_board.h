// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_STATE_BOARD_H_
#define MASFLOW_KUBERNETES_STATE_BOARD_H_

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "masflow/workload.h"

namespace masflow::internal {

// One state out of those of several workers: the first that is not OK. Any thread.
class StateBoard {
 public:
  StateBoard(NameSink* sink, std::size_t workers)
      : sink_(sink), states_(workers, absl::UnknownError("no answer yet")) {
    sink_->OnState(states_.front());
  }

  void Set(std::size_t worker, absl::Status state) {
    std::lock_guard lock(lock_);
    states_[worker] = std::move(state);
    const auto bad = std::find_if(states_.begin(), states_.end(),
                                  [](const absl::Status& of) { return !of.ok(); });
    sink_->OnState(bad == states_.end() ? absl::OkStatus() : *bad);
  }

 private:
  NameSink* const sink_;
  std::mutex lock_;
  std::vector<absl::Status> states_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_STATE_BOARD_H_
