// SPDX-License-Identifier: Apache-2.0
//
// What text and JSON of an exchange agree on.
#ifndef MASFLOW_FORMAT_HTTP_PARTS_H_
#define MASFLOW_FORMAT_HTTP_PARTS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "masflow/http_events.h"

namespace masflow::internal {

// As the conventions of OpenTelemetry have it: a client takes 4xx for an error, a server
// only its own ones.
bool IsErrorStatus(const HttpExchangeView& e);

// The response did not come to its end, and that was seen.
bool IsBroken(HttpOutcome outcome);

std::string_view NameOf(HttpRole role);

// A request target, taken apart. Absent is what it does not have.
struct Target {
  std::optional<std::string_view> scheme{};
  std::optional<std::string_view> path{};   // absent: "*", or of CONNECT
  std::optional<std::string_view> query{};  // without its "?"
};
Target SplitTarget(std::string_view target);

// "example.org:8080", "[2001:db8::1]:80", taken apart; brackets are no part of an address.
// What follows a colon and is no port stays in the address.
struct Authority {
  std::string_view address{};
  std::optional<std::uint16_t> port{};
};
Authority SplitAuthority(std::string_view host);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_HTTP_PARTS_H_
