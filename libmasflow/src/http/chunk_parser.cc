// SPDX-License-Identifier: Apache-2.0
#include "http/chunk_parser.h"

#include <algorithm>

namespace masflow::internal {
namespace {

// No chunk is larger; with one more digit the size would not fit.
constexpr std::uint64_t kLargestChunk = std::uint64_t{1} << 59;

// -1: none.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkParser::Status ChunkParser::Feed(std::string_view* bytes, std::uint64_t* data) {
  while (!bytes->empty()) {
    if (state_ == State::kData) {
      const std::uint64_t count = std::min<std::uint64_t>(left_, bytes->size());
      *data += count;
      left_ -= count;
      bytes->remove_prefix(static_cast<std::size_t>(count));
      if (left_ == 0) {
        state_ = State::kDataEnd;
      }
      continue;
    }
    const Status status = TakeByte(bytes->front());
    if (status == Status::kBroken) {
      return status;
    }
    bytes->remove_prefix(1);
    if (status == Status::kEnd) {
      return status;
    }
  }
  return Status::kMore;
}

bool ChunkParser::Skip(std::uint64_t count, std::uint64_t* data) {
  const std::uint64_t of_chunk = state_ == State::kData ? std::min(left_, count) : 0;
  *data += of_chunk;
  left_ -= of_chunk;
  if (state_ == State::kData && left_ == 0) {
    state_ = State::kDataEnd;
  }
  return of_chunk == count;
}

ChunkParser::Status ChunkParser::TakeByte(char c) {
  switch (state_) {
    case State::kSize:
      return TakeSizeDigit(c);
    case State::kExtension:
      if (c == '\n') {
        state_ = left_ == 0 ? State::kLineStart : State::kData;
      }
      return Status::kMore;
    case State::kDataEnd:
      if (c == '\n') {
        state_ = State::kSize;
        has_digit_ = false;
      }
      return c == '\n' || c == '\r' ? Status::kMore : Status::kBroken;
    case State::kLineStart:
      if (c == '\n') {
        return Status::kEnd;
      }
      if (c != '\r') {
        state_ = State::kTrailer;
      }
      return Status::kMore;
    case State::kTrailer:
      if (c == '\n') {
        state_ = State::kLineStart;
      }
      return Status::kMore;
    case State::kData:
      break;
  }
  return Status::kBroken;
}

ChunkParser::Status ChunkParser::TakeSizeDigit(char c) {
  if (const int digit = HexDigit(c); digit >= 0) {
    if (left_ >= kLargestChunk) {
      return Status::kBroken;
    }
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    has_digit_ = true;
    return Status::kMore;
  }
  if (!has_digit_ || (c != ';' && c != ' ' && c != '\t' && c != '\r' && c != '\n')) {
    return Status::kBroken;
  }
  state_ = State::kExtension;
  return c == '\n' ? TakeByte(c) : Status::kMore;
}

}  // namespace masflow::internal
