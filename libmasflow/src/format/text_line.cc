// SPDX-License-Identifier: Apache-2.0
#include "format/text_line.h"

#include <string.h>

#include <cstddef>

#include "format/escape.h"
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
void PadColumn(std::size_t begin, std::size_t columns, Line* out) {
  std::size_t used = 0;
  for (const char byte : out->view().substr(begin)) {
    const bool continues = (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
    used += continues ? 0u : 1u;
  }
  out->Append(used < columns ? columns - used : 0, ' ');
}

}  // namespace

void AppendTimeAndName(WallTime at, const EventName& name, TextStyle style, Line* out) {
  AppendClockTime(at, out);
  out->Append(' ');
  if (style.color) {
    out->Append(name.color);
  }
  out->Append(name.text);
  if (style.color) {
    out->Append(kNoColor);
  }
}

void AppendHead(const ProcessView* process, WallTime at, const EventName& name, TextStyle style,
                Line* out) {
  AppendTimeAndName(at, name, style, out);
  out->Append(kEventColumns - name.text.size() + 1, ' ');
  if (process != nullptr) {
    AppendNumber(process->id.pid, kPidColumns, out);
  } else {
    out->Append(kPidColumns - kNobody.size(), ' ');
    out->Append(kNobody);
  }
  out->Append(' ');
  const std::size_t comm = out->size();
  AppendEscaped(process != nullptr ? process->comm : kNobody, out);
  PadColumn(comm, kCommColumns, out);
  out->Append("  ");
}

void AppendField(std::string_view name, std::uint64_t value, Line* out) {
  out->Append(name);
  AppendNumber(value, out);
}

void AppendErrno(int error, Line* out) {
  if (const char* const name = strerrorname_np(error); name != nullptr) {
    out->Append(name);
  } else {
    out->Append("errno ");
    AppendNumber(error, out);
  }
}

}  // namespace masflow::internal
