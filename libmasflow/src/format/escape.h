// SPDX-License-Identifier: Apache-2.0
//
// Bytes that a process chose, made safe for a line. AppendEscaped and AppendJsonString
// of masflow/format.h are defined here too.
#ifndef MASFLOW_FORMAT_ESCAPE_H_
#define MASFLOW_FORMAT_ESCAPE_H_

#include <string_view>

#include "format/line.h"

namespace masflow::internal {

// What stands at the front of a text: a character, or a byte that begins none.
struct Character {
  char32_t value = 0;
  unsigned length = 1;  // in bytes
  bool valid = false;   // else value is the byte
};

// Strict: no overlong forms, no surrogates, nothing beyond U+10FFFF. `text` is not empty.
Character DecodeCharacter(std::string_view text);

// Neither a control nor invisible: what a line shows is what it holds.
bool IsPrintable(char32_t character);

// As a word of a shell's command line, so that one can see where it begins and ends:
//   plain   'two words'   ''   $'with an escape\n'   (the last as bash and ksh read it)
void AppendWord(std::string_view raw, Line* out);

// As those of masflow/format.h.
void AppendEscaped(std::string_view raw, Line* out);
void AppendJsonString(std::string_view raw, Line* out);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_ESCAPE_H_
