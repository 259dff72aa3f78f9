// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_REQUESTS_H_
#define MASFLOW_KUBERNETES_REQUESTS_H_

#include <chrono>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "kubernetes/http_client.h"
#include "kubernetes/object_json.h"

namespace masflow::internal {

// What a reply says of the request, with what is to be done: OK; UNAUTHENTICATED, the token;
// PERMISSION_DENIED, the rights that are missing; OUT_OF_RANGE, 410: list anew; else UNAVAILABLE.
// `needs`: which rights the request takes, for a sentence.
absl::Status StatusOf(const HttpReply& reply, const Endpoint& endpoint, const std::string& target,
                      const std::string& needs);

// Get() and StatusOf() in one. `retry_after`: the pause that the server asked for, or 0.
absl::Status Ask(HttpClient* client, const std::string& target, const std::string& needs,
                 std::chrono::milliseconds silence, const BodyConsumer& body,
                 std::chrono::seconds* retry_after);

// The same for a list that is taken whole. Errors: also RESOURCE_EXHAUSTED, it has more than 64
// MiB; those of ParseList().
absl::StatusOr<ObjectList> AskForList(HttpClient* client, const std::string& target,
                                      const std::string& needs, std::chrono::milliseconds silence,
                                      Resource resource, NamesFrom from,
                                      std::chrono::seconds* retry_after);

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_REQUESTS_H_
