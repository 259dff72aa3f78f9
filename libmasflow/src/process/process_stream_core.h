// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_PROCESS_PROCESS_STREAM_CORE_H_
#define MASFLOW_PROCESS_PROCESS_STREAM_CORE_H_

#include <memory>
#include <tuple>

#include "core/stream_core.h"
#include "masflow/events.h"
#include "process/snapshot_join.h"
#include "wire/process_record.h"

namespace masflow::internal {

struct ProcessStreamTraits {
  using Decoder = ProcessDecoder;
  using Event = ProcessEvent;
  using Slots = std::tuple<CallbackSlot<ProcessExecView>, CallbackSlot<ProcessExitView>,
                           CallbackSlot<ProcessForkView>, CallbackSlot<ProcessExecFailureView>>;
  static constexpr StreamKind kKind = StreamKind::kProcess;
};

// Behind ProcessStream: adds the joining of the snapshot.
class ProcessStreamCore final : public StreamCore<ProcessStreamTraits> {
 public:
  ProcessStreamCore(std::shared_ptr<SessionCore> session, bool snapshot);

  Verdict OnRecord(RecordBytes record) override;
  Verdict OnCaughtUp() override;
  void DeliverPending() override;
  bool CanDeliverPending() const override { return join_.ready() && CanDeliver(); }

 private:
  SnapshotJoin join_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_PROCESS_PROCESS_STREAM_CORE_H_
