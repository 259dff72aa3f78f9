// SPDX-License-Identifier: Apache-2.0
//
// The head of an HTTP/1.x message. Pure; any input is safe. It reads what a tolerant peer
// would (bare LF, folded lines, any method), for what the two ends made of it cannot be seen:
// where tolerant ones differ (several lengths), the length is not known.
#ifndef MASFLOW_HTTP_HEAD_PARSER_H_
#define MASFLOW_HTTP_HEAD_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/header_choice.h"

namespace masflow::internal {

enum class HeadKind : std::uint8_t { kRequest, kResponse };

enum class LengthHeader : std::uint8_t {
  kAbsent,
  kKnown,
  kUnclear,  // no number, or several different ones
};
enum class CodingHeader : std::uint8_t {
  kAbsent,
  kChunked,  // the last one
  kOther,
};

// Views point into the bytes that were parsed.
struct MessageHead {
  HeadKind kind{};
  bool truncated = false;
  bool line_cut = false;  // truncated within the request line: the target may go on
  std::size_t size = 0;   // with the empty line
  std::string_view method{};
  std::string_view target{};
  std::uint16_t status = 0;
  std::uint8_t version_minor = 0;
  std::optional<std::string_view> host{};
  LengthHeader length = LengthHeader::kAbsent;
  CodingHeader coding = CodingHeader::kAbsent;
  std::uint64_t content_length = 0;
};

enum class HeadStatus : std::uint8_t {
  kWhole,
  kPart,  // so far a head, but not its end
  kNone,  // no head of HTTP/1.x
};

bool IsToken(std::string_view text);

// Whether `bytes` may be, or begin, a head: its first bytes, or its first line if that is whole.
bool MayBeHead(HeadKind kind, std::string_view bytes);

// `is_all`: no more of it will be seen, so a part is taken for a truncated head if it tells
// anything (its whole first line; of a request's, method and some of the target). The chosen
// headers are put into `chosen` (name NUL value NUL …), which is cleared before. `head` is
// valid if kWhole is returned.
HeadStatus ParseHead(HeadKind kind, std::string_view bytes, bool is_all, const HeaderChoice& choice,
                     MessageHead* head, std::string* chosen);

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_HEAD_PARSER_H_
