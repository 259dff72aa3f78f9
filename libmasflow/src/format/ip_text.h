// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_FORMAT_IP_TEXT_H_
#define MASFLOW_FORMAT_IP_TEXT_H_

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <string_view>

#include "masflow/tcp_events.h"

namespace masflow::internal {

// What ToString() says of an address, without an allocation: lines have two of them.
class IpText {
 public:
  explicit IpText(const IpAddress& address);
  // Valid as long as this.
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, INET6_ADDRSTRLEN> text_;
  std::size_t size_ = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_IP_TEXT_H_
