// SPDX-License-Identifier: Apache-2.0
#include "format/escape.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "masflow/format.h"

namespace masflow {
namespace internal {
namespace {

using ByteSet = std::array<bool, 256>;

// Printable ASCII but for `exceptions`.
constexpr ByteSet AsciiWithout(std::string_view exceptions) {
  ByteSet set{};
  for (unsigned byte = 0x20; byte < 0x7F; ++byte) {
    set[byte] = exceptions.find(static_cast<char>(byte)) == std::string_view::npos;
  }
  return set;
}

constexpr ByteSet kPlainInText = AsciiWithout("\\");
constexpr ByteSet kPlainInJson = AsciiWithout("\\\"");
constexpr ByteSet kPlainInQuotes = AsciiWithout("\\'");
// What no shell treats specially anywhere in a word.
constexpr ByteSet kPlainInWord = AsciiWithout(" !\"#$&'()*;<>?[\\]^`{|}~");

bool Has(const ByteSet& set, char byte) {
  return set[static_cast<unsigned char>(byte)];
}

struct Range {
  char32_t first;
  char32_t last;
};

// Beyond ASCII, in ascending order.
constexpr Range kUnprintable[] = {
    {0x0080, 0x009F},    // C1 controls
    {0x061C, 0x061C},    // Arabic letter mark
    {0x200B, 0x200B},    // zero width space (joiners stay: scripts need them)
    {0x200E, 0x200F},    // direction marks
    {0x2028, 0x202E},    // line and paragraph separator, bidirectional embedding
    {0x2060, 0x206F},    // invisible operators, bidirectional isolates
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFF9, 0xFFFB},    // interlinear annotation
    {0xE0000, 0xE007F},  // tags
};

void AppendHex(std::uint32_t value, unsigned least_digits, Line* out) {
  for (unsigned digit = 8; digit-- > 0;) {
    if (digit < least_digits || value >> (4 * digit) != 0) {
      out->Append("0123456789ABCDEF"[value >> (4 * digit) & 0xF]);
    }
  }
}

// Copies `raw`, and calls escape(character) for what is neither in `plain` nor printable.
template <class Escape>
void AppendRuns(std::string_view raw, const ByteSet& plain, Line* out, Escape escape) {
  std::size_t run = 0;
  std::size_t at = 0;
  while (at < raw.size()) {
    if (Has(plain, raw[at])) {
      ++at;
      continue;
    }
    const Character character = DecodeCharacter(raw.substr(at));
    if (character.valid && character.value >= 0x80 && IsPrintable(character.value)) {
      at += character.length;
      continue;
    }
    out->Append(raw.substr(run, at - run));
    escape(character);
    at += character.length;
    run = at;
  }
  out->Append(raw.substr(run));
}

void AppendTextEscape(const Character& character, Line* out) {
  out->Append('\\');
  if (!character.valid) {
    out->Append('x');
    AppendHex(character.value, 2, out);
    return;
  }
  switch (character.value) {
    case '\n':
      out->Append('n');
      break;
    case '\r':
      out->Append('r');
      break;
    case '\t':
      out->Append('t');
      break;
    case '\\':
    case '\'':
      out->Append(static_cast<char>(character.value));
      break;
    default:
      if (character.value < 0x80) {
        out->Append('x');
        AppendHex(character.value, 2, out);
      } else {
        out->Append("u{");
        AppendHex(character.value, 4, out);
        out->Append('}');
      }
  }
}

void AppendJsonUnit(std::uint32_t unit, Line* out) {
  out->Append("\\u");
  AppendHex(unit, 4, out);
}

void AppendJsonEscape(const Character& character, Line* out) {
  if (!character.valid) {
    out->Append("\\uFFFD");
    return;
  }
  switch (character.value) {
    case '\n':
      out->Append("\\n");
      break;
    case '\r':
      out->Append("\\r");
      break;
    case '\t':
      out->Append("\\t");
      break;
    case '\\':
    case '"':
      out->Append('\\');
      out->Append(static_cast<char>(character.value));
      break;
    default:
      if (character.value < 0x10000) {
        AppendJsonUnit(character.value, out);
      } else {
        AppendJsonUnit(0xD7C0 + (character.value >> 10), out);
        AppendJsonUnit(0xDC00 + (character.value & 0x3FF), out);
      }
  }
}

bool IsPlainWord(std::string_view raw) {
  return !raw.empty() &&
         std::all_of(raw.begin(), raw.end(), [](char byte) { return Has(kPlainInWord, byte); });
}

}  // namespace

Character DecodeCharacter(std::string_view text) {
  const auto byte = [text](unsigned i) -> char32_t { return static_cast<unsigned char>(text[i]); };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    return {lead, 1, true};
  }
  const Character invalid{lead, 1, false};
  if (lead < 0xC2 || lead > 0xF4) {
    return invalid;
  }
  const unsigned length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) {
    return invalid;
  }
  char32_t value = lead & (0x7Fu >> length);
  for (unsigned i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return invalid;
    }
    value = value << 6 | (byte(i) & 0x3F);
  }
  constexpr char32_t kLeast[] = {0x80, 0x800, 0x10000};
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < kLeast[length - 2] || value > 0x10FFFF || surrogate) {
    return invalid;
  }
  return {value, length, true};
}

bool IsPrintable(char32_t character) {
  if (character < 0x80) {
    return character >= 0x20 && character < 0x7F;
  }
  for (const Range& range : kUnprintable) {
    if (character <= range.last) {
      return character < range.first;
    }
  }
  return true;
}

void AppendWord(std::string_view raw, Line* out) {
  if (IsPlainWord(raw)) {
    out->Append(raw);
    return;
  }
  const std::size_t begin = out->size();
  bool escaped = false;
  out->Append('\'');
  AppendRuns(raw, kPlainInQuotes, out, [&](const Character& character) {
    escaped = true;
    AppendTextEscape(character, out);
  });
  out->Append('\'');
  if (escaped) {
    out->Insert(begin, '$');
  }
}

void AppendEscaped(std::string_view raw, Line* out) {
  AppendRuns(raw, kPlainInText, out, [out](const Character& c) { AppendTextEscape(c, out); });
}

void AppendJsonString(std::string_view raw, Line* out) {
  out->Append('"');
  AppendRuns(raw, kPlainInJson, out, [out](const Character& c) { AppendJsonEscape(c, out); });
  out->Append('"');
}

}  // namespace internal

inline namespace v0 {

void AppendEscaped(std::string_view raw, std::string* out) {
  internal::Line line(out);
  internal::AppendEscaped(raw, &line);
}

void AppendJsonString(std::string_view raw, std::string* out) {
  internal::Line line(out);
  internal::AppendJsonString(raw, &line);
}

}  // namespace v0
}  // namespace masflow
