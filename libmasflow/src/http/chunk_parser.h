// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_CHUNK_PARSER_H_
#define MASFLOW_HTTP_CHUNK_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace masflow::internal {

// The framing of a chunked body (RFC 9112 7.1), with extensions and trailers.
class ChunkParser {
 public:
  enum class Status : std::uint8_t { kMore, kEnd, kBroken };

  // Takes what it can of `bytes`: all of them unless the body ends or its framing breaks. Adds
  // the bytes of chunks to `data`.
  Status Feed(std::string_view* bytes, std::uint64_t* data);
  // `count` bytes passed unread. False: more than the chunk in hand had left, so that the
  // framing is lost; what it had left is added to `data` all the same.
  bool Skip(std::uint64_t count, std::uint64_t* data);

 private:
  enum class State : std::uint8_t {
    kSize,       // digits of it
    kExtension,  // to the end of the line
    kData,
    kDataEnd,    // the line end behind the data
    kLineStart,  // of a trailer or the end
    kTrailer,
  };

  Status TakeByte(char c);
  Status TakeSizeDigit(char c);

  std::uint64_t left_ = 0;  // of the chunk; kSize: its size so far
  State state_ = State::kSize;
  bool has_digit_ = false;
};

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_CHUNK_PARSER_H_
