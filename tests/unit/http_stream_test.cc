// SPDX-License-Identifier: Apache-2.0
//
// HttpStream under a session: callbacks, AsyncNext, counts, options.
#include "masflow/http_stream.h"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "asio_testing.h"
#include "http_testing.h"
#include "masflow/asio.h"

namespace masflow::internal {
namespace {

using boost::system::error_code;

class HttpStreamTest : public AsioTest {
 protected:
  HttpStreamTest() : http_(OpenHttp(*session_)) {}
  ~HttpStreamTest() override { http_.reset(); }

  void Push(const Talk& talk) {
    for (const Bytes& record : talk.records) {
      fake_.PushRecord(StreamKind::kHttp, record);
    }
  }
  void Collect() {
    http_->OnExchange([this](const HttpExchangeView& e) { got_.push_back(Brief(Own(e))); });
  }
  void Next() {
    driver_->AsyncNext(*http_, [this](error_code error, HttpExchange e) {
      EXPECT_FALSE(error);
      got_.push_back(Brief(e));
    });
    Poll();
  }

  std::optional<HttpStream> http_;
  Lines got_;
};

Talk ThreeInOneRecord() {
  return Talk().Send(Get("/1") + Get("/2") + Get("/3")).Receive(Ok("") + Ok("") + Ok(""));
}
const Lines kThree = {"GET /1 200 0+0 complete", "GET /2 200 0+0 complete",
                      "GET /3 200 0+0 complete"};

TEST_F(HttpStreamTest, SeveralOfOneRecord_ComeInOrder) {
  Collect();
  Push(ThreeInOneRecord());
  DrainAll();
  EXPECT_EQ(got_, kThree);
  const StreamStats stats = HttpStats(*session_);
  EXPECT_EQ(stats.produced, 6u);
  EXPECT_EQ(stats.merged, 3u);
  EXPECT_EQ(stats.delivered, 3u);
  ExpectBalanced(stats);
}

TEST_F(HttpStreamTest, OneRecordATurn_LosesNothing) {
  Collect();
  Push(ThreeInOneRecord());
  while (session_->Drain(1).more) {
  }
  EXPECT_EQ(got_, kThree);
  ExpectBalanced(HttpStats(*session_));
}

TEST_F(HttpStreamTest, EveryFate_AddsUp) {
  Push(ThreeInOneRecord());
  DrainAll();
  fake_.PushRecord(StreamKind::kHttp, Bytes(5));
  fake_.PushRecord(StreamKind::kHttp, EncodeRecord(TestExec(1)));
  fake_.PushLoss({.stream = StreamKind::kHttp, .reason = LossReason::kUnread, .count = 2});
  Collect();
  Push(Talk(6).Send(Get("/")).Receive(Ok("")).End());
  DrainAll();
  const StreamStats stats = HttpStats(*session_);
  EXPECT_EQ(stats.unheard, 3u);
  EXPECT_EQ(stats.delivered, 1u);
  EXPECT_EQ(stats.malformed, 2u);
  EXPECT_EQ(stats.merged, 7u);
  EXPECT_EQ(stats.lost_total(), 2u);
  ExpectBalanced(stats);
}

TEST_F(HttpStreamTest, Callback_Throws_TheRestStillComes) {
  http_->OnExchange([this](const HttpExchangeView& e) {
    got_.push_back(Brief(Own(e)));
    throw std::runtime_error("by the host");
  });
  Push(ThreeInOneRecord());
  int thrown = 0;
  for (bool more = true; more;) {
    try {
      more = session_->Drain(64).more;
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  EXPECT_EQ(thrown, 3);
  EXPECT_EQ(got_, kThree);
  ExpectBalanced(HttpStats(*session_));
}

TEST_F(HttpStreamTest, Callback_ClosesTheStream_NoneFollowsAndTheRestIsUnheard) {
  http_->OnExchange([this](const HttpExchangeView& e) {
    got_.push_back(Brief(Own(e)));
    http_.reset();
  });
  Push(ThreeInOneRecord());
  DrainAll();
  EXPECT_EQ(got_, Lines{kThree[0]});
  const StreamStats stats = HttpStats(*session_);
  EXPECT_EQ(stats.delivered, 1u);
  EXPECT_EQ(stats.unheard, 2u);
  ExpectBalanced(stats);
}

TEST_F(HttpStreamTest, AsyncNext_GetsOneAfterTheOther) {
  Drive();
  Next();
  Push(ThreeInOneRecord());
  Push(Talk(6).Send(Get("/4")).Receive(Ok("")));
  Poll();
  EXPECT_EQ(got_.size(), 1u);
  for (int i = 0; i < 3; ++i) {
    Next();
  }
  Lines expected = kThree;
  expected.push_back("GET /4 200 0+0 complete");
  EXPECT_EQ(got_, expected);
  ExpectBalanced(HttpStats(*session_));
}

TEST_F(HttpStreamTest, AsyncNext_AtTheEnd_IsEof) {
  Drive();
  error_code got;
  driver_->AsyncNext(*http_, [&](error_code error, HttpExchange) { got = error; });
  Push(Talk().Send(Get("/")));
  fake_.End();
  EXPECT_TRUE(RunToEnd());
  EXPECT_EQ(got, asio::error::eof);
  ExpectBalanced(HttpStats(*session_));
}

TEST_F(HttpStreamTest, AtTheEndOfTheSource_WhatIsHeldIsDelivered) {
  Collect();
  Push(ThreeInOneRecord());
  fake_.End();
  while (!session_->Drain(1).ended) {
  }
  EXPECT_EQ(got_, kThree);
}

TEST(HttpStream, Open_OptionOutOfRange_SaysWhich) {
  const FakeSource fake;
  Session session = NewSession(fake);
  struct Case {
    HttpOptions options;
    const char* says;
  };
  const std::vector<std::string> many(65, "a");
  for (const Case& c : std::vector<Case>{
           {{.max_connections = 63}, "HttpOptions::max_connections"},
           {{.max_connections = (1u << 22) + 1}, "max_connections"},
           {{.request_capture = 255}, "request_capture"},
           {{.request_capture = 15'361}, "request_capture"},
           {{.response_capture = 255}, "response_capture"},
           {{.response_capture = 15'361}, "response_capture"},
           {{.ring_bytes = 5000}, "ring_bytes"},
           {{.request_headers = many}, "request_headers holds more than 64"},
           {{.response_headers = many}, "response_headers holds more than 64"},
           {{.request_headers = {"a b"}}, "\"a b\" is no header's name"},
           {{.response_headers = {""}}, "\"\" is no header's name"},
           {{.request_headers = {"authorization"}}, "authorization holds credentials"},
           {{.request_headers = {"Cookie"}}, "Cookie holds credentials"},
           {{.response_headers = {"SET-COOKIE"}}, "SET-COOKIE holds credentials"},
           {{.request_headers = {"Proxy-Authorization"}}, "holds credentials"},
           {{.filter = {.addresses = {"10.0.0.1/8"}}}, "addresses: \"10.0.0.1/8\" has bits"},
           {{.filter = {.process = {.comms = {""}}}}, "comms"}}) {
    const absl::Status status = HttpStream::Open(session, c.options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.says;
    EXPECT_NE(status.message().find(c.says), absl::string_view::npos) << status;
  }
}

TEST(HttpStream, Open_AtTheEdgesOfTheRanges_Works) {
  for (const HttpOptions& options :
       {HttpOptions{.request_capture = 256, .response_capture = 256, .max_connections = 64},
        HttpOptions{
            .request_capture = 15'360, .response_capture = 15'360, .max_connections = 1u << 22},
        HttpOptions{.request_headers = std::vector<std::string>(64, "a"),
        .response_headers = {"WWW-Authenticate"}}}) {
    const FakeSource fake;
    Session session = NewSession(fake);
    EXPECT_TRUE(HttpStream::Open(session, options).ok());
  }
}

}  // namespace
}  // namespace masflow::internal
