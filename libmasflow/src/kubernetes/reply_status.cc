// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/reply_status.h"

#include "kubernetes/object_json.h"

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

}  // namespace masflow::internal
