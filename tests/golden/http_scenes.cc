// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "masflow/http_events.h"
#include "masflow/stats.h"
#include "scenes.h"

namespace masflow_golden {
namespace {

using masflow::Connection;
using masflow::HttpExchange;
using masflow::HttpOutcome;
using masflow::Process;
using masflow::TcpRole;
using masflow::testing::FakeSource;
using namespace std::chrono_literals;
using namespace std::string_literals;

Connection Served() {
  static std::uint16_t port = 51'000;
  return MakeConnection(V4(10, 0, 0, 7, 8080), V4(10, 0, 0, 9, ++port), TcpRole::kServer,
                        MakeProcess(901, 900, "nginx"));
}

HttpExchange MakeExchange(const Connection& c, std::string method, std::string target,
                          std::uint16_t status) {
  HttpExchange e;
  e.time = NextTime();
  e.connection = c;
  e.role = c.role == TcpRole::kServer ? masflow::HttpRole::kServer : masflow::HttpRole::kClient;
  e.method = std::move(method);
  e.target = std::move(target);
  e.host = "example.org";
  e.version_minor = 1;
  e.status = status;
  e.request_body = {.bytes = 0, .exact = true};
  e.response_body = {.bytes = 612, .exact = true};
  e.first_byte = 2'100us;
  e.last_byte = 3'214us;
  return e;
}

// One of which no response came.
HttpExchange MakeUnanswered(const Connection& c, HttpOutcome outcome) {
  HttpExchange e = MakeExchange(c, "GET", "/slow", 0);
  e.status.reset();
  e.response_body = {};
  e.first_byte.reset();
  e.last_byte.reset();
  e.outcome = outcome;
  return e;
}

void PushOrdinaryOnes(FakeSource* fake) {
  const Connection kept = Served();
  fake->Push(MakeExchange(kept, "GET", "/index.html", 200));
  HttpExchange post = MakeExchange(kept, "POST", "/api/items?sort=up&token=abc", 201);
  post.host = "Example.org:8080";
  post.request_body.bytes = 42;
  post.response_body.bytes = 0;
  post.last_byte = post.first_byte;
  fake->Push(post);
  fake->Push(MakeExchange(kept, "HEAD", "/index.html", 304));

  const Connection out =
      MakeConnection(V6(7, 40'001), V6(1, 80), TcpRole::kClient, MakeProcess(1300, 1200, "curl"));
  HttpExchange slow = MakeExchange(out, "GET", "http://example.org/report?year=2026", 200);
  slow.last_byte = 2min + 3s;
  slow.response_body = {.bytes = 5'000'000'000, .exact = true};
  fake->Push(slow);
  HttpExchange old = MakeExchange(out, "GET", "/", 200);
  old.version_minor = 0;
  old.host.reset();
  fake->Push(old);
  fake->Push(MakeExchange(out, "PROPFIND", "*", 405));
}

// Sent before the first was answered.
void PushPipelined(FakeSource* fake) {
  const Connection c = Served();
  HttpExchange first = MakeExchange(c, "GET", "/1", 200);
  first.first_byte = 20ms;
  first.last_byte = 30ms;
  HttpExchange second = MakeExchange(c, "GET", "/2", 200);
  second.first_byte = 31ms;
  second.last_byte = 32ms;
  fake->Push(first);
  fake->Push(second);
}

void PushFailures(FakeSource* fake) {
  fake->Push(MakeExchange(Served(), "GET", "/missing", 404));
  fake->Push(MakeExchange(Served(), "GET", "/broken", 503));
  fake->Push(MakeUnanswered(Served(), HttpOutcome::kClosed));
  fake->Push(MakeUnanswered(Served(), HttpOutcome::kReset));
  fake->Push(MakeUnanswered(Served(), HttpOutcome::kLost));
  HttpExchange cut = MakeExchange(Served(), "GET", "/cut", 200);
  cut.response_body = {.bytes = 100};
  cut.last_byte.reset();
  cut.outcome = HttpOutcome::kClosed;
  fake->Push(cut);
  HttpExchange upgraded = MakeExchange(Served(), "GET", "/socket", 101);
  upgraded.response_body.bytes = 0;
  upgraded.outcome = HttpOutcome::kUpgraded;
  fake->Push(upgraded);
  HttpExchange tunnel = MakeExchange(Served(), "CONNECT", "example.org:443", 200);
  tunnel.host = "example.org:443";
  tunnel.response_body.bytes = 0;
  tunnel.outcome = HttpOutcome::kUpgraded;
  fake->Push(tunnel);
}

void PushMarked(FakeSource* fake) {
  Connection open = PreExisting(Served());
  open.role_inferred = true;
  fake->Push(MakeExchange(open, "GET", "/open", 200));
  HttpExchange headers = MakeExchange(Served(), "GET", "/headers", 200);
  headers.request_headers = "X-Request-Id\0a \"b\"\0"s;
  headers.response_headers = "Server\0nginx\0X-Id\0001\0X-ID\0002\0"s;
  fake->Push(headers);
}

void PushHostile(FakeSource* fake) {
  for (const std::string_view text : HostileTexts()) {
    Connection c = Served();
    c.owner->comm = std::string(text.substr(0, 15));
    // Those end a word or a line of a head, whoever sends them.
    std::string word(text);
    std::erase_if(word, [](char byte) { return byte == ' ' || byte == '\r' || byte == '\n'; });
    HttpExchange e = MakeExchange(c, "GET", "/" + word, 200);
    e.host = word;
    fake->Push(e);
  }
}

void PushLosses(FakeSource* fake) {
  masflow::Loss loss;
  loss.stream = masflow::StreamKind::kHttp;
  loss.reason = masflow::LossReason::kUnread;
  loss.count = 2;
  loss.until = NextTime();
  loss.since = loss.until - 1ms;
  fake->PushLoss(loss);
  // Shorter than any record.
  fake->PushRecord(masflow::StreamKind::kHttp, std::array<std::byte, 8>{});
}

}  // namespace

void PushHttp(FakeSource* fake) {
  PushOrdinaryOnes(fake);
  PushPipelined(fake);
  PushFailures(fake);
  PushMarked(fake);
  PushHostile(fake);
  PushLosses(fake);
}

void PushHttpRoutes(FakeSource* fake) {
  const auto push = [fake](std::string target, std::chrono::nanoseconds latency) {
    HttpExchange e = MakeExchange(Served(), "GET", std::move(target), 200);
    e.first_byte = e.last_byte = latency;
    fake->Push(e);
  };
  push("/users/42", 900us);
  push("/users/7?full=1", 9ms);
  push("/users/123e4567-e89b-12d3-a456-426614174000", 1ms);
  push("/blobs/3f2a9c0177e1/meta", 2s);
  push("/cafe/menu", 50ms);
  fake->Push(MakeUnanswered(Served(), HttpOutcome::kClosed));
  fake->Push(MakeExchange(MakeConnection(V4(10, 0, 0, 7, 40'001), V4(192, 0, 2, 1, 80),
                                         TcpRole::kClient, MakeProcess(1300, 1200, "curl")),
                          "GET", "/out", 200));
}

}  // namespace masflow_golden
