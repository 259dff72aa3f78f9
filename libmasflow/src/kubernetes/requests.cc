// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/requests.h"

#include <cstddef>
#include <string_view>

namespace masflow::internal {

absl::Status StatusOf(const HttpReply& reply, const Endpoint& endpoint, const std::string& target,
                      const std::string& needs) {
  constexpr int kOk = 200;
  constexpr int kUnauthorized = 401;
  constexpr int kForbidden = 403;
  constexpr int kGone = 410;
  if (reply.status == kOk) {
    return absl::OkStatus();
  }
  std::string message = endpoint.url + target.substr(0, target.find('?')) + " answers " +
                        std::to_string(reply.status);
  const std::string reason = ErrorMessage(reply.error_body);
  message += reason.empty() ? "" : " (" + reason + ")";
  switch (reply.status) {
    case kUnauthorized:
      return absl::UnauthenticatedError(message + (endpoint.token_file.empty()
                                                       ? ": it wants a token, name its file"
                                                       : ": it does not take the token of " +
                                                             endpoint.token_file +
                                                             "; it is read anew each time"));
    case kForbidden:
      return absl::PermissionDeniedError(message + ": the service account needs " + needs);
    case kGone:
      return absl::OutOfRangeError(message);
    default:
      return absl::UnavailableError(message);
  }
}

absl::Status Ask(HttpClient* client, const std::string& target, const std::string& needs,
                 std::chrono::milliseconds silence, const BodyConsumer& body,
                 std::chrono::seconds* retry_after) {
  *retry_after = {};
  const absl::StatusOr<HttpReply> reply = client->Get(target, silence, body);
  if (!reply.ok()) {
    return reply.status();
  }
  *retry_after = reply->retry_after;
  return StatusOf(*reply, client->endpoint(), target, needs);
}

absl::StatusOr<ObjectList> AskForList(HttpClient* client, const std::string& target,
                                      const std::string& needs, std::chrono::milliseconds silence,
                                      Resource resource, NamesFrom from,
                                      std::chrono::seconds* retry_after) {
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  std::string body;
  const absl::Status status = Ask(
      client, target, needs, silence,
      [&](std::string_view piece) {
        body.append(piece);
        return body.size() <= kMostBytes
                   ? absl::OkStatus()
                   : absl::ResourceExhaustedError("the list of " + client->endpoint().url +
                                                  " has more than 64 MiB");
      },
      retry_after);
  return status.ok() ? ParseList(resource, from, body) : status;
}

}  // namespace masflow::internal
