// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_CORE_IP_PREFIX_H_
#define MASFLOW_CORE_IP_PREFIX_H_

#include <string>

#include <absl/status/statusor.h>

#include "masflow/tcp_events.h"

namespace masflow::internal {

// A range of addresses: those whose first `bits` bits are those of `address`.
struct IpPrefix {
  IpAddress address{};  // the bits after the prefix are 0
  unsigned bits = 0;    // IPv4: at most 32, IPv6: at most 128

  bool Contains(const IpAddress& other) const;
};

// "10.0.0.0/8", "2001:db8::/32", or an address alone. IPv4-mapped addresses become IPv4.
// INVALID_ARGUMENT with a sentence for the user; bits beyond the prefix must be 0.
absl::StatusOr<IpPrefix> ParseIpPrefix(const std::string& text);

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_IP_PREFIX_H_
