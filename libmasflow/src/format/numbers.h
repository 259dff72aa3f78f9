// SPDX-License-Identifier: Apache-2.0
//
// Numbers and times, appended without the standard streams or their locale.
#ifndef MASFLOW_FORMAT_NUMBERS_H_
#define MASFLOW_FORMAT_NUMBERS_H_

#include <charconv>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "format/line.h"
#include "masflow/events.h"

namespace masflow::internal {

template <class Integer>
void AppendNumber(Integer value, Line* out) {
  constexpr std::size_t kMost = 24;
  char* const to = out->Room(kMost);
  out->Take(std::to_chars(to, to + kMost, value).ptr);
}

// Right-aligned in `width` columns.
template <class Integer>
void AppendNumber(Integer value, std::size_t width, Line* out) {
  char digits[24];
  char* const end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const auto size = static_cast<std::size_t>(end - digits);
  out->Append(size < width ? width - size : 0, ' ');
  out->Append(std::string_view(digits, size));
}

// "2026-01-31T12:34:56.123456789Z"
void AppendTimestamp(WallTime at, Line* out);

// "12:34:56.123456", local time
void AppendClockTime(WallTime at, Line* out);

// until - since; wraps around where that does not fit, as only a damaged recording asks for.
std::chrono::nanoseconds Elapsed(KernelTime since, KernelTime until);

// "850ns", "12.345us", "2.113ms", "1.204s", "2m03s", "1h02m03s", "3d04h05m"
void AppendDuration(std::chrono::nanoseconds duration, Line* out);

// "3.214ms", "120000.000ms", "0.012ms"
void AppendMilliseconds(std::chrono::nanoseconds duration, Line* out);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_NUMBERS_H_
