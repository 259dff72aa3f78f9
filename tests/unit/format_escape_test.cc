// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "format/escape.h"
#include "masflow/format.h"

namespace masflow {
namespace {

using internal::AppendWord;
using internal::Character;
using internal::DecodeCharacter;
using internal::IsPrintable;

std::string Escaped(std::string_view raw) {
  std::string out;
  AppendEscaped(raw, &out);
  return out;
}

std::string Json(std::string_view raw) {
  std::string out;
  AppendJsonString(raw, &out);
  return out;
}

std::string Word(std::string_view raw) {
  std::string out;
  {
    internal::Line line(&out);
    AppendWord(raw, &line);
  }
  return out;
}

struct EscapeCase {
  std::string_view raw;
  std::string_view text;
  std::string_view json;  // without the quotes
};

// The hostile corpus: what a process may put into its name to fool a reader.
constexpr EscapeCase kEscapeCases[] = {
    {"", "", ""},
    {"plain", "plain", "plain"},
    {"a b", "a b", "a b"},
    {"say \"hi\"", "say \"hi\"", "say \\\"hi\\\""},
    {"it's", "it's", "it's"},
    {"\\", "\\\\", "\\\\"},
    {"\\n", "\\\\n", "\\\\n"},
    {"two\nlines", "two\\nlines", "two\\nlines"},
    {"\r\t", "\\r\\t", "\\r\\t"},
    {"\x1b[2J", "\\x1B[2J", "\\u001B[2J"},
    {"\x1b]0;title\a", "\\x1B]0;title\\x07", "\\u001B]0;title\\u0007"},
    {"\x01\x1f\x7f", "\\x01\\x1F\\x7F", "\\u0001\\u001F\\u007F"},
    {"caf\xC3\xA9", "café", "café"},
    {"日本語", "日本語", "日本語"},
    {"😀", "😀", "😀"},
    {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},  // U+10FFFF
    {"\xC2\x85", "\\u{0085}", "\\u0085"},                          // next line
    {"\xC2\x9B[2J", "\\u{009B}[2J", "\\u009B[2J"},                 // 8-bit CSI, encoded
    {"\x9B[2J", "\\x9B[2J", "\\uFFFD[2J"},                         // 8-bit CSI, raw
    {"a\u2028b\u2029c", "a\\u{2028}b\\u{2029}c", "a\\u2028b\\u2029c"},
    {"evil\u202Etxt.exe", "evil\\u{202E}txt.exe", "evil\\u202Etxt.exe"},
    {"\u2066\u2069\u200E\u200F\u061C", "\\u{2066}\\u{2069}\\u{200E}\\u{200F}\\u{061C}",
     "\\u2066\\u2069\\u200E\\u200F\\u061C"},
    {"ro\u200Bot", "ro\\u{200B}ot", "ro\\u200Bot"},
    {"\uFEFFx", "\\u{FEFF}x", "\\uFEFFx"},
    {"\U000E0041", "\\u{E0041}", "\\uDB40\\uDC41"},
    {"\u00A0", "\u00A0", "\u00A0"},
    {"\uFFFD", "\uFFFD", "\uFFFD"},
    {"\xFF", "\\xFF", "\\uFFFD"},
    {"\x80", "\\x80", "\\uFFFD"},
    {"\xC3", "\\xC3", "\\uFFFD"},                                  // cut
    {"\xE2\x82", "\\xE2\\x82", "\\uFFFD\\uFFFD"},                  // cut
    {"\xC3\x28", "\\xC3(", "\\uFFFD("},                            // no continuation
    {"\xC0\x80", "\\xC0\\x80", "\\uFFFD\\uFFFD"},                  // overlong NUL
    {"\xC1\xBF", "\\xC1\\xBF", "\\uFFFD\\uFFFD"},                  // overlong
    {"\xE0\x80\xAF", "\\xE0\\x80\\xAF", "\\uFFFD\\uFFFD\\uFFFD"},  // overlong slash
    {"\xF0\x80\x80\xAF", "\\xF0\\x80\\x80\\xAF", "\\uFFFD\\uFFFD\\uFFFD\\uFFFD"},
    {"\xED\xA0\x80", "\\xED\\xA0\\x80", "\\uFFFD\\uFFFD\\uFFFD"},                  // surrogate
    {"\xED\xBF\xBF", "\\xED\\xBF\\xBF", "\\uFFFD\\uFFFD\\uFFFD"},                  // surrogate
    {"\xF4\x90\x80\x80", "\\xF4\\x90\\x80\\x80", "\\uFFFD\\uFFFD\\uFFFD\\uFFFD"},  // too large
    {"\xF5\x80\x80\x80", "\\xF5\\x80\\x80\\x80", "\\uFFFD\\uFFFD\\uFFFD\\uFFFD"},
    {"\xF8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80", "\\uFFFD\\uFFFD\\uFFFD\\uFFFD\\uFFFD"},
};

TEST(FormatEscape, Corpus_BecomesSafe) {
  for (const EscapeCase& c : kEscapeCases) {
    EXPECT_EQ(Escaped(c.raw), c.text);
    EXPECT_EQ(Json(c.raw), "\"" + std::string(c.json) + "\"");
  }
}

TEST(FormatEscape, Nul_IsEscaped) {
  EXPECT_EQ(Escaped(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Json(std::string_view("a\0b", 3)), "\"a\\u0000b\"");
}

TEST(FormatEscape, Output_IsAppended) {
  std::string out = "before ";
  AppendEscaped("\n", &out);
  AppendJsonString("x", &out);
  EXPECT_EQ(out, "before \\n\"x\"");
}

// Whatever comes in, what goes out is printable UTF-8.
void ExpectPrintable(std::string_view text) {
  while (!text.empty()) {
    const Character character = DecodeCharacter(text);
    ASSERT_TRUE(character.valid && IsPrintable(character.value)) << std::string(text);
    text.remove_prefix(character.length);
  }
}

TEST(FormatEscape, AllPairsOfBytes_ArePrintableAfterwards) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const std::string raw{static_cast<char>(first), static_cast<char>(second)};
      ExpectPrintable(Escaped(raw));
      ExpectPrintable(Json(raw));
      ExpectPrintable(Word(raw));
    }
  }
}

TEST(FormatEscape, AllCharacters_DecodeToThemselves) {
  for (char32_t value = 0; value <= 0x10FFFF; ++value) {
    std::string bytes;
    if (value < 0x80) {
      bytes = {static_cast<char>(value)};
    } else if (value < 0x800) {
      bytes = {static_cast<char>(0xC0 | value >> 6), static_cast<char>(0x80 | (value & 0x3F))};
    } else if (value < 0x10000) {
      bytes = {static_cast<char>(0xE0 | value >> 12), static_cast<char>(0x80 | (value >> 6 & 0x3F)),
               static_cast<char>(0x80 | (value & 0x3F))};
    } else {
      bytes = {
          static_cast<char>(0xF0 | value >> 18), static_cast<char>(0x80 | (value >> 12 & 0x3F)),
          static_cast<char>(0x80 | (value >> 6 & 0x3F)), static_cast<char>(0x80 | (value & 0x3F))};
    }
    const Character character = DecodeCharacter(bytes + "tail");
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    ASSERT_EQ(character.valid, !surrogate) << std::hex << static_cast<unsigned>(value);
    if (!surrogate) {
      ASSERT_EQ(character.value, value);
      ASSERT_EQ(character.length, bytes.size());
    }
  }
}

struct WordCase {
  std::string_view raw;
  std::string_view word;
};

constexpr WordCase kWordCases[] = {
    {"ls", "ls"},
    {"-la", "-la"},
    {"--color=auto", "--color=auto"},
    {"/usr/bin/ls", "/usr/bin/ls"},
    {"a,b:c@d%e+f", "a,b:c@d%e+f"},
    {"", "''"},
    {"two words", "'two words'"},
    {"ppid=1  uid=0", "'ppid=1  uid=0'"},
    {"say \"hi\"", "'say \"hi\"'"},
    {"$HOME", "'$HOME'"},
    {"*.cc", "'*.cc'"},
    {"~", "'~'"},
    {"#", "'#'"},
    {"it's", "$'it\\'s'"},
    {"back\\slash", "$'back\\\\slash'"},
    {"two\nlines", "$'two\\nlines'"},
    {"\x1b[0m", "$'\\x1B[0m'"},
    {"\xFF", "$'\\xFF'"},
    {"naïve", "'naïve'"},
    {"…", "'…'"},  // a bare one means: cut
    {"\u202E", "$'\\u{202E}'"},
};

TEST(FormatEscape, Word_ShowsItsBounds) {
  for (const WordCase& c : kWordCases) {
    EXPECT_EQ(Word(c.raw), c.word);
  }
}

}  // namespace
}  // namespace masflow
