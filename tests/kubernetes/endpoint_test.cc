// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/endpoint.h"

#include <string>

#include <gtest/gtest.h>

#include "fixture.h"

namespace masflow::internal {
namespace {

TEST(KubernetesEndpoint, Urls) {
  struct Case {
    const char* url;
    bool tls;
    const char* host;
    const char* port;
  };
  for (const Case& c :
       {Case{"https://10.96.0.1:443", true, "10.96.0.1", "443"},
        Case{"https://kubernetes.default.svc", true, "kubernetes.default.svc", "443"},
        Case{"http://127.0.0.1:10255/", false, "127.0.0.1", "10255"},
        Case{"http://node-1", false, "node-1", "80"},
        Case{"https://[fd00::1]:6443", true, "fd00::1", "6443"}}) {
    const absl::StatusOr<Endpoint> endpoint = ParseUrl(c.url);
    ASSERT_TRUE(endpoint.ok()) << endpoint.status();
    EXPECT_EQ(endpoint->tls, c.tls) << c.url;
    EXPECT_EQ(endpoint->host, c.host) << c.url;
    EXPECT_EQ(endpoint->port, c.port) << c.url;
  }
}

TEST(KubernetesEndpoint, WhatIsNoUrlIsRefused) {
  for (const char* url : {"", "10.0.0.1:443", "ftp://a", "https://", "https://:443", "https://a:0",
                          "https://a:65536", "https://a:44x", "https://a/path", "https://[fd00::1",
                          "https://[x]:1", "https://a b", "https://user@a", "https://a\r\nX: y"}) {
    EXPECT_EQ(ParseUrl(url).status().code(), absl::StatusCode::kInvalidArgument) << url;
  }
}

TEST(KubernetesEndpoint, Token) {
  const kubernetes_test::TemporaryFolder folder;
  EXPECT_EQ(*ReadToken(folder.Write("token", "ey.Jh-b_G\n")), "ey.Jh-b_G");
  for (const std::string& bad :
       {std::string(), std::string("\n"), std::string("a\r\nX-Evil: 1"), std::string("a b"),
        std::string(20'000, 'a'), std::string("a\0b", 3)}) {
    EXPECT_EQ(ReadToken(folder.Write("bad", bad)).status().code(),
              absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_EQ(ReadToken(folder.File("absent")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace masflow::internal
