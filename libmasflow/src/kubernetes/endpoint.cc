// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/endpoint.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>

namespace masflow::internal {
namespace {

absl::Status Refuse(std::string_view url, const std::string& why) {
  return absl::InvalidArgumentError("'" + std::string(url) + "' is no address of a server: " + why);
}

bool IsHostByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool IsIpv6Byte(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

bool IsPort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

// Takes "host" or "[v6]" off the front; nothing: there is none.
std::optional<std::string> TakeHost(std::string_view* rest) {
  std::string_view host;
  if (rest->starts_with('[')) {
    const std::size_t end = rest->find(']');
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    host = rest->substr(1, end - 1);
    rest->remove_prefix(end + 1);
    if (!std::all_of(host.begin(), host.end(), IsIpv6Byte)) {
      return std::nullopt;
    }
  } else {
    host = rest->substr(0, rest->find(':'));
    rest->remove_prefix(host.size());
    if (!std::all_of(host.begin(), host.end(), IsHostByte)) {
      return std::nullopt;
    }
  }
  return host.empty() ? std::nullopt : std::optional<std::string>(host);
}

}  // namespace

absl::StatusOr<Endpoint> ParseUrl(std::string_view url) {
  Endpoint endpoint{.url = std::string(url)};
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    endpoint.tls = false;
  } else {
    return Refuse(url, "it begins with neither https:// nor http://");
  }
  if (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  std::optional<std::string> host = TakeHost(&rest);
  if (!host.has_value()) {
    return Refuse(url, "it has no name or address of a host");
  }
  endpoint.host = *std::move(host);
  endpoint.port = endpoint.tls ? "443" : "80";
  if (rest.starts_with(':')) {
    endpoint.port = rest.substr(1);
    rest = {};
  }
  if (!rest.empty() || !IsPort(endpoint.port)) {
    return Refuse(url, "what is behind the host is no port");
  }
  return endpoint;
}

absl::StatusOr<std::string> ReadToken(const std::string& file) {
  constexpr std::size_t kMostBytes = 16'384;
  std::ifstream in(file, std::ios::binary);
  std::array<char, kMostBytes + 1> bytes;
  in.read(bytes.data(), bytes.size());
  std::string token(bytes.data(), static_cast<std::size_t>(in.gcount()));
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  // It becomes a line of the request: nothing in it may begin another one.
  const bool clean =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (token.empty() || token.size() > kMostBytes || !clean) {
    return absl::FailedPreconditionError(
        "there is no token in " + file +
        ": mount the one of a service account there, or name its file");
  }
  return token;
}

}  // namespace masflow::internal
