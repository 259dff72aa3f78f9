// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_HTTP_STREAM_CORE_H_
#define MASFLOW_HTTP_HTTP_STREAM_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <tuple>

#include "core/stream_core.h"
#include "http/connection_table.h"
#include "masflow/http_events.h"
#include "masflow/http_stream.h"
#include "wire/http_record.h"

namespace masflow::internal {

struct HttpStreamTraits {
  using Event = HttpExchange;
  using Slots = std::tuple<CallbackSlot<HttpExchangeView>>;
  static constexpr StreamKind kKind = StreamKind::kHttp;
};

// Behind HttpStream: makes exchanges of records. A record can complete several; the first is
// delivered with it, the others after it, one by one, before the next record is taken.
class HttpStreamCore final : public EventStreamCore<HttpStreamTraits> {
 public:
  HttpStreamCore(std::shared_ptr<SessionCore> session, const HttpOptions& options);

  Verdict OnRecord(RecordBytes record) override;
  void DeliverPending() override;
  bool CanDeliverPending() const override { return has_done() && CanDeliver(); }
  void SettleCounts() override;
  void AddCounts(StreamStats* stats) const override;
  std::uint64_t MostBytes() const override { return most_bytes_; }

 private:
  // Done are those that CanDeliverPending() tells of: whole, with texts of their own.
  bool has_done() const { return !table_->context().done.empty(); }
  void DeliverFirst();
  void NoteMade(std::uint64_t exchanges);

  const std::uint64_t most_bytes_;
  HttpDecoder decoder_;
  const std::unique_ptr<ConnectionTable> table_;
  std::atomic<std::uint64_t> made_{0};  // exchanges, as far as they were handed on
};

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_HTTP_STREAM_CORE_H_
