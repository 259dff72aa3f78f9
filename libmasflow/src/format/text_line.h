// SPDX-License-Identifier: Apache-2.0
//
// What the text lines of all events share. Their columns:
//   time  event (15)  pid (7)  comm (15)  details, two spaces apart
#ifndef MASFLOW_FORMAT_TEXT_LINE_H_
#define MASFLOW_FORMAT_TEXT_LINE_H_

#include <cstdint>
#include <string_view>

#include "format/line.h"
#include "masflow/format.h"

namespace masflow::internal {

inline constexpr std::string_view kGreen = "\x1b[32m";
inline constexpr std::string_view kBlue = "\x1b[34m";
inline constexpr std::string_view kCyan = "\x1b[36m";
inline constexpr std::string_view kGrey = "\x1b[90m";
inline constexpr std::string_view kRed = "\x1b[31m";
inline constexpr std::string_view kBoldRed = "\x1b[1;31m";

struct EventName {
  std::string_view text;
  std::string_view color;
};

void AppendTimeAndName(WallTime at, const EventName& name, TextStyle style, Line* out);

// All columns up to the details. Null: nobody, shown as "-".
void AppendHead(const ProcessView* process, WallTime at, const EventName& name, TextStyle style,
                Line* out);

void AppendField(std::string_view name, std::uint64_t value, Line* out);

// "ENOENT", or "errno 4000" where that has no name.
void AppendErrno(int error, Line* out);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_TEXT_LINE_H_
