// SPDX-License-Identifier: Apache-2.0
#include "http_live.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "outside.h"

namespace masflow::kernel_test {

std::unique_ptr<HttpLive> HttpLive::Open(const HttpOptions& options, const LiveOptions& live) {
  absl::StatusOr<Session> session = CreateSession(live);
  if (!session.ok()) {
    ADD_FAILURE() << session.status();
    return nullptr;
  }
  absl::StatusOr<HttpStream> stream = HttpStream::Open(*session, options);
  if (!stream.ok()) {
    ADD_FAILURE() << stream.status();
    return nullptr;
  }
  ExpectForced(*session, live.forced);
  return std::unique_ptr<HttpLive>(new HttpLive(*std::move(session), *std::move(stream)));
}

HttpLive::HttpLive(Session session, HttpStream stream)
    : Driven(std::move(session)), stream_(std::move(stream)) {
  stream_->OnExchange([this](const HttpExchangeView& view) { events_.push_back(Own(view)); });
}

std::vector<const HttpExchange*> HttpLive::All(const Wanted& wanted) const {
  std::vector<const HttpExchange*> found;
  for (const HttpExchange& event : events_) {
    const Connection& connection = event.connection;
    if ((!wanted.owner || (connection.owner && connection.owner->id.pid == *wanted.owner)) &&
        (!wanted.local || connection.local.port == *wanted.local) &&
        (!wanted.remote || connection.remote.port == *wanted.remote)) {
      found.push_back(&event);
    }
  }
  return found;
}

const HttpExchange* HttpLive::Await(const Wanted& wanted, std::size_t count) {
  if (!Until([&] { return All(wanted).size() >= count; })) {
    ADD_FAILURE() << "no exchange (the " << count << ".); " << events_.size() << " others came; "
                  << Describe(stats());
    return nullptr;
  }
  return All(wanted)[count - 1];
}

void HttpLive::ExpectBoth(std::uint16_t port, const Lines& briefs) {
  ExpectClient(port, briefs);
  ExpectServer(port, briefs);
}

void HttpLive::ExpectClient(std::uint16_t port, const Lines& briefs) {
  SCOPED_TRACE("client");
  Expect({.owner = {}, .local = {}, .remote = port}, HttpRole::kClient, briefs);
}

void HttpLive::ExpectServer(std::uint16_t port, const Lines& briefs) {
  SCOPED_TRACE("server");
  Expect({.owner = {}, .local = port, .remote = {}}, HttpRole::kServer, briefs);
}

void HttpLive::Expect(const Wanted& wanted, HttpRole role, const Lines& briefs) {
  if (!briefs.empty()) {
    Await(wanted, briefs.size());
  }
  CatchUp();
  Lines found;
  for (const HttpExchange* const exchange : All(wanted)) {
    found.push_back(Brief(*exchange));
    EXPECT_EQ(exchange->role, role);
  }
  EXPECT_EQ(found, briefs);
}

void HttpLive::CatchUp() {
  // A last exchange of our own: the ring keeps the order, and both ends are in it.
  const Listener listener = Listen();
  const Pair pair = ConnectPair(listener);
  EXPECT_TRUE(Ask(pair, Get("/last"), Ok("")));
  AwaitServer(listener.port);
  AwaitClient(listener.port);
}

std::string Brief(const HttpExchange& e) {
  const auto body = [](const HttpBody& b) {
    return std::to_string(b.bytes) + (b.exact ? "" : "~");
  };
  return e.method + (e.request_head_truncated ? "! " : " ") + e.target + " " +
         (e.status.has_value() ? std::to_string(*e.status) : "-") +
         (e.response_head_truncated ? "! " : " ") + body(e.request_body) + "+" +
         body(e.response_body) + " " + std::string(Name(e.outcome));
}

KernelTime FirstByte(const HttpExchange& exchange) {
  EXPECT_TRUE(exchange.first_byte.has_value());
  return exchange.time + exchange.first_byte.value_or(std::chrono::nanoseconds(0));
}

KernelTime LastByte(const HttpExchange& exchange) {
  EXPECT_TRUE(exchange.last_byte.has_value());
  return exchange.time + exchange.last_byte.value_or(std::chrono::nanoseconds(0));
}

std::string Get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: example.com\r\n\r\n";
}

std::string Post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: example.com\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

std::string Ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

Pair ConnectEager(const Listener& listener, const std::string& address) {
  Pair pair = ConnectPair(listener, address);
  const int on = 1;
  for (const UniqueFd* const end : {&pair.client, &pair.server}) {
    setsockopt(end->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return pair;
}

bool Say(int fd, std::string_view text) {
  return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string Hear(int fd, std::size_t bytes) {
  std::array<char, 65536> piece;
  std::string heard;
  for (ssize_t n = 1; heard.size() < bytes && n > 0;) {
    n = read(fd, piece.data(), std::min(piece.size(), bytes - heard.size()));
    heard.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  }
  return heard;
}

bool Ask(const Pair& pair, std::string_view request, std::string_view response) {
  return Say(pair.client.get(), request) && Hear(pair.server.get(), request.size()) == request &&
         Say(pair.server.get(), response) && Hear(pair.client.get(), response.size()) == response;
}

}  // namespace masflow::kernel_test
