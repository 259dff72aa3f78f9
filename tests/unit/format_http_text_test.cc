// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <time.h>

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "masflow/format.h"

namespace masflow {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

constexpr WallTime kAt{std::chrono::nanoseconds(1'769'862'896'123'456'789)};

HttpExchangeView MakeExchange(HttpRole role = HttpRole::kClient) {
  HttpExchangeView e;
  e.connection.local = {.address = {.bytes = {10, 0, 0, 7}}, .port = 51902};
  e.connection.remote = {.address = {.bytes = {10, 0, 0, 9}}, .port = 8080};
  e.connection.role = role == HttpRole::kClient ? TcpRole::kClient : TcpRole::kServer;
  e.connection.owner = ProcessView{.id = {.pid = 12345}, .comm = "curl"};
  e.role = role;
  e.method = "GET";
  e.target = "/foo";
  e.host = "example.org";
  e.version_minor = 1;
  e.status = 200;
  e.request_body = {.bytes = 0, .exact = true};
  e.response_body = {.bytes = 612, .exact = true};
  e.first_byte = 2'100us;
  e.last_byte = 3'214'999ns;
  return e;
}

class FormatHttpText : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("TZ", "UTC", 1);
    tzset();
  }

  static std::string Text(const HttpExchangeView& event, TextStyle style = {}) {
    std::string out;
    AppendText(event, kAt, style, &out);
    return out;
  }

  // From the details' column on.
  static std::string Details(const HttpExchangeView& event) { return Text(event).substr(57); }

  static bool Has(const HttpExchangeView& event, std::string_view text) {
    return Details(event).find(text) != std::string::npos;
  }
};

TEST_F(FormatHttpText, Exchange) {
  EXPECT_EQ(Text(MakeExchange()),
            "12:34:56.123456 HTTP              12345 curl             GET /foo 200 3.214ms  "
            "client 10.0.0.7:51902 -> 10.0.0.9:8080  ttfb=2.100ms host=example.org req=0 resp=612 "
            "bytes");
}

TEST_F(FormatHttpText, Server_SourceIsTheOtherEnd) {
  EXPECT_TRUE(Has(MakeExchange(HttpRole::kServer), "  server 10.0.0.9:8080 -> 10.0.0.7:51902  "));
}

TEST_F(FormatHttpText, Latency_AlwaysInMilliseconds) {
  auto e = MakeExchange();
  e.last_byte = 850ns;
  EXPECT_TRUE(Has(e, " 200 0.000ms  "));
  e.last_byte = 2min;
  EXPECT_TRUE(Has(e, " 200 120000.000ms  "));
  e.last_byte = -5us;
  EXPECT_TRUE(Has(e, " 200 -0.005ms  "));
}

TEST_F(FormatHttpText, WhatWasNotSeen_IsADash) {
  auto e = MakeExchange();
  e.connection.owner.reset();
  e.status.reset();
  e.first_byte.reset();
  e.last_byte.reset();
  e.host.reset();
  e.response_body = {};
  e.outcome = HttpOutcome::kClosed;
  EXPECT_EQ(Text(e),
            "12:34:56.123456 HTTP                  - -                GET /foo - -  "
            "client 10.0.0.7:51902 -> 10.0.0.9:8080  ttfb=- req=0 resp=- bytes  "
            "closed before response");
}

TEST_F(FormatHttpText, Outcomes) {
  auto e = MakeExchange();
  e.response_body = {.bytes = 100};
  e.outcome = HttpOutcome::kClosed;
  EXPECT_TRUE(Has(e, " resp=>=100 bytes  closed within response"));
  e.outcome = HttpOutcome::kReset;
  EXPECT_TRUE(Has(e, " bytes  reset"));
  e.outcome = HttpOutcome::kLost;
  EXPECT_TRUE(Has(e, " bytes  lost"));
  e.outcome = HttpOutcome::kUpgraded;
  EXPECT_TRUE(Has(e, " bytes  upgraded"));
}

TEST_F(FormatHttpText, Marks) {
  auto e = MakeExchange();
  e.version_minor = 0;
  e.connection.pre_existing = true;
  e.connection.role_inferred = true;
  e.request_head_truncated = true;
  e.response_head_truncated = true;
  EXPECT_TRUE(Has(e,
                  " bytes (HTTP/1.0) (pre-existing) (request head truncated) "
                  "(response head truncated) (role inferred)"));
}

TEST_F(FormatHttpText, Color_FailuresAreRed) {
  auto e = MakeExchange();
  EXPECT_NE(Text(e, {.color = true}).find("\x1b[32mHTTP\x1b[0m "), std::string::npos);
  e.status = 404;
  EXPECT_NE(Text(e, {.color = true}).find("\x1b[31mHTTP"), std::string::npos);
  e.role = HttpRole::kServer;
  EXPECT_NE(Text(e, {.color = true}).find("\x1b[32mHTTP"), std::string::npos);
  e.status = 500;
  EXPECT_NE(Text(e, {.color = true}).find("\x1b[31mHTTP"), std::string::npos);
}

TEST_F(FormatHttpText, Headers) {
  auto e = MakeExchange();
  e.request_headers = "User-Agent\0curl/8.0\0Accept\0*/*\0"sv;
  e.response_headers = "Server\0a b\0"sv;
  EXPECT_TRUE(Has(e, " bytes  > User-Agent=curl/8.0 Accept='*/*'  < Server='a b'"));
}

TEST_F(FormatHttpText, Target_IsQuotedOnlyWhereItsEndWouldNotBeSeen) {
  auto e = MakeExchange();
  e.target = "/a?x=1&y=%20";
  EXPECT_TRUE(Has(e, "GET /a?x=1&y=%20 200 "));
  e.target = "/a b";
  EXPECT_TRUE(Has(e, "GET '/a b' 200 "));
  e.target = "";
  EXPECT_TRUE(Has(e, "GET '' 200 "));
}

TEST_F(FormatHttpText, HostileBytes_AreEscaped) {
  auto e = MakeExchange();
  e.method = "G\x1b[2J";
  e.target = "/\x1b[31m\n\xFF\"\xE2\x80\xAE"sv;
  e.host = "h\r\nHTTP 1";
  e.request_headers = "X\n\0\x1b\"\xFF\0"sv;
  const std::string details = Details(e);
  EXPECT_TRUE(details.starts_with(R"($'G\x1B[2J' /\x1B[31m\n\xFF"\u{202E} 200 )")) << details;
  EXPECT_NE(details.find(R"(host=$'h\r\nHTTP 1')"), std::string::npos) << details;
  EXPECT_NE(details.find(R"(> $'X\n'=$'\x1B"\xFF')"), std::string::npos) << details;
}

TEST_F(FormatHttpText, LongTarget_IsWhole) {
  auto e = MakeExchange();
  const std::string target = "/" + std::string(100'000, 'a');
  e.target = target;
  EXPECT_TRUE(Has(e, "GET " + target + " 200 3.214ms  "));
}

}  // namespace
}  // namespace masflow
