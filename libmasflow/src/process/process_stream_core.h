// SPDX-License-Identifier: Apache-2.0
//
// Behind ProcessStream: from records to the host's callbacks, or to its AsyncNext.
#ifndef MASFLOW_PROCESS_PROCESS_STREAM_CORE_H_
#define MASFLOW_PROCESS_PROCESS_STREAM_CORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/session_core.h"
#include "core/stream_sink.h"
#include "masflow/events.h"
#include "masflow/next_operation.h"
#include "process/snapshot_join.h"
#include "wire/process_record.h"

namespace masflow::internal {

class ProcessStreamCore : public StreamSink {
 public:
  template <class View>
  using Callback = std::function<void(const View&)>;
  using Operation = NextOperation<ProcessEvent>;

  ProcessStreamCore(std::shared_ptr<SessionCore> session, bool snapshot);
  ~ProcessStreamCore() override;

  SessionCore& session() { return *session_; }

  // See ProcessStream.
  template <class View>
  void SetCallback(Callback<View> callback);
  void StartNext(std::unique_ptr<Operation> operation);

  Verdict OnRecord(RecordBytes record) override;
  Verdict OnCaughtUp() override;
  void DeliverPending() override;
  bool CanDeliverPending() const override { return join_.ready() && CanDeliver(); }
  void OnEnd(bool aborted) override;
  void AddCounts(StreamStats* stats) const override;

 private:
  // On the heap, so that a callback may replace the one it runs in.
  template <class View>
  using Slot = std::unique_ptr<Callback<View>>;

  template <class View>
  Slot<View>& slot();
  bool CanDeliver() const { return !pulled_ || operation_ != nullptr; }
  void Deliver(RecordBytes record);
  template <class View>
  void DeliverView(const View& view);

  const std::shared_ptr<SessionCore> session_;
  ProcessDecoder decoder_;
  SnapshotJoin join_;

  Slot<ProcessExecView> on_exec_;
  Slot<ProcessExitView> on_exit_;
  Slot<ProcessForkView> on_fork_;
  Slot<ProcessExecFailureView> on_exec_failure_;
  bool delivering_ = false;
  std::vector<std::shared_ptr<void>> replaced_;  // callbacks that may still be running

  bool pulled_ = false;  // AsyncNext was called: events go there only
  bool ended_ = false;
  std::unique_ptr<Operation> operation_;

  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> unheard_{0};
  std::atomic<std::uint64_t> merged_{0};
  std::atomic<std::uint64_t> malformed_{0};
};

}  // namespace masflow::internal

#endif  // MASFLOW_PROCESS_PROCESS_STREAM_CORE_H_
