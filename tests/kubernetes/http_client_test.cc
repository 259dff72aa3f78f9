// SPDX-License-Identifier: Apache-2.0
//
// The client against servers that behave and misbehave.
#include "kubernetes/http_client.h"

#include <chrono>
#include <future>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace masflow::internal {
namespace {

using namespace std::chrono_literals;
using absl::StatusCode;
using kubernetes_test::Authority;
using kubernetes_test::Exchange;
using kubernetes_test::Server;
using kubernetes_test::TemporaryFolder;
using testing::HasSubstr;

class KubernetesHttpClient : public testing::Test {
 protected:
  Endpoint To(const Server& server) {
    Endpoint endpoint = *ParseUrl(server.url());
    endpoint.ca_file = authority_.ca_file();
    return endpoint;
  }

  // Gets "/x" and keeps the body.
  absl::StatusOr<HttpReply> Get(const Endpoint& endpoint, std::chrono::milliseconds silence = 20s) {
    HttpClient client(endpoint, 20s);
    return client.Get("/x", silence, [this](std::string_view piece) {
      body_.append(piece);
      return absl::OkStatus();
    });
  }

  const TemporaryFolder folder_;
  const Authority authority_{folder_, "ca"};
  const kubernetes_test::Identity identity_ = authority_.Sign("server", "IP:127.0.0.1");
  std::string body_;
};

TEST_F(KubernetesHttpClient, WholeReply) {
  std::string host;
  Server server([&](Exchange& e) {
    host = e.Header("Host");
    e.Reply(200, "{\"a\":1}");
  });
  const absl::StatusOr<HttpReply> reply = Get(To(server));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(body_, "{\"a\":1}");
  EXPECT_EQ(host, "127.0.0.1:" + std::to_string(server.port()));
}

TEST_F(KubernetesHttpClient, ChunksArriveAsTheyCome) {
  std::promise<void> first_seen;
  const std::shared_future<void> first_seen_future = first_seen.get_future().share();
  Server server(
      [&](Exchange& e) {
        e.BeginChunks();
        e.Chunk("first");
        first_seen_future.wait();  // the second one only after the first was delivered
        e.Chunk("second");
        e.EndChunks();
      },
      identity_);
  HttpClient client(To(server), 20s);
  std::string body;
  const absl::StatusOr<HttpReply> reply = client.Get("/", 20s, [&](std::string_view piece) {
    body.append(piece);
    if (body == "first" && !piece.empty()) {
      first_seen.set_value();
    }
    return absl::OkStatus();
  });
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(body, "firstsecond");
}

TEST_F(KubernetesHttpClient, HeadIsToldBeforeAnyBody) {
  std::promise<void> head_seen;
  const std::shared_future<void> head_seen_future = head_seen.get_future().share();
  Server server([&](Exchange& e) {
    e.BeginChunks();
    head_seen_future.wait();
    e.EndChunks();
  });
  HttpClient client(To(server), 20s);
  EXPECT_TRUE(client
                  .Get("/", 20s,
                       [&](std::string_view piece) {
                         EXPECT_TRUE(piece.empty());
                         head_seen.set_value();
                         return absl::OkStatus();
                       })
                  .ok());
}

TEST_F(KubernetesHttpClient, BodyUntilTheEndOfTheConnection) {
  Server server([](Exchange& e) { e.Write("HTTP/1.1 200 OK\r\n\r\nall of it"); });
  ASSERT_TRUE(Get(To(server)).ok());
  EXPECT_EQ(body_, "all of it");
}

TEST_F(KubernetesHttpClient, LargeBody) {
  const std::string large(5'000'000, 'x');
  Server server([&](Exchange& e) { e.Reply(200, large); }, identity_);
  ASSERT_TRUE(Get(To(server)).ok());
  EXPECT_EQ(body_, large);
}

TEST_F(KubernetesHttpClient, ErrorsAreNoBody) {
  Server server([](Exchange& e) { e.Reply(503, "busy", "Retry-After: 7\r\n"); });
  const absl::StatusOr<HttpReply> reply = Get(To(server));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(reply->retry_after, 7s);
  EXPECT_EQ(reply->error_body, "busy");
  EXPECT_EQ(body_, "");
}

TEST_F(KubernetesHttpClient, EarlyEnds) {
  for (const char* begun :
       {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12", "HTTP/1.1 200", ""}) {
    Server plain([&](Exchange& e) { e.Write(begun); });
    EXPECT_EQ(Get(To(plain)).status().code(), StatusCode::kAborted) << begun;
    Server tls([&](Exchange& e) { e.Write(begun); }, identity_);
    EXPECT_EQ(Get(To(tls)).status().code(), StatusCode::kAborted) << begun;
  }
}

TEST_F(KubernetesHttpClient, ResetIsUnavailable) {
  Server server([](Exchange& e) { e.Reset(); });
  const absl::Status status = Get(To(server)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
}

TEST_F(KubernetesHttpClient, WhatIsNoHttpIsUnavailable) {
  Server server([](Exchange& e) { e.Write("SSH-2.0-OpenSSH_9.2\r\n\r\n"); });
  EXPECT_EQ(Get(To(server)).status().code(), StatusCode::kUnavailable);
}

TEST_F(KubernetesHttpClient, SilenceEnds) {
  Server mute([](Exchange& e) { e.Hang(); });
  EXPECT_EQ(Get(To(mute), 50ms).status().code(), StatusCode::kDeadlineExceeded);
  Server halfway([](Exchange& e) {
    e.BeginChunks();
    e.Chunk("x");
    e.Hang();
  });
  EXPECT_EQ(Get(To(halfway), 50ms).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(body_, "x");
}

TEST_F(KubernetesHttpClient, NobodyListens) {
  Endpoint endpoint = *ParseUrl("http://127.0.0.1:1");
  EXPECT_EQ(Get(endpoint).status().code(), StatusCode::kUnavailable);
}

TEST_F(KubernetesHttpClient, HostsByName) {
  Server server([](Exchange& e) { e.Reply(200, "named"); });
  ASSERT_TRUE(Get(*ParseUrl("http://localhost:" + std::to_string(server.port()))).ok());
  EXPECT_EQ(body_, "named");
}

TEST_F(KubernetesHttpClient, CancelEndsWhatRuns) {
  std::promise<void> asked;
  Server server([&](Exchange& e) {
    asked.set_value();
    e.Hang();
  });
  HttpClient client(To(server), 20s);
  std::future<absl::Status> ended = std::async(std::launch::async, [&] {
    return client.Get("/", 1h, [](std::string_view) { return absl::OkStatus(); }).status();
  });
  asked.get_future().wait();
  client.Cancel();
  ASSERT_EQ(ended.wait_for(1min), std::future_status::ready);
  EXPECT_EQ(ended.get().code(), StatusCode::kCancelled);
  EXPECT_EQ(client.Get("/", 1h, [](std::string_view) { return absl::OkStatus(); }).status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(server.targets().size(), 1U);
}

TEST_F(KubernetesHttpClient, ConsumerEndsIt) {
  Server server([](Exchange& e) {
    e.BeginChunks();
    e.Chunk("x");
    e.Hang();
  });
  HttpClient client(To(server), 20s);
  const absl::Status status =
      client
          .Get("/", 1h,
               [](std::string_view piece) {
                 return piece.empty() ? absl::OkStatus() : absl::ResourceExhaustedError("enough");
               })
          .status();
  EXPECT_EQ(status, absl::ResourceExhaustedError("enough"));
}

TEST_F(KubernetesHttpClient, UnknownAuthorityIsRefusedBeforeTheTokenIsSent) {
  const Authority other(folder_, "other");
  bool asked = false;
  Server server([&](Exchange&) { asked = true; }, other.Sign("false", "IP:127.0.0.1"));
  Endpoint endpoint = To(server);
  endpoint.token_file = folder_.Write("token", "secret");
  const absl::Status status = Get(endpoint).status();
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(authority_.ca_file()));
  EXPECT_FALSE(asked);
}

TEST_F(KubernetesHttpClient, OtherHostIsRefused) {
  for (const char* names : {"IP:127.0.0.2", "DNS:localhost"}) {
    Server server([](Exchange& e) { e.Reply(200, ""); }, authority_.Sign("elsewhere", names));
    EXPECT_EQ(Get(To(server)).status().code(), StatusCode::kUnauthenticated) << names;
  }
}

TEST_F(KubernetesHttpClient, OutdatedCertificateIsRefused) {
  Server server([](Exchange& e) { e.Reply(200, ""); },
                authority_.Sign("outdated", "IP:127.0.0.1", -1));
  const absl::Status status = Get(To(server)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnauthenticated) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("expired"));
}

TEST_F(KubernetesHttpClient, WithoutVerificationAnyCertificateDoes) {
  const Authority other(folder_, "other");
  Server server([](Exchange& e) { e.Reply(200, "x"); }, other.Sign("false", "DNS:x"));
  Endpoint endpoint = To(server);
  endpoint.verify = false;
  ASSERT_TRUE(Get(endpoint).ok());
  EXPECT_EQ(body_, "x");
}

TEST_F(KubernetesHttpClient, FileWithoutCertificatesIsRefused) {
  Server server([](Exchange& e) { e.Reply(200, ""); }, identity_);
  Endpoint endpoint = To(server);
  endpoint.ca_file = folder_.File("absent");
  EXPECT_EQ(Get(endpoint).status().code(), StatusCode::kFailedPrecondition);
}

TEST_F(KubernetesHttpClient, TokenIsReadAnewEachTime) {
  std::string authorization;
  Server server(
      [&](Exchange& e) {
        authorization = e.Header("Authorization");
        e.Reply(200, "");
      },
      identity_);
  Endpoint endpoint = To(server);
  endpoint.token_file = folder_.Write("token", "first\n");
  HttpClient client(endpoint, 20s);
  const auto get = [&] {
    return client.Get("/", 20s, [](std::string_view) { return absl::OkStatus(); }).ok();
  };
  ASSERT_TRUE(get());
  EXPECT_EQ(authorization, "Bearer first");
  folder_.Write("token", "second");
  ASSERT_TRUE(get());
  EXPECT_EQ(authorization, "Bearer second");
}

TEST_F(KubernetesHttpClient, TokenIsNeverSentInTheClear) {
  std::string authorization = "?";
  Server server([&](Exchange& e) {
    authorization = e.Header("Authorization");
    e.Reply(200, "");
  });
  Endpoint endpoint = To(server);
  endpoint.token_file = folder_.Write("token", "secret");
  ASSERT_TRUE(Get(endpoint).ok());
  EXPECT_EQ(authorization, "");
}

}  // namespace
}  // namespace masflow::internal
