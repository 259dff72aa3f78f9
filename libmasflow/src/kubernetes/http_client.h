// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_HTTP_CLIENT_H_
#define MASFLOW_KUBERNETES_HTTP_CLIENT_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "kubernetes/endpoint.h"

namespace masflow::internal {

// The answer of a server, but for the body of a good one.
struct HttpReply {
  int status = 0;
  std::chrono::seconds retry_after{};  // 0: the server asked for no pause
  std::string error_body{};            // of a reply that is not 200; its first 64 KiB
};

// Takes the body of a reply of status 200 piece by piece, first an empty one as soon as the head
// is there; not OK: no more is wanted.
using BodyConsumer = std::function<absl::Status(std::string_view piece)>;

// One request after the other, by HTTP/1.1 over TCP or TLS (at least 1.2), each on a connection
// of its own, so that renewed tokens and certificates count at once. Blocks the calling thread;
// no proxy, no redirect. Boost.Beast and OpenSSL stay behind it.
class HttpClient {
 public:
  HttpClient(Endpoint endpoint, std::chrono::milliseconds connect_limit);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `silence`: how long the next bytes may take. Errors: CANCELLED; DEADLINE_EXCEEDED;
  // UNAVAILABLE, the network; UNAUTHENTICATED, the certificate of the server; FAILED_PRECONDITION,
  // a file cannot be read; ABORTED, the reply ended early; or what `body` returned.
  absl::StatusOr<HttpReply> Get(const std::string& target, std::chrono::milliseconds silence,
                                const BodyConsumer& body);

  // Ends what runs, and all that follows. Any thread.
  void Cancel();

  const Endpoint& endpoint() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_HTTP_CLIENT_H_
