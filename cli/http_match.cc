// SPDX-License-Identifier: Apache-2.0
#include "http_match.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace masflow_cli {
namespace {

// Of ASCII, as host names are; no locale.
char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

// "example.org:8080", "[::1]:80" without the port. A bare IPv6 address has none.
std::string_view WithoutPort(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos) {
    return host;
  }
  const std::string_view name = host.substr(0, colon);
  const bool is_port = host.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  const bool bare = name.find(':') != std::string_view::npos && !name.ends_with(']');
  return is_port && !bare ? name : host;
}

bool IsHost(std::string_view wanted, std::string_view host) {
  return EqualIgnoringCase(wanted, host) || EqualIgnoringCase(wanted, WithoutPort(host));
}

}  // namespace

bool HttpMatch::Passes(const masflow::HttpExchangeView& exchange) const {
  const auto is_host = [&](const std::string& wanted) {
    return exchange.host.has_value() && IsHost(wanted, *exchange.host);
  };
  const auto is_status = [&](const StatusRange& range) {
    return exchange.status.has_value() && *exchange.status >= range.first &&
           *exchange.status <= range.last;
  };
  return (hosts.empty() || std::any_of(hosts.begin(), hosts.end(), is_host)) &&
         (statuses.empty() || std::any_of(statuses.begin(), statuses.end(), is_status)) &&
         (!min_latency.has_value() ||
          (exchange.last_byte.has_value() && *exchange.last_byte >= *min_latency));
}

}  // namespace masflow_cli
