// SPDX-License-Identifier: Apache-2.0
#include "http/http_stream_core.h"

#include <optional>
#include <utility>

namespace masflow::internal {

HttpStreamCore::HttpStreamCore(std::shared_ptr<SessionCore> session, const HttpOptions& options)
    : EventStreamCore(std::move(session)),
      most_bytes_(ConnectionTable::MostBytes(options)),
      table_(std::make_unique<ConnectionTable>(options)) {}

RecordSink::Verdict HttpStreamCore::OnRecord(RecordBytes record) {
  const std::optional<HttpRecordView> view = decoder_.Decode(record);
  if (!view.has_value()) {
    NoteMalformed();
  } else {
    NoteMerged(1);
    table_->OnRecord(*view);
    if (has_done() && CanDeliver()) {
      DeliverFirst();  // may throw: the record is digested
    }
  }
  if (!CanDeliver()) {
    return Verdict::kPause;
  }
  return has_done() ? Verdict::kStop : Verdict::kContinue;
}

void HttpStreamCore::DeliverPending() {
  DeliverFirst();
}

void HttpStreamCore::DeliverFirst() {
  HttpContext& context = table_->context();
  struct Releasing {
    ExchangePool& pool;
    Exchange* const exchange;
    ~Releasing() { pool.Release(exchange); }
  } const first{context.pool, context.done.Pop()};
  NoteMade(1);
  DeliverView(first.exchange->view());
}

void HttpStreamCore::SettleCounts() {
  HttpContext& context = table_->context();
  NoteMade(context.done.size());
  NoteUnheard(context.done.size());
  context.pool.ReleaseAll(&context.done);
}

void HttpStreamCore::AddCounts(StreamStats* stats) const {
  EventStreamCore::AddCounts(stats);  // first: no more than was produced
  stats->produced += made_.load(std::memory_order_acquire);
}

// By one thread at a time.
void HttpStreamCore::NoteMade(std::uint64_t exchanges) {
  made_.store(made_.load(std::memory_order_relaxed) + exchanges, std::memory_order_release);
}

}  // namespace masflow::internal
