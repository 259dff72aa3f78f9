// SPDX-License-Identifier: Apache-2.0
#include "format/http_parts.h"

#include <charconv>
#include <cstddef>
#include <system_error>

namespace masflow::internal {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && rest == end && port != 0 ? std::optional(port) : std::nullopt;
}

}  // namespace

bool IsErrorStatus(const HttpExchangeView& e) {
  return e.status.value_or(0) >= (e.role == HttpRole::kClient ? 400 : 500);
}

bool IsBroken(HttpOutcome outcome) {
  return outcome == HttpOutcome::kClosed || outcome == HttpOutcome::kReset;
}

std::string_view NameOf(HttpRole role) {
  return role == HttpRole::kClient ? "client" : "server";
}

Target SplitTarget(std::string_view target) {
  Target parts;
  const std::size_t scheme = target.find("://");
  // A path may hold "://" too.
  if (!target.starts_with('/') && scheme != kNone && scheme < target.find_first_of("/?")) {
    parts.scheme = target.substr(0, scheme);
    target.remove_prefix(scheme + 3);
    const std::size_t authority = target.find_first_of("/?");
    target.remove_prefix(authority == kNone ? target.size() : authority);
  } else if (!target.starts_with('/')) {
    return parts;
  }
  const std::size_t query = target.find('?');
  parts.path = target.substr(0, query);
  if (parts.path->empty()) {
    parts.path = "/";  // what an absolute target without a path means (RFC 9110, 4.2.3)
  }
  if (query != kNone) {
    parts.query = target.substr(query + 1);
  }
  return parts;
}

Authority SplitAuthority(std::string_view host) {
  Authority parts{.address = host};
  const std::size_t colon = host.rfind(':');
  const std::size_t bracket = host.rfind(']');
  // Of a bare IPv6 address the last group is no port.
  const bool may_have_port =
      colon != kNone && (bracket != kNone ? bracket + 1 == colon : host.find(':') == colon);
  if (may_have_port) {
    parts.port = ParsePort(host.substr(colon + 1));
  }
  if (parts.port.has_value()) {
    parts.address = host.substr(0, colon);
  }
  if (parts.address.size() > 2 && parts.address.starts_with('[') && parts.address.ends_with(']')) {
    parts.address = parts.address.substr(1, parts.address.size() - 2);
  }
  return parts;
}

}  // namespace masflow::internal
