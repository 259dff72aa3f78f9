// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "masflow/format.h"

namespace masflow {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using std::chrono::nanoseconds;

constexpr WallTime kAt{nanoseconds(1'769'862'896'123'456'789)};

HttpExchangeView MakeExchange(HttpRole role = HttpRole::kClient) {
  HttpExchangeView e;
  e.connection.id = {KernelTime(0x1A2Bns), 0xC0FFEE};
  e.connection.local = {.address = {.bytes = {10, 0, 0, 7}}, .port = 40000};
  e.connection.remote = {.address = {.bytes = {192, 0, 2, 1}}, .port = 80};
  e.connection.role = role == HttpRole::kClient ? TcpRole::kClient : TcpRole::kServer;
  e.connection.netns = 4026531840;
  e.connection.owner = ProcessView{.id = {.pid = 12345, .start = 5s},
                                   .parent = {.pid = 1200, .start = 7ns},
                                   .uid = 1000,
                                   .gid = 100,
                                   .cgroup_id = 4711,
                                   .comm = "curl"};
  e.role = role;
  e.method = "GET";
  e.target = "/foo?x=1";
  e.host = "example.org:8080";
  e.version_minor = 1;
  e.status = 200;
  e.request_body = {.bytes = 0, .exact = true};
  e.response_body = {.bytes = 612, .exact = true};
  e.first_byte = 2'100us;
  e.last_byte = 3'214'999ns;
  return e;
}

std::string Json(const HttpExchangeView& event) {
  std::string out;
  AppendJson(event, kAt, &out);
  return out;
}

bool Has(const HttpExchangeView& event, std::string_view text) {
  return Json(event).find(text) != std::string::npos;
}

TEST(FormatHttpJson, Exchange) {
  EXPECT_EQ(Json(MakeExchange()),
            R"({"timestamp":"2026-01-31T12:34:56.123456789Z","event.name":"http.exchange",)"
            R"("process.pid":12345,"process.parent_pid":1200,"process.real_user.id":1000,)"
            R"("source.address":"10.0.0.7","source.port":40000,)"
            R"("destination.address":"192.0.2.1","destination.port":80,)"
            R"("network.transport":"tcp","network.type":"ipv4",)"
            R"("network.protocol.name":"http","network.protocol.version":"1.1",)"
            R"("http.request.method":"GET","url.path":"/foo","url.query":"x=1",)"
            R"("server.address":"example.org","server.port":8080,)"
            R"("http.response.status_code":200,)"
            R"("http.request.body.size":0,"http.response.body.size":612,)"
            R"("masflow.connection_id":"1a2b-c0ffee","masflow.role":"client",)"
            R"("masflow.netns":4026531840,"masflow.outcome":"complete",)"
            R"("masflow.duration_ns":3214999,"masflow.first_byte_ns":2100000,)"
            R"("masflow.comm":"curl","masflow.gid":100,"masflow.cgroup_id":4711,)"
            R"("masflow.process_start_ns":5000000000,"masflow.parent_start_ns":7})");
}

TEST(FormatHttpJson, WhatWasNotSeen_IsAbsent) {
  HttpExchangeView e = MakeExchange();
  e.connection.owner.reset();
  e.target = "/foo";
  e.host.reset();
  e.status.reset();
  e.first_byte.reset();
  e.last_byte.reset();
  e.request_body = {};
  e.response_body = {};
  e.outcome = HttpOutcome::kReset;
  for (const std::string_view key : {"process.", "url.query", "server.", "status_code", "body.size",
                                     "at_least", "duration_ns", "first_byte", "comm"}) {
    EXPECT_FALSE(Has(e, key)) << key;
  }
  EXPECT_TRUE(Has(e, R"("error.type":"reset",)"));
  EXPECT_TRUE(Has(e, R"("masflow.outcome":"reset"})"));
}

TEST(FormatHttpJson, Errors_AsTheConventionsHaveThem) {
  HttpExchangeView e = MakeExchange();
  e.status = 404;
  EXPECT_TRUE(Has(e, R"("error.type":"404",)"));
  e.outcome = HttpOutcome::kClosed;
  EXPECT_TRUE(Has(e, R"("error.type":"404",)"));
  e.role = HttpRole::kServer;
  EXPECT_TRUE(Has(e, R"("error.type":"closed",)"));
  e.outcome = HttpOutcome::kComplete;
  EXPECT_FALSE(Has(e, "error.type"));
  e.status = 503;
  EXPECT_TRUE(Has(e, R"("error.type":"503",)"));
  e.status = 101;
  e.outcome = HttpOutcome::kUpgraded;
  EXPECT_FALSE(Has(e, "error.type"));
  e.outcome = HttpOutcome::kLost;  // ours, not the application's
  EXPECT_FALSE(Has(e, "error.type"));
}

struct TargetCase {
  std::string_view target;
  std::string_view json;  // up to the next key
};

constexpr TargetCase kTargets[] = {
    {"/", R"("url.path":"/","server.address")"},
    {"/a?", R"("url.path":"/a","url.query":"","server.address")"},
    {"/a?b?c", R"("url.path":"/a","url.query":"b?c","server.address")"},
    {"/a?u=http://x/", R"("url.path":"/a","url.query":"u=http://x/","server.address")"},
    {"//a://b", R"("url.path":"//a://b","server.address")"},
    {"http://x:1/p?q", R"("url.scheme":"http","url.path":"/p","url.query":"q","server.address")"},
    {"http://x", R"("url.scheme":"http","url.path":"/","server.address")"},
    {"http://x?q", R"("url.scheme":"http","url.path":"/","url.query":"q","server.address")"},
};

TEST(FormatHttpJson, Targets) {
  for (const TargetCase& c : kTargets) {
    HttpExchangeView e = MakeExchange();
    e.target = c.target;
    EXPECT_TRUE(Has(e, R"("http.request.method":"GET",)" + std::string(c.json))) << Json(e);
    EXPECT_FALSE(Has(e, "masflow.target")) << Json(e);
  }
  for (const std::string_view target : {"*", "example.org:443", "", "a?b://c"}) {
    HttpExchangeView e = MakeExchange();
    e.target = target;
    EXPECT_FALSE(Has(e, "url.")) << Json(e);
    EXPECT_TRUE(Has(e, "\"masflow.target\":\"" + std::string(target) + "\",")) << Json(e);
  }
}

TEST(FormatHttpJson, Method_UnknownToTheConventions) {
  HttpExchangeView e = MakeExchange();
  e.method = "get";
  EXPECT_TRUE(Has(e, R"("http.request.method":"_OTHER","http.request.method_original":"get",)"));
}

TEST(FormatHttpJson, Hosts) {
  HttpExchangeView e = MakeExchange();
  const auto expect = [&](std::string_view host, std::string_view json) {
    e.host = host;
    EXPECT_TRUE(Has(e, std::string(json) + R"(,"http.response.status_code")")) << Json(e);
  };
  expect("example.org", R"("server.address":"example.org")");
  expect("[2001:db8::1]:80", R"("server.address":"2001:db8::1","server.port":80)");
  expect("[::1]", R"("server.address":"::1")");
  expect("::1", R"("server.address":"::1")");
  expect("h:99999", R"("server.address":"h:99999")");
  expect("h:", R"("server.address":"h:")");
  expect("", R"("server.address":"")");
}

TEST(FormatHttpJson, Bodies_LowerBounds) {
  HttpExchangeView e = MakeExchange();
  e.request_body = {.bytes = 10};
  e.response_body = {.bytes = 4096};
  EXPECT_TRUE(
      Has(e, R"("masflow.request_bytes_at_least":10,"masflow.response_bytes_at_least":4096,)"));
  EXPECT_FALSE(Has(e, "body.size"));
}

TEST(FormatHttpJson, Headers_OneKeyEach) {
  HttpExchangeView e = MakeExchange();
  e.request_headers = "Accept\0a\0X-Id\0001\0aCCEPT\0\"b\"\0"sv;
  e.response_headers = "Server\0\0"sv;
  EXPECT_TRUE(Has(e, R"("http.request.header.accept":["a","\"b\""],)"
                     R"("http.request.header.x-id":["1"],"http.response.header.server":[""],)"))
      << Json(e);
}

TEST(FormatHttpJson, Flags) {
  HttpExchangeView e = MakeExchange();
  e.connection.pre_existing = true;
  e.request_head_truncated = true;
  e.response_head_truncated = true;
  EXPECT_TRUE(Has(e, R"("masflow.pre_existing":true,)"));
  EXPECT_TRUE(Has(e, R"("masflow.request_head_truncated":true,)"
                     R"("masflow.response_head_truncated":true,"masflow.comm")"));
}

TEST(FormatHttpJson, HostileBytes_AreEscaped) {
  HttpExchangeView e = MakeExchange();
  e.method = "\"},{";
  e.target = "/\x1b[31m\n\xFF\"?\\"sv;
  e.host = "\"\r";
  e.request_headers = "X\"\0\x1b\xFF\0"sv;
  EXPECT_TRUE(Has(e, R"("http.request.method_original":"\"},{",)")) << Json(e);
  EXPECT_TRUE(Has(e, R"("url.path":"/\u001B[31m\n\uFFFD\"","url.query":"\\",)")) << Json(e);
  EXPECT_TRUE(Has(e, R"("server.address":"\"\r",)")) << Json(e);
  EXPECT_TRUE(Has(e, R"("http.request.header.x\"":["\u001B\uFFFD"],)")) << Json(e);
}

TEST(FormatHttpJson, LongTarget_IsWhole) {
  HttpExchangeView e = MakeExchange();
  const std::string target = "/" + std::string(100'000, 'a');
  e.target = target;
  EXPECT_TRUE(Has(e, "\"url.path\":\"" + target + "\","));
}

}  // namespace
}  // namespace masflow
