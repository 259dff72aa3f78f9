// SPDX-License-Identifier: Apache-2.0
//
// The middle of a session: takes records from the source, hands them to the streams,
// and keeps order between the driving thread and all others.
#ifndef MASFLOW_CORE_SESSION_CORE_H_
#define MASFLOW_CORE_SESSION_CORE_H_

#include <array>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <absl/status/status.h>

#include "core/record_source.h"
#include "core/stream_sink.h"
#include "masflow/session.h"
#include "workload/attribution.h"

namespace masflow::internal {

// Locks, in the order in which they are taken:
//   drive_   held by whoever runs callbacks or changes what they see. On the driving
//            thread itself (in a callback) it is already held.
//   table_   held for moments: guards streams_, closed_ and the source's Open, Close
//            and Counters, so that stats() never waits for a callback.
class SessionCore : private RecordSink {
 public:
  explicit SessionCore(std::shared_ptr<RecordSource> source, WorkloadFilter filter = {});
  ~SessionCore() override;

  // See Session.
  int poll_fd() const { return source_->poll_fd(); }
  DrainResult Drain(std::size_t max_records);
  void Stop();
  void OnLoss(std::function<void(const Loss&)> callback);
  SessionStats stats() const;
  SupportReport support() const;
  WallTime ToWallTime(KernelTime time) const;
  absl::Status status() const { return source_->EndStatus(); }

  // For the streams, on the driving thread.
  Attribution& attribution() { return attribution_; }

  absl::Status OpenStream(const StreamConfig& config, std::shared_ptr<StreamSink> sink);
  // Detaches. From a callback the hooks go at the end of the turn, but no callback follows.
  void CloseStream(StreamKind kind, const StreamSink* sink);
  // A paused stream (Verdict::kPause) can take records again.
  void Resume(StreamKind kind);

  // Runs `change` while no callback is in progress on another thread.
  template <class Change>
  void Exclusively(Change&& change) {
    if (on_driving_thread()) {
      change();
      return;
    }
    std::lock_guard lock(drive_);
    change();
  }
  bool on_driving_thread() const { return driver_.load() == std::this_thread::get_id(); }

 private:
  struct Stream {
    std::shared_ptr<StreamSink> sink;
    bool closing = false;  // to be closed at the end of the turn
  };

  Verdict OnRecord(StreamKind stream, RecordBytes record) override;
  void OnLoss(const Loss& loss) override;
  Verdict OnCaughtUp(StreamKind stream) override;
  void OnWorkload(RecordBytes news) override { attribution_.OnNews(news); }

  void BeginTurn();
  DrainResult DrainTurn(std::size_t max_records);
  std::size_t DeliverPending(std::size_t max_records);
  void FinishTurn();
  bool AnyPending() const;
  void CloseNow(StreamKind kind, bool aborted);

  const std::shared_ptr<RecordSource> source_;
  Attribution attribution_;
  std::atomic<bool> stopped_{false};
  std::atomic<bool> ended_{false};

  std::mutex drive_;
  std::atomic<std::thread::id> driver_{};
  // Of the turn in progress, so that a record costs no lock and no reference count: a
  // stream lives at least until the turn ends.
  std::array<StreamSink*, kStreamKinds> active_{};
  std::exception_ptr thrown_;  // by a callback, kept until no frame of a C library is on the stack
  std::vector<Loss> held_losses_;
  std::unique_ptr<std::function<void(const Loss&)>> on_loss_;
  std::vector<std::unique_ptr<std::function<void(const Loss&)>>> replaced_;  // may still be running

  mutable std::mutex table_;
  std::array<Stream, kStreamKinds> streams_;
  std::array<StreamStats, kStreamKinds> closed_{};  // last counts of closed streams
};

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_SESSION_CORE_H_
