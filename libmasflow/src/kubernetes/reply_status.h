// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_REPLY_STATUS_H_
#define MASFLOW_KUBERNETES_REPLY_STATUS_H_

#include <string>

#include <absl/status/status.h>

#include "kubernetes/http_client.h"

namespace masflow::internal {

// What a reply says of the request, with what is to be done: OK; UNAUTHENTICATED, the token;
// PERMISSION_DENIED, the rights that are missing; OUT_OF_RANGE, 410: list anew; else UNAVAILABLE.
// `needs`: which rights the request takes, for a sentence.
absl::Status StatusOf(const HttpReply& reply, const Endpoint& endpoint, const std::string& target,
                      const std::string& needs);

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_REPLY_STATUS_H_
