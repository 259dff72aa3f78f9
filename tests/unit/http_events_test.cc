// SPDX-License-Identifier: Apache-2.0
#include "masflow/http_events.h"

#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"

namespace masflow::internal {
namespace {

// The fields, one by one: does not compile once there is another one, which then has to be
// added here and to Full().
template <class Text>
auto Fields(const BasicHttpExchange<Text>& e) {
  const auto& [time, connection, role, method, target, host, version_minor, status, request_body,
               response_body, first_byte, last_byte, outcome, request_cut, response_cut,
               request_headers, response_headers] = e;
  return std::tuple(time, connection.id.tag, role, method, target, host, version_minor, status,
                    request_body.bytes, request_body.exact, response_body.bytes,
                    response_body.exact, first_byte, last_byte, outcome, request_cut, response_cut,
                    request_headers, response_headers);
}

HttpExchange FullExchange() {
  return {.time = At(201),
          .connection = FullConnection(),
          .role = HttpRole::kServer,
          .method = "GET",
          .target = "/a",
          .host = "h",
          .version_minor = 1,
          .status = std::uint16_t{202},
          .request_body = {.bytes = 203, .exact = true},
          .response_body = {.bytes = 204, .exact = true},
          .first_byte = std::chrono::nanoseconds(205),
          .last_byte = std::chrono::nanoseconds(206),
          .outcome = HttpOutcome::kLost,
          .request_head_truncated = true,
          .response_head_truncated = true,
          .request_headers = std::string("a\0b\0", 4),
          .response_headers = std::string("c\0d\0", 4)};
}

TEST(HttpEvents, OwnAndView_KeepEveryField) {
  const HttpExchange full = FullExchange();
  EXPECT_EQ(Own(View(full)), full);
  ForEachPair(Fields(full), Fields(HttpExchange()),
              [](std::size_t i, const auto& a, const auto& b) {
                EXPECT_NE(a, b) << "field " << i << " of FullExchange() is a default";
              });
}

TEST(HttpEvents, Name_OfEachOutcome) {
  EXPECT_EQ(Name(HttpOutcome::kComplete), "complete");
  EXPECT_EQ(Name(HttpOutcome::kUpgraded), "upgraded");
  EXPECT_EQ(Name(HttpOutcome::kClosed), "closed");
  EXPECT_EQ(Name(HttpOutcome::kReset), "reset");
  EXPECT_EQ(Name(HttpOutcome::kLost), "lost");
  EXPECT_EQ(Name(static_cast<HttpOutcome>(99)), "unknown outcome");
}

TEST(HttpEvents, Headers_OneByOne) {
  std::vector<std::string> got;
  for (const HttpHeader& h : HttpHeaders(std::string_view("a\0b\0c\0\0d", 8))) {
    got.push_back(std::string(h.name) + "=" + std::string(h.value));
  }
  EXPECT_EQ(got, (Lines{"a=b", "c=", "d="}));
  EXPECT_EQ(HttpHeaders("").begin(), HttpHeaders("").end());
}

}  // namespace
}  // namespace masflow::internal
