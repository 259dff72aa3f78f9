// SPDX-License-Identifier: Apache-2.0
//
// From the records of a connection to exchanges: framing and pairing.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"

namespace masflow::internal {
namespace {

TEST(HttpConnection, OneExchange_OfTheClient_HasItAll) {
  const std::vector<HttpExchange> got =
      Exchanges(Talk().Send(Post("/a?x=1", "abc")).Receive(Ok("hello")));
  ASSERT_EQ(got.size(), 1u);
  Connection connection = Talk().connection();
  connection.owner->cgroup_id = 17;
  const HttpExchange expected = {.time = At(1001),
                                 .connection = connection,
                                 .role = HttpRole::kClient,
                                 .method = "POST",
                                 .target = "/a?x=1",
                                 .host = "example.com",
                                 .version_minor = 1,
                                 .status = std::uint16_t{200},
                                 .request_body = {.bytes = 3, .exact = true},
                                 .response_body = {.bytes = 5, .exact = true},
                                 .first_byte = std::chrono::nanoseconds(1),
                                 .last_byte = std::chrono::nanoseconds(1)};
  EXPECT_EQ(got[0], expected);
}

TEST(HttpConnection, OneExchange_OfTheServer_HasThatRole) {
  const auto got = Exchanges(Talk().Receive(Get("/a")).Send(Ok("")));
  ASSERT_EQ(Briefs(got), (Lines{"GET /a 200 0+0 complete"}));
  EXPECT_EQ(got[0].role, HttpRole::kServer);
}

TEST(HttpConnection, KeepAlive_EachInItsTurn) {
  Talk talk;
  Lines expected;
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    talk.Send(Post("/" + n, std::string(static_cast<std::size_t>(i), 'x'))).Receive(Ok(n));
    expected.push_back("POST /" + n + " 200 " + n + "+" + std::to_string(n.size()) + " complete");
  }
  EXPECT_EQ(Briefs(talk), expected);
}

TEST(HttpConnection, PipelinedEightInOneRecord_PairInOrder) {
  std::string requests;
  std::string responses;
  Lines expected;
  for (int i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    requests += Get("/" + n);
    responses += "HTTP/1.1 20" + n + " X\r\nContent-Length: " + n + "\r\n\r\n" +
                 std::string(static_cast<std::size_t>(i), 'b');
    expected.push_back("GET /" + n + " 20" + n + " 0+" + (i == 4 ? "0" : n) + " complete");
  }
  // 204 has no body, whatever it says.
  responses.replace(responses.find("bbbb"), 4, "");
  EXPECT_EQ(Briefs(Talk().Send(requests).Receive(responses)), expected);
  Talk one_by_one;
  one_by_one.Send(requests);
  for (const char c : responses) {
    one_by_one.Receive({&c, 1});
  }
  EXPECT_EQ(Briefs(one_by_one), expected);
}

}  // namespace
}  // namespace masflow::internal
