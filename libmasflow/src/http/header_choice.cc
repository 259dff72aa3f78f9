// SPDX-License-Identifier: Apache-2.0
#include "http/header_choice.h"

#include <algorithm>
#include <utility>

namespace masflow::internal {

HeaderChoice::HeaderChoice(const std::vector<std::string>& names) {
  const auto note = [this](char lower) {
    firsts_[static_cast<unsigned char>(lower)] = true;
    if (lower >= 'a' && lower <= 'z') {
      firsts_[static_cast<unsigned char>(lower & ~0x20)] = true;
    }
  };
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(), LowerCase);
    if (!name.empty()) {
      note(name.front());
      names_.push_back(std::move(name));
    }
  }
}

bool HeaderChoice::Contains(std::string_view name) const {
  return std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& lower) { return EqualsIgnoringCase(name, lower); });
}

}  // namespace masflow::internal
