// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.x exchanges of this machine, on any port, at both ends.
#ifndef MASFLOW_HTTP_STREAM_H_
#define MASFLOW_HTTP_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "masflow/export.h"
#include "masflow/http_events.h"
#include "masflow/next_operation.h"
#include "masflow/session.h"
#include "masflow/tcp_stream.h"

namespace masflow {
namespace internal {
class HttpStreamCore;
}  // namespace internal

inline namespace v0 {

// What of a target's query leaves the library.
enum class HttpQuery : std::uint8_t {
  kKeep,      // "/a?x=1&y=2"
  kKeysOnly,  // "/a?x&y"
  kDrop,      // "/a"
};

struct HttpOptions {
  // Tried in the kernel when a connection first moves bytes; its process is the one that
  // moves them.
  TcpFilter filter{};
  HttpQuery query = HttpQuery::kKeep;
  // Names of headers to deliver, upper or lower case. Refused: Authorization, Cookie,
  // Set-Cookie, Proxy-Authorization. At most 64 each.
  std::vector<std::string> request_headers{};
  std::vector<std::string> response_headers{};
  // Bytes of a message that are looked at: its head should fit in. 256 to 15,360. They cost
  // copying, of short messages the body's too.
  std::uint32_t request_capture = 4096;
  std::uint32_t response_capture = 2048;
  // Connections, both ends of local ones, that can be followed at once, whether they are HTTP
  // or not; 64 to 2^22. Each takes some 200 bytes of kernel memory (when: see TcpOptions), and one
  // with HTTP some 600 of the host's. What does not fit is not followed: each message that looks
  // like a request counts as one lost record, LossReason::kTableFull.
  std::uint32_t max_connections = 65'536;
  // Ring between kernel and host: a power of two, at least a page. An exchange takes some 1,000
  // bytes an end. Its last quarter is kept for the ends of connections.
  std::size_t ring_bytes = std::size_t{8} << 20;
};

// Move-only handle. Threads, callbacks and errors: as ProcessStream.
//
// In StreamStats `produced` counts the kernel's records and the exchanges made of them;
// `merged` are the records that were taken in. `delivered` and `unheard` are exchanges.
class MASFLOW_EXPORT HttpStream {
 public:
  using Event = HttpExchange;

  static absl::StatusOr<HttpStream> Open(Session& session, HttpOptions options = {});

  HttpStream(HttpStream&&) noexcept;
  HttpStream& operator=(HttpStream&&) noexcept;
  // Detaches; no callback runs after it has returned.
  ~HttpStream();

  // Called when the response is complete, or will not be. Replaces the former callback; null
  // removes it.
  void OnExchange(std::function<void(const HttpExchangeView&)> callback);

  // See ProcessStream.
  void StartNext(std::unique_ptr<internal::NextOperation<HttpExchange>> operation);

 private:
  explicit HttpStream(std::shared_ptr<internal::HttpStreamCore> core);

  std::shared_ptr<internal::HttpStreamCore> core_;
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_HTTP_STREAM_H_
