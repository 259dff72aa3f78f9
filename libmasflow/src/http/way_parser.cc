// SPDX-License-Identifier: Apache-2.0
#include "http/way_parser.h"

#include <algorithm>

namespace masflow::internal {
namespace {

constexpr std::size_t kLongestHead = 64 << 10;  // beyond it is taken for truncated

bool IsLineEnd(char c) {
  return c == '\r' || c == '\n';
}

// Whether a chunked body ends with these bytes, as far as they are known. What may come before
// them is part of it too, so that of fewer than five nothing is said.
std::optional<bool> EndsChunked(std::string_view tail) {
  constexpr std::string_view kEnd = "\r\n0\r\n\r\n";
  constexpr std::size_t kFewest = 5;
  if (tail.size() < kFewest) {
    return std::nullopt;
  }
  const std::size_t size = std::min(tail.size(), kEnd.size());
  return tail.substr(tail.size() - size) == kEnd.substr(kEnd.size() - size);
}

// Whether the line that `text` has an end of at `from` or later can be the last of a head.
bool HasEmptyLine(std::string_view text, std::size_t from) {
  const std::string_view rest = text.substr(from - std::min<std::size_t>(from, 3));
  return rest.find("\n\r\n") != std::string_view::npos ||
         rest.find("\n\n") != std::string_view::npos;
}

}  // namespace

void WayParser::Use(WayChunk* chunk, std::size_t bytes, std::uint64_t unread) {
  if (bytes + unread == 0) {
    return;
  }
  if (bytes > 0) {
    seen_end_ = chunk->offset + bytes;
  }
  chunk->fresh = false;
  chunk->bytes.remove_prefix(bytes);
  chunk->unread -= unread;
  chunk->offset += bytes + unread;
  next_ = chunk->offset;
  if (chunk->time.has_value()) {
    last_time_ = chunk->time;
  }
}

void WayParser::UseAll(WayChunk* chunk) {
  Use(chunk, chunk->bytes.size(), chunk->unread);
}

WayParser::Step WayParser::Advance(WayChunk* chunk, Expected expected, HeadReader* reader) {
  if (EndsBefore(*chunk, expected)) {
    const bool in_message = state_ != State::kLost;
    state_ = State::kHead;
    guessed_ = true;
    if (in_message) {
      return End(last_time_, /*exact=*/false);
    }
  }
  switch (state_) {
    case State::kHead:
      return partial_ == nullptr ? InHead(chunk, expected, reader)
                                 : InPartialHead(chunk, expected, reader);
    case State::kLength:
      return InLength(chunk);
    case State::kChunked:
      return InChunked(chunk);
    case State::kUnclear:
      return InUnclear(chunk);
    case State::kUntilClose:
      body_.bytes += chunk->bytes.size() + chunk->unread;
      break;
    case State::kLost:
    case State::kHeld:
      break;
  }
  UseAll(chunk);
  chunk->tail = {};
  return Step::kMore;
}

// A message begins with `chunk`, by its looks.
bool WayParser::EndsBefore(const WayChunk& chunk, Expected expected) const {
  const bool may_end = state_ == State::kLost || state_ == State::kUnclear ||
                       (state_ == State::kLength && uncertain_);
  if (!may_end || !chunk.fresh || !(chunk.start || chunk.turn)) {
    return false;
  }
  return MayBe(expected, chunk.bytes);
}

bool WayParser::MayBe(Expected expected, std::string_view bytes) {
  while (!bytes.empty() && IsLineEnd(bytes.front())) {
    bytes.remove_prefix(1);
  }
  return (expected.request && MayBeHead(HeadKind::kRequest, bytes)) ||
         (expected.response && MayBeHead(HeadKind::kResponse, bytes));
}

HeadStatus WayParser::Parse(std::string_view bytes, bool is_all, Expected expected,
                            HeadReader* reader) {
  // First as a response: "HTTP/1.1 " begins no request line that is in use.
  HeadStatus status = HeadStatus::kNone;
  if (expected.response) {
    status = ParseHead(HeadKind::kResponse, bytes, is_all, reader->response_headers, &reader->head,
                       &reader->chosen);
  }
  if (status == HeadStatus::kNone && expected.request) {
    status = ParseHead(HeadKind::kRequest, bytes, is_all, reader->request_headers, &reader->head,
                       &reader->chosen);
    if (guessed_ && reader->head.line_cut) {
      status = HeadStatus::kNone;  // any two words look like that
    }
  }
  return status;
}

WayParser::Step WayParser::InHead(WayChunk* chunk, Expected expected, HeadReader* reader) {
  // Empty lines in front of a request are skipped (RFC 9112 2.2).
  std::size_t blank = 0;
  while (blank < chunk->bytes.size() && IsLineEnd(chunk->bytes[blank])) {
    ++blank;
  }
  Use(chunk, blank, 0);
  if (chunk->bytes.empty()) {
    if (chunk->unread == 0) {
      chunk->tail = {};
      return Step::kMore;
    }
    Lose();
    return Step::kLost;
  }
  const bool is_cut = chunk->unread > 0;
  switch (Parse(chunk->bytes, is_cut, expected, reader)) {
    case HeadStatus::kNone:
      return NotHead(chunk);
    case HeadStatus::kPart:
      head_time_ = chunk->time.value_or(KernelTime());
      partial_ = std::make_unique<SecretText>(chunk->bytes);
      UseAll(chunk);
      chunk->tail = {};
      return Step::kMore;
    case HeadStatus::kWhole:
      break;
  }
  head_time_ = chunk->time.value_or(KernelTime());
  Use(chunk, reader->head.size, 0);
  return Step::kHead;
}

WayParser::Step WayParser::InPartialHead(WayChunk* chunk, Expected expected, HeadReader* reader) {
  const std::size_t before = partial_->size();
  const std::size_t taken = std::min(chunk->bytes.size(), kLongestHead - before);
  partial_->append(chunk->bytes.substr(0, taken));
  const bool is_cut = chunk->unread > 0 || partial_->size() >= kLongestHead;
  HeadStatus status = HeadStatus::kPart;
  // Parsed again only if there is more to know: a whole first line, a whole head.
  if (is_cut || HasEmptyLine(*partial_, before) || partial_->find('\n') >= before) {
    status =
        MayBe(expected, *partial_) ? Parse(*partial_, is_cut, expected, reader) : HeadStatus::kNone;
  }
  if (status == HeadStatus::kPart) {
    UseAll(chunk);
    return Step::kMore;
  }
  if (status == HeadStatus::kNone) {
    if (!guessed_) {
      return NotHead(chunk);
    }
    Lose();  // a wrong guess; but this may be the begin of one
    return Advance(chunk, expected, reader);
  }
  // A truncated one may end before these bytes.
  Use(chunk, std::max(reader->head.size, before) - before, 0);
  return Step::kHead;
}

bool WayParser::CutHead(Expected expected, HeadReader* reader) {
  // Of a part of a request line nothing tells that it is one.
  return partial_ != nullptr && Parse(*partial_, true, expected, reader) == HeadStatus::kWhole &&
         !reader->head.line_cut;
}

WayParser::Step WayParser::NotHead(WayChunk* chunk) {
  partial_.reset();
  chunk->fresh = false;
  if (!guessed_) {
    return Step::kNotHead;
  }
  Lose();
  UseAll(chunk);
  return Step::kMore;
}

void WayParser::BeginBody(Framing framing, std::uint64_t length, bool uncertain) {
  partial_.reset();
  body_ = {.bytes = 0, .exact = framing != Framing::kUnclear};
  uncertain_ = uncertain;
  guessed_ = false;
  chunked_ = framing == Framing::kChunked;
  tail_says_more_ = false;
  switch (framing) {
    case Framing::kNone:
      state_ = State::kHead;
      break;
    case Framing::kLength:
      state_ = State::kLength;
      left_ = length;
      break;
    case Framing::kChunked:
      state_ = State::kChunked;
      chunks_ = {};
      break;
    case Framing::kUntilClose:
      state_ = State::kUntilClose;
      break;
    case Framing::kUnclear:
      state_ = State::kUnclear;
      break;
  }
}

WayParser::Step WayParser::InLength(WayChunk* chunk) {
  const std::uint64_t bytes = std::min<std::uint64_t>(left_, chunk->bytes.size());
  left_ -= bytes;
  std::uint64_t unread = 0;
  if (bytes == chunk->bytes.size()) {
    unread = std::min(left_, chunk->unread);
    left_ -= unread;
  }
  body_.bytes += bytes + unread;
  Use(chunk, static_cast<std::size_t>(bytes), unread);
  if (left_ == 0) {
    return End(chunk->time, body_.exact);
  }
  chunk->tail = {};
  return Step::kMore;
}

WayParser::Step WayParser::InChunked(WayChunk* chunk) {
  std::string_view rest = chunk->bytes;
  const ChunkParser::Status status = chunks_.Feed(&rest, &body_.bytes);
  Use(chunk, chunk->bytes.size() - rest.size(), 0);
  if (status == ChunkParser::Status::kEnd) {
    return End(chunk->time, body_.exact);
  }
  if (status == ChunkParser::Status::kMore && chunks_.Skip(chunk->unread, &body_.bytes)) {
    UseAll(chunk);
    chunk->tail = {};
    return Step::kMore;
  }
  body_.exact = false;
  chunked_ = status == ChunkParser::Status::kMore;
  state_ = State::kUnclear;
  return InUnclear(chunk);
}

WayParser::Step WayParser::InUnclear(WayChunk* chunk) {
  const std::string_view last =
      chunk->tail.empty() && chunk->unread == 0 ? chunk->bytes : chunk->tail;
  const std::optional<bool> ends = chunked_ ? EndsChunked(last) : std::nullopt;
  UseAll(chunk);
  chunk->tail = {};
  if (ends == true) {
    return End(last_time_, /*exact=*/false);
  }
  tail_says_more_ = ends == false;
  return Step::kMore;
}

WayParser::Step WayParser::End(std::optional<KernelTime> time, bool exact) {
  state_ = State::kHead;
  body_.exact = exact;
  end_time_ = time;
  return Step::kEnd;
}

void WayParser::Lose() {
  partial_.reset();
  state_ = State::kLost;
  guessed_ = true;
}

void WayParser::Hold() {
  partial_.reset();
  state_ = State::kHeld;
}

}  // namespace masflow::internal
