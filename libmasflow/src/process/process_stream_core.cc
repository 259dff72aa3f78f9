// SPDX-License-Identifier: Apache-2.0
#include "process/process_stream_core.h"

#include <optional>
#include <utility>
#include <variant>

namespace masflow::internal {
namespace {

// One writer, many readers: no locked instruction needed. In order, so that who reads the
// count and then what was produced finds no more delivered than produced.
void Add(std::atomic<std::uint64_t>& count, std::uint64_t n) {
  count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_release);
}

}  // namespace

ProcessStreamCore::ProcessStreamCore(std::shared_ptr<SessionCore> session, bool snapshot)
    : session_(std::move(session)) {
  if (!snapshot) {
    join_.CaughtUp();  // nothing to join
  }
}

ProcessStreamCore::~ProcessStreamCore() = default;

template <>
ProcessStreamCore::Slot<ProcessExecView>& ProcessStreamCore::slot() {
  return on_exec_;
}
template <>
ProcessStreamCore::Slot<ProcessExitView>& ProcessStreamCore::slot() {
  return on_exit_;
}
template <>
ProcessStreamCore::Slot<ProcessForkView>& ProcessStreamCore::slot() {
  return on_fork_;
}
template <>
ProcessStreamCore::Slot<ProcessExecFailureView>& ProcessStreamCore::slot() {
  return on_exec_failure_;
}

template <class View>
void ProcessStreamCore::SetCallback(Callback<View> callback) {
  Slot<View> other;
  if (callback) {
    other = std::make_unique<Callback<View>>(std::move(callback));
  }
  session_->Exclusively([&] {
    std::swap(slot<View>(), other);
    if (delivering_) {
      replaced_.push_back(std::move(other));
    }
  });
}

template void ProcessStreamCore::SetCallback(Callback<ProcessExecView>);
template void ProcessStreamCore::SetCallback(Callback<ProcessExitView>);
template void ProcessStreamCore::SetCallback(Callback<ProcessForkView>);
template void ProcessStreamCore::SetCallback(Callback<ProcessExecFailureView>);

void ProcessStreamCore::StartNext(std::unique_ptr<Operation> operation) {
  std::optional<Operation::Failure> failure;
  session_->Exclusively([&] {
    if (ended_) {
      failure = Operation::Failure::kEnded;
    } else if (operation_ != nullptr) {
      failure = Operation::Failure::kBusy;
    } else {
      pulled_ = true;
      operation_ = std::move(operation);
    }
  });
  if (failure.has_value()) {
    operation->Fail(*failure);
  } else {
    session_->Resume(StreamKind::kProcess);
  }
}

RecordSink::Verdict ProcessStreamCore::OnRecord(RecordBytes record) {
  if (join_.idle() && CanDeliver()) {
    Deliver(record);
    return CanDeliver() ? Verdict::kContinue : Verdict::kPause;
  }
  const std::optional<ProcessRecordHead> head = PeekProcessRecord(record);
  if (!head.has_value()) {
    Add(malformed_, 1);
    return Verdict::kContinue;
  }
  Add(merged_, join_.Add(*head, record));
  if (!join_.ready()) {
    return Verdict::kContinue;
  }
  return CanDeliver() ? Verdict::kStop : Verdict::kPause;  // first what is held
}

RecordSink::Verdict ProcessStreamCore::OnCaughtUp() {
  Add(merged_, join_.CaughtUp());
  return join_.ready() ? Verdict::kStop : Verdict::kContinue;
}

void ProcessStreamCore::DeliverPending() {
  const std::vector<std::byte> record = join_.Pop();
  Deliver(record);
}

void ProcessStreamCore::Deliver(RecordBytes record) {
  const std::optional<ProcessRecordView> view = decoder_.Decode(record);
  if (!view.has_value()) {
    Add(malformed_, 1);
    return;
  }
  std::visit([this](const auto& event) { DeliverView(event); }, *view);
}

template <class View>
void ProcessStreamCore::DeliverView(const View& view) {
  if (operation_ != nullptr) {
    Add(delivered_, 1);
    std::exchange(operation_, nullptr)->Complete(Own(view));
    return;
  }
  Callback<View>* const callback = slot<View>().get();
  if (callback == nullptr) {
    Add(unheard_, 1);
    return;
  }
  struct Running {
    ProcessStreamCore& stream;
    explicit Running(ProcessStreamCore& s) : stream(s) { stream.delivering_ = true; }
    ~Running() {
      stream.delivering_ = false;
      std::exchange(stream.replaced_, {});  // the end of one may replace another
    }
  } running(*this);
  Add(delivered_, 1);
  (*callback)(view);
}

void ProcessStreamCore::OnEnd(bool aborted) {
  ended_ = true;
  if (operation_ != nullptr) {
    std::exchange(operation_, nullptr)
        ->Fail(aborted ? Operation::Failure::kAborted : Operation::Failure::kEnded);
  }
}

void ProcessStreamCore::AddCounts(StreamStats* stats) const {
  stats->delivered += delivered_.load(std::memory_order_acquire);
  stats->unheard += unheard_.load(std::memory_order_acquire);
  stats->merged += merged_.load(std::memory_order_acquire);
  stats->malformed += malformed_.load(std::memory_order_acquire);
}

}  // namespace masflow::internal
