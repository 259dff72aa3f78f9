// SPDX-License-Identifier: Apache-2.0
//
// A live session with an HTTP stream under test, and what two ends say to each other.
#ifndef MASFLOW_KERNEL_HTTP_LIVE_H_
#define MASFLOW_KERNEL_HTTP_LIVE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "tcp_live.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {

using Lines = std::vector<std::string>;

class HttpLive : public Driven {
 public:
  // Null after a failure, which is reported.
  static std::unique_ptr<HttpLive> Open(const HttpOptions& options = {},
                                        const LiveOptions& live = {});

  HttpStream& stream() { return *stream_; }
  StreamStats stats() const { return session_.stats()[StreamKind::kHttp]; }
  bool Settle() { return Driven::Settle(StreamKind::kHttp); }

  // All that came so far, and those of these ends. The events stay where they are.
  const std::deque<HttpExchange>& events() const { return events_; }
  std::vector<const HttpExchange*> All(const Wanted& wanted) const;

  // Drives until this many are there; the last of them. Null, with a failure, if they do not
  // come.
  const HttpExchange* Await(const Wanted& wanted, std::size_t count = 1);
  const HttpExchange* AwaitClient(std::uint16_t port, std::size_t count = 1) {
    return Await({.owner = {}, .local = {}, .remote = port}, count);
  }
  const HttpExchange* AwaitServer(std::uint16_t port, std::size_t count = 1) {
    return Await({.owner = {}, .local = port, .remote = {}}, count);
  }

  // Both ends of what goes to this port have these exchanges (Brief) and no others, once all
  // that was said before is digested.
  void ExpectBoth(std::uint16_t port, const Lines& briefs);
  void ExpectClient(std::uint16_t port, const Lines& briefs);
  void ExpectServer(std::uint16_t port, const Lines& briefs);

  // Drives until all has come that was complete before. The filter has to let this process
  // pass.
  void CatchUp();

 private:
  HttpLive(Session session, HttpStream stream);
  void Expect(const Wanted& wanted, HttpRole role, const Lines& briefs);

  std::optional<HttpStream> stream_;
  std::deque<HttpExchange> events_;
};

// "GET /a 200 3+5 complete". A body that is not exact has a '~', a truncated head a '!', no
// status is "-".
std::string Brief(const HttpExchange& exchange);

KernelTime FirstByte(const HttpExchange& exchange);  // of the response; with a failure if unseen
KernelTime LastByte(const HttpExchange& exchange);

std::string Get(std::string_view target);
std::string Post(std::string_view target, std::string_view body);
std::string Ok(std::string_view body);
inline constexpr char kChunkedOk[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

// Sockets that send at once what they are given, so that nothing waits for an acknowledgement.
Pair ConnectEager(const Listener& listener, const std::string& address = kLocalhost);

// By one write; false if that moved less.
bool Say(int fd, std::string_view text);
// Reads so many bytes, or to the end.
std::string Hear(int fd, std::size_t bytes = SIZE_MAX);

// The client asks, the server hears it and answers, the client hears that; false if anything
// gets lost on the way. In one thread: what is said has to fit into the socket's buffers.
bool Ask(const Pair& pair, std::string_view request, std::string_view response);

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_HTTP_LIVE_H_
