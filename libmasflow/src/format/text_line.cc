// SPDX-License-Identifier: Apache-2.0
#include "format/text_line.h"

#include <string.h>

#include <cstddef>

#include "format/numbers.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kEventColumns = 15;
constexpr std::size_t kPidColumns = 7;
constexpr std::size_t kCommColumns = 15;
constexpr std::string_view kNobody = "-";
constexpr std::string_view kNoColor = "\x1b[0m";

// Fills up with spaces what was appended since `begin`; bytes inside of a character
// take no column.
void PadColumn(std::size_t begin, std::size_t columns, std::string* out) {
  std::size_t used = 0;
  for (const char byte : std::string_view(*out).substr(begin)) {
    const bool continues = (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
    used += continues ? 0u : 1u;
  }
  out->append(used < columns ? columns - used : 0, ' ');
}

}  // namespace

void AppendTimeAndName(WallTime at, const EventName& name, TextStyle style, std::string* out) {
  AppendClockTime(at, out);
  out->push_back(' ');
  if (style.color) {
    out->append(name.color);
  }
  out->append(name.text);
  if (style.color) {
    out->append(kNoColor);
  }
}

void AppendHead(const ProcessView* process, WallTime at, const EventName& name, TextStyle style,
                std::string* out) {
  AppendTimeAndName(at, name, style, out);
  out->append(kEventColumns - name.text.size() + 1, ' ');
  if (process != nullptr) {
    AppendNumber(process->id.pid, kPidColumns, out);
  } else {
    out->append(kPidColumns - kNobody.size(), ' ');
    out->append(kNobody);
  }
  out->push_back(' ');
  const std::size_t comm = out->size();
  AppendEscaped(process != nullptr ? process->comm : kNobody, out);
  PadColumn(comm, kCommColumns, out);
  out->append("  ");
}

void AppendField(std::string_view name, std::uint64_t value, std::string* out) {
  out->append(name);
  AppendNumber(value, out);
}

void AppendErrno(int error, std::string* out) {
  if (const char* const name = strerrorname_np(error); name != nullptr) {
    out->append(name);
  } else {
    out->append("errno ");
    AppendNumber(error, out);
  }
}

}  // namespace masflow::internal
