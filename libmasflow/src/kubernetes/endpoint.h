// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_ENDPOINT_H_
#define MASFLOW_KUBERNETES_ENDPOINT_H_

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace masflow::internal {

// Where a server is, and what it is shown and trusted by.
struct Endpoint {
  std::string url{};  // for messages
  bool tls = true;
  std::string host{};  // a name, or an address without brackets
  std::string port{};
  std::string ca_file{};
  bool verify = true;
  std::string token_file{};  // empty: no token
};

// Of "https://host[:port]" or "http://host[:port]", with an IPv6 address in brackets, all but the
// files. Errors: INVALID_ARGUMENT.
absl::StatusOr<Endpoint> ParseUrl(std::string_view url);

// The token that the file holds now, without the end of its line. Errors: FAILED_PRECONDITION.
absl::StatusOr<std::string> ReadToken(const std::string& file);

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_ENDPOINT_H_
