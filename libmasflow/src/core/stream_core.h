// SPDX-License-Identifier: Apache-2.0
//
// Behind every stream: from its records to the host's callbacks, or to its AsyncNext.
#ifndef MASFLOW_CORE_STREAM_CORE_H_
#define MASFLOW_CORE_STREAM_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "core/session_core.h"
#include "core/stream_sink.h"
#include "masflow/next_operation.h"
#include "masflow/stats.h"

namespace masflow::internal {

// Traits: `Event`, what Own() makes of a view, or the variant of that; `kKind`; `Slots`, a
// std::tuple of CallbackSlot<View> for each of the views.
template <class View>
using CallbackSlot = std::unique_ptr<std::function<void(const View&)>>;

// From events to whoever takes them.
template <class Traits>
class EventStreamCore : public StreamSink {
 public:
  template <class View>
  using Callback = std::function<void(const View&)>;
  using Operation = NextOperation<typename Traits::Event>;

  explicit EventStreamCore(std::shared_ptr<SessionCore> session) : session_(std::move(session)) {}

  SessionCore& session() { return *session_; }

  // See ProcessStream::OnExec.
  template <class View>
  void SetCallback(Callback<View> callback) {
    CallbackSlot<View> other;
    if (callback) {
      // On the heap, so that a callback may replace the one it runs in.
      other = std::make_unique<Callback<View>>(std::move(callback));
    }
    session_->Exclusively([&] {
      std::swap(std::get<CallbackSlot<View>>(slots_), other);
      if (delivering_) {
        replaced_.push_back(std::move(other));
      }
    });
  }

  // See ProcessStream::StartNext.
  void StartNext(std::unique_ptr<Operation> operation) {
    std::optional<typename Operation::Failure> failure;
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
      session_->Resume(Traits::kKind);
    }
  }

  Verdict OnCaughtUp() override { return Verdict::kContinue; }
  void DeliverPending() override {}
  bool CanDeliverPending() const override { return false; }

  void OnEnd(bool aborted) override {
    ended_ = true;
    if (operation_ != nullptr) {
      std::exchange(operation_, nullptr)
          ->Fail(aborted ? Operation::Failure::kAborted : Operation::Failure::kEnded);
    }
  }

  void AddCounts(StreamStats* stats) const override {
    stats->delivered += delivered_.load(std::memory_order_acquire);
    stats->unheard += unheard_.load(std::memory_order_acquire);
    stats->merged += merged_.load(std::memory_order_acquire);
    stats->malformed += malformed_.load(std::memory_order_acquire);
    stats->filtered += filtered_.load(std::memory_order_acquire);
  }

 protected:
  // False: AsyncNext is in use, and none waits for an event.
  bool CanDeliver() const { return !pulled_ || operation_ != nullptr; }

  // Says whose it is, and hands it out if it is wanted.
  template <class View>
  void DeliverView(View& view) {
    if (!session_->attribution().Attribute(&view)) {
      Add(filtered_, 1);
      return;
    }
    if (operation_ != nullptr) {
      Add(delivered_, 1);
      std::exchange(operation_, nullptr)->Complete(Own(view));
      return;
    }
    const Callback<View>* const callback = std::get<CallbackSlot<View>>(slots_).get();
    if (callback == nullptr) {
      Add(unheard_, 1);
      return;
    }
    struct Running {
      EventStreamCore& stream;
      explicit Running(EventStreamCore& s) : stream(s) { stream.delivering_ = true; }
      ~Running() {
        stream.delivering_ = false;
        std::exchange(stream.replaced_, {});  // the end of one may replace another
      }
    } running(*this);
    Add(delivered_, 1);
    (*callback)(view);
  }

  void NoteMalformed() { Add(malformed_, 1); }
  void NoteMerged(std::uint64_t records) { Add(merged_, records); }
  void NoteUnheard(std::uint64_t events) { Add(unheard_, events); }

  // One writer, many readers: no locked instruction needed. In order, so that who reads the
  // count and then what was produced finds no more delivered than produced.
  static void Add(std::atomic<std::uint64_t>& count, std::uint64_t n) {
    count.store(count.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

 private:
  const std::shared_ptr<SessionCore> session_;

  typename Traits::Slots slots_;
  bool delivering_ = false;
  std::vector<std::shared_ptr<void>> replaced_;  // callbacks that may still be running

  bool pulled_ = false;  // AsyncNext was called: events go there only
  bool ended_ = false;
  std::unique_ptr<Operation> operation_;

  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> unheard_{0};
  std::atomic<std::uint64_t> merged_{0};
  std::atomic<std::uint64_t> malformed_{0};
  std::atomic<std::uint64_t> filtered_{0};
};

// Of a stream each of whose records is an event. Traits: also `Decoder`, whose
// Decode(RecordBytes) gives std::optional<std::variant<Views...>>.
template <class Traits>
class StreamCore : public EventStreamCore<Traits> {
 public:
  using EventStreamCore<Traits>::EventStreamCore;
  using Verdict = StreamSink::Verdict;

  Verdict OnRecord(RecordBytes record) override {
    Deliver(record);
    return this->CanDeliver() ? Verdict::kContinue : Verdict::kPause;
  }

 protected:
  void Deliver(RecordBytes record) {
    auto view = decoder_.Decode(record);
    if (!view.has_value()) {
      this->NoteMalformed();
      return;
    }
    std::visit([this](auto& event) { this->DeliverView(event); }, *view);
  }

 private:
  typename Traits::Decoder decoder_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_STREAM_CORE_H_
