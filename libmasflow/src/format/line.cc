// SPDX-License-Identifier: Apache-2.0
#include "format/line.h"

namespace masflow::internal {

// By no more than a line usually needs, for resize() writes zeros: the string itself takes memory
// by doubling.
void Line::Grow(std::size_t bytes) {
  constexpr std::size_t kUsual = 256;
  const std::size_t used = size();
  out_->resize(used + bytes + kUsual);
  at_ = out_->data() + used;
  end_ = out_->data() + out_->size();
}

}  // namespace masflow::internal
