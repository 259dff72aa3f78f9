// SPDX-License-Identifier: Apache-2.0
//
// Exchanges to records and back, and the same through a session.
#include "wire/http_encode.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"

namespace masflow::internal {
namespace {

using std::chrono::nanoseconds;

HttpExchange Plain() {
  return {.time = At(5000),
          .connection = FullConnection(),
          .role = HttpRole::kServer,
          .method = "POST",
          .target = "/a?b=c",
          .host = "example.com",
          .version_minor = 1,
          .status = std::uint16_t{200},
          .request_body = {.bytes = 7, .exact = true},
          .response_body = {.bytes = 9, .exact = true},
          .first_byte = nanoseconds(10),
          .last_byte = nanoseconds(20),
          .outcome = HttpOutcome::kComplete,
          .request_headers = std::string("Accept\0*/*\0", 11),
          .response_headers = std::string("Server\0s\0", 9)};
}

template <class Change>
HttpExchange Changed(Change&& change) {
  HttpExchange e = Plain();
  e.connection.pre_existing = false;
  change(e);
  return e;
}

const HttpOptions& Options() {
  static const HttpOptions options = {.request_headers = {"accept"},
                                      .response_headers = {"server"}};
  return options;
}

std::vector<HttpExchange> WhatBytesCanSay() {
  return {
      Plain(),
      Changed([](HttpExchange& e) { e.role = HttpRole::kClient; }),
      Changed([](HttpExchange& e) { e.connection.owner = std::nullopt; }),
      Changed([](HttpExchange& e) { e.host = std::nullopt; }),
      Changed([](HttpExchange& e) { e.version_minor = 0; }),
      Changed([](HttpExchange& e) { e.request_headers = e.response_headers = ""; }),
      Changed([](HttpExchange& e) { e.request_body.bytes = e.response_body.bytes = 0; }),
      Changed([](HttpExchange& e) { e.request_body = {.bytes = 5, .exact = false}; }),
      Changed([](HttpExchange& e) { e.response_body = {.bytes = 5, .exact = false}; }),
      Changed([](HttpExchange& e) {
        e.response_body = {.bytes = std::uint64_t{1} << 40, .exact = true};
      }),
      Changed([](HttpExchange& e) { e.target = "/" + std::string(30'000, 'x'); }),
      Changed([](HttpExchange& e) {
        e.status = 304;
        e.response_body.bytes = 0;
      }),
      Changed([](HttpExchange& e) {
        e.method = "HEAD";
        e.response_body.bytes = 0;
      }),
      Changed([](HttpExchange& e) {
        e.status = 101;
        e.response_body.bytes = 0;
        e.outcome = HttpOutcome::kUpgraded;
      }),
      Changed([](HttpExchange& e) {
        e.outcome = HttpOutcome::kReset;
        e.last_byte = std::nullopt;
        e.response_body.exact = false;
      }),
      Changed([](HttpExchange& e) {
        e.outcome = HttpOutcome::kLost;
        e.last_byte = std::nullopt;
        e.response_body.exact = false;
      }),
      Changed([](HttpExchange& e) {
        e.outcome = HttpOutcome::kClosed;
        e.status = std::nullopt;
        e.first_byte = e.last_byte = std::nullopt;
        e.response_headers = "";
        e.response_body = {};
      }),
      Changed([](HttpExchange& e) {
        e.request_head_truncated = e.response_head_truncated = true;
        e.request_body = e.response_body = {};
      }),
  };
}

TEST(HttpEncode, WhatBytesCanSay_ComesBack) {
  std::size_t i = 0;
  for (const HttpExchange& e : WhatBytesCanSay()) {
    const std::vector<HttpExchange> got = Exchanger(Options()).Take(EncodeRecords(e));
    ASSERT_EQ(got.size(), 1u) << i;
    EXPECT_EQ(Brief(got[0]), Brief(e)) << i;
    EXPECT_EQ(got[0], e) << i;
    ++i;
  }
}

TEST(HttpEncode, PushedToASession_ComesBack) {
  FakeSource fake;
  Session session = NewSession(fake);
  HttpStream http = OpenHttp(session, Options());
  std::vector<HttpExchange> got;
  http.OnExchange([&](const HttpExchangeView& e) { got.push_back(Own(e)); });
  for (const HttpExchange& e : WhatBytesCanSay()) {
    fake.Push(e);
  }
  while (session.Drain(16).more) {
  }
  EXPECT_EQ(got, WhatBytesCanSay());
  ExpectBalanced(HttpStats(session));
}

}  // namespace
}  // namespace masflow::internal
