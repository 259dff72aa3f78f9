// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_HEADER_CHOICE_H_
#define MASFLOW_HTTP_HEADER_CHOICE_H_

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace masflow::internal {

// ASCII only, as header names are; locale or not.
inline char LowerCase(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// `lower` is in lower case already.
inline bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (LowerCase(text[i]) != lower[i]) {
      return false;
    }
  }
  return true;
}

// The headers that the host asked for.
class HeaderChoice {
 public:
  HeaderChoice() : HeaderChoice(std::vector<std::string>()) {}
  explicit HeaderChoice(const std::vector<std::string>& names);

  // Whether the line can be one of them, by its first byte.
  bool MayBegin(std::string_view line) const {
    return !line.empty() && firsts_[static_cast<unsigned char>(line.front())];
  }
  bool Contains(std::string_view name) const;

 private:
  std::vector<std::string> names_;  // in lower case
  std::array<bool, 256> firsts_{};
};

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_HEADER_CHOICE_H_
