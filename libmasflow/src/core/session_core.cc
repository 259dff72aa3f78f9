// SPDX-License-Identifier: Apache-2.0
#include "core/session_core.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace masflow::internal {
namespace {

std::size_t Index(StreamKind kind) {
  return static_cast<std::size_t>(kind);
}

}  // namespace

SessionCore::SessionCore(std::shared_ptr<RecordSource> source, WorkloadFilter filter)
    : source_(std::move(source)), attribution_(std::move(filter), [this](auto id, bool muted) {
        source_->SetMuted(id, muted);
      }) {}

SessionCore::~SessionCore() = default;

DrainResult SessionCore::Drain(std::size_t max_records) {
  if (on_driving_thread()) {
    return {};  // called from a callback
  }
  std::lock_guard lock(drive_);
  BeginTurn();
  DrainResult result = DrainTurn(max_records);
  FinishTurn();
  result.ended = ended_;
  result.more = result.more && !result.ended;
  if (thrown_ != nullptr) {
    std::rethrow_exception(std::exchange(thrown_, nullptr));
  }
  return result;
}

void SessionCore::BeginTurn() {
  driver_ = std::this_thread::get_id();
  std::lock_guard lock(table_);
  for (std::size_t i = 0; i < kStreamKinds; ++i) {
    active_[i] = streams_[i].sink.get();
  }
}

DrainResult SessionCore::DrainTurn(std::size_t max_records) {
  DrainResult result;
  if (stopped_ || ended_) {
    return result;
  }
  for (const Loss& loss : std::exchange(held_losses_, {})) {
    OnLoss(loss);
  }
  result.records = DeliverPending(max_records);
  bool source_ended = false;
  if (thrown_ == nullptr && !AnyPending() && result.records < max_records && !stopped_) {
    const DrainResult drained = source_->Drain(max_records - result.records, *this);
    result.records += drained.records;
    result.more = drained.more;
    source_ended = drained.ended;
  } else {
    result.more = true;
  }
  if (AnyPending()) {
    result.more = true;
  } else if (source_ended) {
    ended_ = true;
  }
  if (result.more || thrown_ != nullptr) {
    source_->Wake();  // for a host that goes back to poll() without a look at `more`
  }
  return result;
}

// One at a time: each callback may stop the session, close the stream or throw.
std::size_t SessionCore::DeliverPending(std::size_t max_records) {
  std::size_t count = 0;
  for (StreamSink* const& sink : active_) {
    while (count < max_records && thrown_ == nullptr && !stopped_ && sink != nullptr &&
           sink->CanDeliverPending()) {
      ++count;
      try {
        sink->DeliverPending();
      } catch (...) {
        thrown_ = std::current_exception();
      }
    }
  }
  return count;
}

void SessionCore::FinishTurn() {
  std::exchange(replaced_, {});  // the end of one may replace another
  if (stopped_) {
    ended_ = true;
  }
  for (std::size_t i = 0; i < kStreamKinds; ++i) {
    bool close = false;
    {
      std::lock_guard lock(table_);
      close = streams_[i].sink != nullptr && (streams_[i].closing || ended_);
    }
    if (close) {
      CloseNow(static_cast<StreamKind>(i), /*aborted=*/false);
    }
  }
  if (ended_) {
    source_->Wake();  // whoever polls shall see the end
  }
  driver_ = std::thread::id();
}

RecordSink::Verdict SessionCore::OnRecord(StreamKind stream, RecordBytes record) {
  StreamSink* const sink = active_[Index(stream)];
  if (sink == nullptr) {
    return Verdict::kStop;
  }
  Verdict verdict = Verdict::kStop;
  try {
    verdict = sink->OnRecord(record);
  } catch (...) {
    thrown_ = std::current_exception();
    return Verdict::kStop;
  }
  const bool gone = stopped_.load(std::memory_order_relaxed) || active_[Index(stream)] != sink;
  return gone ? Verdict::kStop : verdict;
}

RecordSink::Verdict SessionCore::OnCaughtUp(StreamKind stream) {
  StreamSink* const sink = active_[Index(stream)];
  return sink == nullptr ? Verdict::kStop : sink->OnCaughtUp();
}

void SessionCore::OnLoss(const Loss& loss) {
  if (thrown_ != nullptr) {
    held_losses_.push_back(loss);  // for the next turn: this one is on its way out
    return;
  }
  if (on_loss_ == nullptr || stopped_) {
    return;
  }
  try {
    (*on_loss_)(loss);
  } catch (...) {
    thrown_ = std::current_exception();
  }
}

void SessionCore::OnLoss(std::function<void(const Loss&)> callback) {
  std::unique_ptr<std::function<void(const Loss&)>> other;
  if (callback) {
    other = std::make_unique<std::function<void(const Loss&)>>(std::move(callback));
  }
  Exclusively([&] {
    std::swap(on_loss_, other);
    if (on_driving_thread()) {
      replaced_.push_back(std::move(other));
    }
  });
}

void SessionCore::Stop() {
  stopped_ = true;
  source_->Wake();
  Exclusively([this] {
    if (!on_driving_thread()) {
      FinishTurn();  // else it follows the callback that this is called from
    }
  });
}

absl::Status SessionCore::OpenStream(const StreamConfig& config, std::shared_ptr<StreamSink> sink) {
  absl::Status status;
  Exclusively([&] {
    const StreamKind kind = KindOf(config);
    std::lock_guard lock(table_);
    Stream& stream = streams_[Index(kind)];
    if (stopped_ || ended_) {
      status = absl::FailedPreconditionError("the session was stopped: create another one");
    } else if (stream.sink != nullptr) {
      status = absl::AlreadyExistsError("the session has an open " + std::string(Name(kind)) +
                                        " stream: use another session");
    } else if (status = source_->Open(config); status.ok()) {
      stream = {.sink = std::move(sink)};
      active_[Index(kind)] = stream.sink.get();
      closed_[Index(kind)] = {};
    }
  });
  return status;
}

void SessionCore::CloseStream(StreamKind kind, const StreamSink* sink) {
  Exclusively([&] {
    {
      std::lock_guard lock(table_);
      Stream& stream = streams_[Index(kind)];
      if (stream.sink.get() != sink) {
        return;  // ended before
      }
      stream.closing = true;
    }
    active_[Index(kind)] = nullptr;
    if (!on_driving_thread()) {
      CloseNow(kind, /*aborted=*/true);
    }
  });
}

void SessionCore::CloseNow(StreamKind kind, bool aborted) {
  std::shared_ptr<StreamSink> sink;
  {
    std::lock_guard lock(table_);
    Stream& stream = streams_[Index(kind)];
    StreamStats& last = closed_[Index(kind)];
    const SourceCounters counters = source_->Counters(kind);
    stream.sink->SettleCounts();
    stream.sink->AddCounts(&last);
    last.produced += counters.produced;
    last.lost = counters.lost;
    source_->Close(kind);
    sink = std::exchange(stream.sink, nullptr);
    aborted = aborted || stream.closing;
    stream.closing = false;
  }
  sink->OnEnd(aborted);
}

void SessionCore::Resume(StreamKind kind) {
  Exclusively([&] {
    if (!ended_) {
      source_->SetPaused(kind, false);
      source_->Wake();
    }
  });
}

bool SessionCore::AnyPending() const {
  return std::any_of(active_.begin(), active_.end(), [](const StreamSink* sink) {
    return sink != nullptr && sink->CanDeliverPending();
  });
}

SessionStats SessionCore::stats() const {
  SessionStats stats;
  stats.workloads = attribution_.stats();
  stats.workloads.name_failures = source_->NameFailures();
  std::lock_guard lock(table_);
  stats.memory = source_->Memory();
  for (std::size_t i = 0; i < kStreamKinds; ++i) {
    if (streams_[i].sink == nullptr) {
      stats.streams[i] = closed_[i];
      continue;
    }
    stats.memory.host_most += streams_[i].sink->MostBytes();
    streams_[i].sink->AddCounts(&stats.streams[i]);  // first: no more than was produced
    const SourceCounters counters = source_->Counters(static_cast<StreamKind>(i));
    stats.streams[i].produced += counters.produced;
    stats.streams[i].lost = counters.lost;
  }
  stats.programs = source_->Costs();
  return stats;
}

SupportReport SessionCore::support() const {
  std::lock_guard lock(table_);
  return source_->Support();
}

WallTime SessionCore::ToWallTime(KernelTime time) const {
  const ClockMapping clock = source_->Clock();
  const std::int64_t since_epoch = time.time_since_epoch().count();
  std::int64_t offset = 0;
  std::int64_t at = 0;
  // A damaged recording may hold any numbers.
  if (__builtin_sub_overflow(clock.realtime_ns, clock.monotonic_ns, &offset) ||
      __builtin_add_overflow(since_epoch, offset, &at)) {
    return since_epoch < 0 ? WallTime::min() : WallTime::max();
  }
  return WallTime(std::chrono::nanoseconds(at));
}

}  // namespace masflow::internal
