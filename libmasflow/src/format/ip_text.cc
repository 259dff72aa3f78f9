// SPDX-License-Identifier: Apache-2.0
#include "format/ip_text.h"

#include <arpa/inet.h>

#include <charconv>
#include <string>

namespace masflow {
namespace internal {

IpText::IpText(const IpAddress& address) {
  if (address.is_v6) {
    inet_ntop(AF_INET6, address.bytes.data(), text_.data(), INET6_ADDRSTRLEN);
    size_ = std::char_traits<char>::length(text_.data());
    return;
  }
  // glibc's inet_ntop() formats by printf, which takes more than half of the time of a line.
  char* at = text_.data();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0) {
      *at++ = '.';
    }
    at = std::to_chars(at, text_.data() + text_.size(), address.bytes[i]).ptr;
  }
  size_ = static_cast<std::size_t>(at - text_.data());
}

}  // namespace internal

inline namespace v0 {

std::string ToString(const IpAddress& address) {
  return std::string(internal::IpText(address).view());
}

std::string ToString(const Endpoint& endpoint) {
  std::string text = ToString(endpoint.address);
  if (endpoint.address.is_v6) {
    text.insert(text.begin(), '[');
    text += ']';
  }
  text += ':';
  text += std::to_string(endpoint.port);
  return text;
}

}  // namespace v0
}  // namespace masflow
