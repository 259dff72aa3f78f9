// SPDX-License-Identifier: Apache-2.0
#include "core/ip_prefix.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace masflow::internal {
namespace {

constexpr unsigned kV4Bits = 32;
constexpr unsigned kV6Bits = 128;
constexpr unsigned kMappedBits = kV6Bits - kV4Bits;  // of ::ffff:0:0/96

// The bits of byte `index` that belong to a prefix of `bits` bits.
std::uint8_t MaskAt(unsigned index, unsigned bits) {
  const unsigned left = bits > index * 8 ? std::min(bits - index * 8, 8u) : 0;
  return static_cast<std::uint8_t>(0xff00u >> left);
}

IpAddress Masked(IpAddress address, unsigned bits) {
  for (unsigned i = 0; i < address.bytes.size(); ++i) {
    address.bytes[i] &= MaskAt(i, bits);
  }
  return address;
}

std::optional<IpAddress> ParseAddress(const std::string& text) {
  IpAddress address{.is_v6 = text.find(':') != std::string::npos};
  // What follows a NUL inet_pton would not see.
  const bool ok =
      text.find('\0') == std::string::npos &&
      inet_pton(address.is_v6 ? AF_INET6 : AF_INET, text.c_str(), address.bytes.data()) == 1;
  return ok ? std::optional(address) : std::nullopt;
}

bool IsMapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, kMappedBits / 8> kMapped = {0, 0, 0, 0, 0,    0,
                                                                 0, 0, 0, 0, 0xff, 0xff};
  return address.is_v6 && std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin());
}

std::optional<unsigned> ParseBits(std::string_view text, unsigned most) {
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool ok = error == std::errc() && end == text.data() + text.size() && bits <= most;
  return ok ? std::optional(bits) : std::nullopt;
}

}  // namespace

bool IpPrefix::Contains(const IpAddress& other) const {
  return other.is_v6 == address.is_v6 && Masked(other, bits) == address;
}

absl::StatusOr<IpPrefix> ParseIpPrefix(const std::string& text) {
  const std::size_t slash = text.find('/');
  const std::optional<IpAddress> address = ParseAddress(text.substr(0, slash));
  if (!address.has_value()) {
    return absl::InvalidArgumentError(
        "\"" + text + "\" is neither an IPv4 or IPv6 address nor a prefix such as 10.0.0.0/8");
  }
  const unsigned most = address->is_v6 ? kV6Bits : kV4Bits;
  IpPrefix prefix{.address = *address, .bits = most};
  if (slash != std::string::npos) {
    const std::optional<unsigned> bits = ParseBits(std::string_view(text).substr(slash + 1), most);
    if (!bits.has_value()) {
      return absl::InvalidArgumentError("\"" + text + "\": a prefix is from 0 to " +
                                        std::to_string(most) + " bits long");
    }
    prefix.bits = *bits;
  }
  const IpAddress first = Masked(prefix.address, prefix.bits);
  if (first != prefix.address) {
    return absl::InvalidArgumentError("\"" + text + "\" has bits beyond its prefix: write " +
                                      ToString(first) + "/" + std::to_string(prefix.bits));
  }
  if (IsMapped(prefix.address)) {  // then it has 96 bits at least
    IpAddress v4;
    std::copy_n(prefix.address.bytes.begin() + kMappedBits / 8, kV4Bits / 8, v4.bytes.begin());
    return IpPrefix{.address = v4, .bits = prefix.bits - kMappedBits};
  }
  return prefix;
}

}  // namespace masflow::internal
