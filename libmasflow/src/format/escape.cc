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

void AppendHex(std::uint32_t value, unsigned least_digits, std::string* out) {
  for (unsigned digit = 8; digit-- > 0;) {
    if (digit < least_digits || value >> (4 * digit) != 0) {
      out->push_back("0123456789ABCDEF"[value >> (4 * digit) & 0xF]);
    }
  }
}

// Copies `raw`, and calls escape(character) for what is neither in `plain` nor printable.
template <class Escape>
void AppendRuns(std::string_view raw, const ByteSet& plain, std::string* out, Escape escape) {
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
    out->append(raw, run, at - run);
    escape(character);
    at += character.length;
    run = at;
  }
  out->append(raw, run);
}

void AppendTextEscape(const Character& character, std::string* out) {
  out->push_back('\\');
  if (!character.valid) {
    out->push_back('x');
    AppendHex(character.value, 2, out);
    return;
  }
  switch (character.value) {
    case '\n':
      out->push_back('n');
      break;
    case '\r':
      out->push_back('r');
      break;
    case '\t':
      out->push_back('t');
      break;
    case '\\':
    case '\'':
      out->push_back(static_cast<char>(character.value));
      break;
    default:
      if (character.value < 0x80) {
        out->push_back('x');
        AppendHex(character.value, 2, out);
      } else {
        out->append("u{");
        AppendHex(character.value, 4, out);
        out->push_back('}');
      }
  }
}

void AppendJsonUnit(std::uint32_t unit, std::string* out) {
  out->append("\\u");
  AppendHex(unit, 4, out);
}

void AppendJsonEscape(const Character& character, std::string* out) {
  if (!character.valid) {
    out->append("\\uFFFD");
    return;
  }
  switch (character.value) {
    case '\n':
      out->append("\\n");
      break;
    case '\r':
      out->append("\\r");
      break;
    case '\t':
      out->append("\\t");
      break;
    case '\\':
    case '"':
      out->push_back('\\');
      out->push_back(static_cast<char>(character.value));
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

void AppendWord(std::string_view raw, std::string* out) {
  if (IsPlainWord(raw)) {
    out->append(raw);
    return;
  }
  const std::size_t begin = out->size();
  bool escaped = false;
  out->push_back('\'');
  AppendRuns(raw, kPlainInQuotes, out, [&](const Character& character) {
    escaped = true;
    AppendTextEscape(character, out);
  });
  out->push_back('\'');
  if (escaped) {
    out->insert(begin, 1, '$');
  }
}

}  // namespace internal

inline namespace v0 {

void AppendEscaped(std::string_view raw, std::string* out) {
  internal::AppendRuns(raw, internal::kPlainInText, out,
                       [out](const internal::Character& c) { internal::AppendTextEscape(c, out); });
}

void AppendJsonString(std::string_view raw, std::string* out) {
  out->push_back('"');
  internal::AppendRuns(raw, internal::kPlainInJson, out,
                       [out](const internal::Character& c) { internal::AppendJsonEscape(c, out); });
  out->push_back('"');
}

}  // namespace v0
}  // namespace masflow
