// SPDX-License-Identifier: Apache-2.0
#include "http/http_connection.h"

#include <algorithm>
#include <utility>

namespace masflow::internal {
namespace {

constexpr std::size_t kMostOutstanding = 256;

constexpr std::uint16_t kSwitchingProtocols = 101;
constexpr std::uint16_t kNoContent = 204;
constexpr std::uint16_t kNotModified = 304;

bool IsInterim(std::uint16_t status) {
  return status >= 100 && status < 200 && status != kSwitchingProtocols;
}
bool IsSuccess(std::uint16_t status) {
  return status >= 200 && status < 300;
}

// RFC 9112 6.3. Transfer-Encoding wins over Content-Length.
Framing FramingOf(const MessageHead& head, bool without_body) {
  const bool is_request = head.kind == HeadKind::kRequest;
  if (head.truncated) {
    return Framing::kUnclear;  // where the body begins is not known
  }
  if (without_body) {
    return Framing::kNone;
  }
  switch (head.coding) {
    case CodingHeader::kChunked:
      return Framing::kChunked;
    case CodingHeader::kOther:
      return is_request ? Framing::kUnclear : Framing::kUntilClose;
    case CodingHeader::kAbsent:
      break;
  }
  switch (head.length) {
    case LengthHeader::kUnclear:
      return Framing::kUnclear;
    case LengthHeader::kKnown:
      return head.content_length == 0 ? Framing::kNone : Framing::kLength;
    case LengthHeader::kAbsent:
      break;
  }
  return is_request ? Framing::kNone : Framing::kUntilClose;
}

}  // namespace

HttpContext::HttpContext(const HttpOptions& options)
    : reader{.request_headers = HeaderChoice(options.request_headers),
             .response_headers = HeaderChoice(options.response_headers)},
      query(options.query) {}

HttpConnection::HttpConnection(const ConnectionView& connection) {
  SetOwner(connection);
  if (connection.pre_existing) {
    for (WayParser& way : ways_) {
      way.Lose();
    }
  }
}

void HttpConnection::SetOwner(const ConnectionView& connection) {
  const auto in_head_of = [this](std::uint8_t way) {
    return Expects(way).request && ways_[way].has_partial_head();
  };
  const bool in_head = in_head_of(MF_WAY_SENT) || in_head_of(MF_WAY_RECEIVED);
  if (in_head && former_ == nullptr) {
    former_ = std::make_unique<FormerOwner>(FormerOwner{connection_.owner, comm_});
    if (former_->owner.has_value()) {
      former_->owner->comm = {former_->comm.data(), former_->owner->comm.size()};
    }
  }
  connection_ = connection;
  if (connection_.owner.has_value()) {
    const std::string_view comm = connection.owner->comm.substr(0, comm_.size());
    comm.copy(comm_.data(), comm.size());
    connection_.owner->comm = {comm_.data(), comm.size()};
  }
}

WayParser::Expected HttpConnection::Expects(std::uint8_t way) const {
  const bool any = request_way_ == kUnknownWay;
  return {.request = any || is_request_way(way), .response = any || !is_request_way(way)};
}

void HttpConnection::OnData(const HttpDataRecord& data, HttpContext* context) {
  if (ignored_) {
    return;
  }
  NoteFirst(data);
  NoteTurn(data, context);
  const std::uint64_t next = ways_[data.way].next();
  if (data.offset > next) {
    // What passed before a turn is no response to the last request.
    before_turn_ = data.turn && waiting_.size() <= 1;
    Take(data.way, {.offset = next, .unread = data.offset - next}, context);
    before_turn_ = false;
  }
  // What repeats is dropped.
  const std::uint64_t again =
      next > data.offset ? std::min<std::uint64_t>(next - data.offset, data.length) : 0;
  const auto bytes_again =
      static_cast<std::size_t>(std::min<std::uint64_t>(again, data.bytes.size()));
  Take(data.way,
       {.offset = data.offset + again,
        .bytes = data.bytes.substr(bytes_again),
        .unread = data.length - data.bytes.size() - (again - bytes_again),
        .time = data.time,
        .turn = data.turn,
        .start = data.start},
       context);
}

void HttpConnection::NoteFirst(const HttpDataRecord& data) {
  if (!started_ && data.offset > 0) {
    for (WayParser& way : ways_) {
      way.Lose();  // its records before this one were lost
    }
  }
  cgroup_id_ = data.cgroup_id;
  if (!ways_[data.way].has_partial_head()) {
    head_cgroup_ids_[data.way] = data.cgroup_id;
    if (Expects(data.way).request) {
      former_.reset();
    }
  }
}

// A turn that follows nothing of the other way tells that records of that were lost.
void HttpConnection::NoteTurn(const HttpDataRecord& data, HttpContext* context) {
  const auto other = static_cast<std::uint8_t>(1 - data.way);
  if (data.turn && started_ && !moved_[other] && ways_[other].awaits_head()) {
    ways_[other].Lose();
    OnLost(other, context);
  }
  started_ = true;
  moved_[data.way] = true;
  moved_[other] = false;
}

void HttpConnection::OnProgress(const HttpWayRecords& ways, HttpContext* context) {
  // What moved last is the response more often, and must not overtake the request.
  const std::uint8_t first = request_way_ == MF_WAY_RECEIVED ? MF_WAY_RECEIVED : MF_WAY_SENT;
  for (const std::uint8_t i : {first, static_cast<std::uint8_t>(1 - first)}) {
    const HttpWayRecord& way = ways[i];
    const std::uint64_t next = ways_[i].next();
    if (ignored_ || way.end < next || way.end <= ways_[i].seen_end()) {
      continue;
    }
    moved_[i] = moved_[i] || way.end > next;
    Take(i, {.offset = next, .unread = way.end - next, .time = way.last, .tail = way.tail},
         context);
  }
}

void HttpConnection::Take(std::uint8_t way, WayChunk&& chunk, HttpContext* context) {
  WayParser& parser = ways_[way];
  const bool moves = chunk.bytes.size() + chunk.unread > 0;
  while (!ignored_) {
    switch (chunk.is_used_up() ? WayParser::Step::kMore
                               : parser.Advance(&chunk, Expects(way), &context->reader)) {
      case WayParser::Step::kMore:
        if (moves && !before_turn_ && parser.is_lost()) {
          OnPassedOver(way, context);
        }
        return;
      case WayParser::Step::kHead:
        OnHead(way, chunk, context);
        break;
      case WayParser::Step::kEnd:
        OnBodyEnd(way, context);
        break;
      case WayParser::Step::kNotHead:
        if (!OnNotHead(way, context)) {
          return;
        }
        break;
      case WayParser::Step::kLost:
        OnLost(way, context);
        break;
    }
  }
}

bool HttpConnection::OnNotHead(std::uint8_t way, HttpContext* context) {
  // Behind a request there may be anything (a body that its head does not tell of). What is
  // no response answers no request, and what begins with neither is not HTTP.
  if (!confirmed_ && !(request_way_ != kUnknownWay && is_request_way(way))) {
    Ignore(context);
    return false;
  }
  ways_[way].Lose();
  OnLost(way, context);
  return true;
}

// Bytes in which no message was found: they may be the response to what is waiting.
void HttpConnection::OnPassedOver(std::uint8_t way, HttpContext* context) {
  if (request_way_ != kUnknownWay && !is_request_way(way)) {
    Flush(HttpOutcome::kLost, context);
  }
}

// Heads passed unseen.
void HttpConnection::OnLost(std::uint8_t way, HttpContext* context) {
  if (request_way_ == kUnknownWay) {
    return;  // nothing is outstanding
  }
  if (is_request_way(way)) {
    unsure_ = true;
    return;
  }
  passed_over_ = 0;
  Flush(HttpOutcome::kLost, context);
}

void HttpConnection::OnHead(std::uint8_t way, const WayChunk& chunk, HttpContext* context) {
  const bool is_request = context->reader.head.kind == HeadKind::kRequest;
  if (request_way_ == kUnknownWay) {
    SetRequestWay(is_request ? way : static_cast<std::uint8_t>(1 - way), context);
  }
  if (ignored_) {
    return;
  }
  if (is_request) {
    OnRequest(chunk, context);
  } else {
    OnResponse(chunk.time, context);
  }
}

// What there is of a head in the other way may not be one any more.
void HttpConnection::SetRequestWay(std::uint8_t way, HttpContext* context) {
  request_way_ = way;
  for (std::uint8_t i = 0; i < MF_WAYS; ++i) {
    if (!ways_[i].partial_head_is_none(Expects(i))) {
      continue;
    }
    if (ways_[i].is_guess()) {
      ways_[i].Lose();
    } else {
      Ignore(context);
      return;
    }
  }
}

void HttpConnection::OnRequest(const WayChunk& chunk, HttpContext* context) {
  // Who sends the next request has the response to the former one.
  if (chunk.turn && responding_ && response().in_unclear_body()) {
    Exchange* const front = waiting_.front();
    front->SetLastByte(response().last_time());
    FinishFront(HttpOutcome::kComplete, context);
    response().Lose();
  } else if (chunk.turn && !responding_ && response().is_lost()) {
    OnLost(static_cast<std::uint8_t>(1 - request_way_), context);  // it passed, but was not found
  }
  const bool is_pairable = !unsure_ || chunk.turn;
  unsure_ = !is_pairable;

  const MessageHead& head = context->reader.head;
  Exchange* const exchange = NewExchange(context);
  exchange->SetRequest(head, context->reader.chosen, context->query);
  const Framing framing = FramingOf(head, exchange->is_connect());
  request().BeginBody(framing, head.content_length, /*uncertain=*/false);
  exchange->event.request_body = request().body();
  if (framing != Framing::kNone) {
    sending_ = exchange;
  } else if (exchange->is_connect()) {
    request().Hold();
  }
  if (is_pairable) {
    Push(exchange, context);
  } else {
    Finish(exchange, HttpOutcome::kLost, context);
  }
}

// Of the process that moved the first byte.
Exchange* HttpConnection::NewExchange(HttpContext* context) {
  Exchange* const exchange = context->pool.Acquire();
  const HttpRole role = request_way_ == MF_WAY_SENT ? HttpRole::kClient : HttpRole::kServer;
  if (former_ == nullptr) {
    exchange->Begin(request().head_time(), connection_, role);
  } else {
    ConnectionView connection = connection_;
    connection.owner = former_->owner;
    exchange->Begin(request().head_time(), connection, role);
    former_.reset();
  }
  if (exchange->event.connection.owner.has_value()) {
    exchange->event.connection.owner->cgroup_id = head_cgroup_ids_[request_way_];
  }
  head_cgroup_ids_[request_way_] = cgroup_id_;
  return exchange;
}

void HttpConnection::Push(Exchange* exchange, HttpContext* context) {
  if (waiting_.size() >= kMostOutstanding) {
    // Its response, if it is not in progress, is yet to come.
    passed_over_ += responding_ ? 0 : 1;
    FinishFront(HttpOutcome::kLost, context);
  }
  waiting_.Push(exchange);
}

void HttpConnection::OnResponse(const std::optional<KernelTime>& now, HttpContext* context) {
  const MessageHead& head = context->reader.head;
  if (IsInterim(head.status)) {
    response().BeginBody(head.truncated ? Framing::kUnclear : Framing::kNone, 0,
                         /*uncertain=*/false);
    return;
  }
  if (passed_over_ == 0 && !waiting_.empty()) {
    Pair(now, context);
    return;
  }
  // Of a request that was not seen. If that was a HEAD, there is no body.
  const bool is_overflow = passed_over_ > 0;
  passed_over_ -= is_overflow ? 1 : 0;
  const bool without_body = head.status == kNoContent || head.status == kNotModified;
  if (head.status == kSwitchingProtocols) {
    Ignore(context);
    return;
  }
  response().BeginBody(FramingOf(head, without_body), head.content_length,
                       /*uncertain=*/!is_overflow);
}

void HttpConnection::Pair(const std::optional<KernelTime>& now, HttpContext* context) {
  const MessageHead& head = context->reader.head;
  Exchange* const exchange = waiting_.front();
  confirmed_ = true;
  exchange->SetResponse(head, context->reader.chosen, response().head_time());
  const bool is_tunnel = exchange->is_connect() && IsSuccess(head.status);
  if (head.status == kSwitchingProtocols || is_tunnel) {
    exchange->event.response_body.exact = true;
    exchange->SetLastByte(now);
    FinishFront(HttpOutcome::kUpgraded, context);
    Ignore(context);
    return;
  }
  if (exchange->is_connect()) {
    request().Lose();  // it was no tunnel; the next request follows
  }
  const Framing framing = FramingOf(
      head, exchange->is_head() || head.status == kNoContent || head.status == kNotModified);
  response().BeginBody(framing, head.content_length, /*uncertain=*/false);
  responding_ = true;
  if (framing == Framing::kNone) {
    exchange->SetLastByte(now);
    FinishFront(HttpOutcome::kComplete, context);
  }
}

void HttpConnection::OnBodyEnd(std::uint8_t way, HttpContext* context) {
  if (is_request_way(way)) {
    if (sending_ != nullptr) {
      std::exchange(sending_, nullptr)->event.request_body = request().body();
    }
  } else if (responding_) {
    waiting_.front()->SetLastByte(response().end_time());
    FinishFront(HttpOutcome::kComplete, context);
  }
}

void HttpConnection::FinishFront(HttpOutcome outcome, HttpContext* context) {
  Exchange* const exchange = waiting_.Pop();
  if (std::exchange(responding_, false)) {
    exchange->event.response_body = response().body();
    if (outcome != HttpOutcome::kComplete) {
      exchange->event.response_body.exact = false;
    }
  }
  Finish(exchange, outcome, context);
}

void HttpConnection::Finish(Exchange* exchange, HttpOutcome outcome, HttpContext* context) {
  if (exchange == sending_) {
    exchange->event.request_body = {.bytes = request().body().bytes, .exact = false};
    sending_ = nullptr;
  }
  exchange->event.outcome = outcome;
  if (exchange->line_cut() && !confirmed_) {
    context->pool.Release(exchange);  // nothing tells that it was HTTP
    return;
  }
  context->done.Push(exchange);
}

bool HttpConnection::OnEnd(const HttpEndRecord& end, HttpContext* context) {
  if (end.reason == MF_HTTP_END_NOT_HTTP) {
    Drop(context);
    return false;
  }
  OnProgress(end.ways, context);
  if (end.reason == MF_HTTP_END_SENT) {
    // At the client it says nothing about responses.
    if (!ignored_ && request_way_ == MF_WAY_RECEIVED) {
      TakeCutHeads(/*requests_too=*/false, context);
      FinishAll(HttpOutcome::kClosed, /*in_order=*/true, context);
    }
    return true;
  }
  if (ignored_) {
    return false;
  }
  TakeCutHeads(/*requests_too=*/true, context);
  if (end.reason == MF_HTTP_END_UNSEEN) {
    FinishAll(HttpOutcome::kLost, /*in_order=*/false, context);
  } else if (end.reason == MF_HTTP_END_RESET || end.error != 0) {
    FinishAll(HttpOutcome::kReset, /*in_order=*/false, context);
  } else {
    FinishAll(HttpOutcome::kClosed, /*in_order=*/true, context);
  }
  return false;
}

// Heads whose end will not come.
void HttpConnection::TakeCutHeads(bool requests_too, HttpContext* context) {
  // First the requests, which the responses belong to.
  for (std::uint8_t i = 0; i < MF_WAYS; ++i) {
    if (requests_too && Expects(i).request &&
        ways_[i].CutHead({.request = true, .response = false}, &context->reader)) {
      OnHead(i, {.time = ways_[i].last_time()}, context);
    }
  }
  if (request_way_ != kUnknownWay && !ignored_ &&
      response().CutHead({.request = false, .response = true}, &context->reader)) {
    OnResponse(std::nullopt, context);
    head_cut_ = true;
  }
}

// `in_order`: what the end of the connection ends is complete.
void HttpConnection::FinishAll(HttpOutcome outcome, bool in_order, HttpContext* context) {
  if (responding_ && in_order && !head_cut_) {
    const WayParser& way = response();
    // Of what ended where nobody saw it nothing tells that it did not end.
    if (way.in_body_until_close() || (way.in_unclear_body() && !way.is_surely_unfinished())) {
      waiting_.front()->SetLastByte(way.last_time());
      FinishFront(HttpOutcome::kComplete, context);
      response().Hold();
    }
  }
  Flush(outcome, context);
}

void HttpConnection::Flush(HttpOutcome outcome, HttpContext* context) {
  while (!waiting_.empty()) {
    FinishFront(outcome, context);
  }
}

void HttpConnection::Shed(HttpContext* context) {
  if (ignored_) {
    return;  // it holds nothing
  }
  for (std::uint8_t way = 0; way < MF_WAYS; ++way) {
    ways_[way].Lose();
    OnLost(way, context);
  }
  Flush(HttpOutcome::kLost, context);
  former_.reset();
}

// It is not HTTP, or not any more.
void HttpConnection::Ignore(HttpContext* context) {
  Drop(context);
  ignored_ = true;
  for (WayParser& way : ways_) {
    way.Hold();
  }
}

void HttpConnection::Drop(HttpContext* context) {
  context->pool.ReleaseAll(&waiting_);
  sending_ = nullptr;
  responding_ = false;
}

}  // namespace masflow::internal
