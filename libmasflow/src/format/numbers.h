// SPDX-License-Identifier: Apache-2.0
//
// Numbers and times, appended without the standard streams or their locale.
#ifndef MASFLOW_FORMAT_NUMBERS_H_
#define MASFLOW_FORMAT_NUMBERS_H_

#include <charconv>
#include <chrono>
#include <cstddef>
#include <string>

#include "masflow/events.h"

namespace masflow::internal {

template <class Integer>
void AppendNumber(Integer value, std::string* out) {
  char digits[24];
  out->append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

// Right-aligned in `width` columns.
template <class Integer>
void AppendNumber(Integer value, std::size_t width, std::string* out) {
  char digits[24];
  char* const end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const auto size = static_cast<std::size_t>(end - digits);
  out->append(size < width ? width - size : 0, ' ');
  out->append(digits, end);
}

// "2026-01-31T12:34:56.123456789Z"
void AppendTimestamp(WallTime at, std::string* out);

// "12:34:56.123456", local time
void AppendClockTime(WallTime at, std::string* out);

// until - since; wraps around where that does not fit, as only a damaged recording asks for.
std::chrono::nanoseconds Elapsed(KernelTime since, KernelTime until);

// "850ns", "12.345us", "2.113ms", "1.204s", "2m03s", "1h02m03s", "3d04h05m"
void AppendDuration(std::chrono::nanoseconds duration, std::string* out);

// "3.214ms", "120000.000ms", "0.012ms"
void AppendMilliseconds(std::chrono::nanoseconds duration, std::string* out);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_NUMBERS_H_
