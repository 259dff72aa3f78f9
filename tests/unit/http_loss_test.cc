// SPDX-License-Identifier: Apache-2.0
//
// Records that were lost, connections that were joined late, tables that are full: what is
// delivered is right, and the next exchange pairs right.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"

namespace masflow::internal {
namespace {

// Four exchanges, each in several records. The statuses tell which response is whose.
Talk FourExchanges() {
  Talk talk;
  for (int i = 1; i <= 4; ++i) {
    const std::string n = std::to_string(i);
    talk.Send("POST /" + n + " HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc").Send("def");
    talk.Receive("HTTP/1.1 20" + n + " OK\r\nContent-Length: 6\r\n\r\nabc").Receive("def");
  }
  return talk.Receive("");
}

// "2 lost": never a response of another one's request, never a status that was not sent.
void ExpectPairedRight(const std::vector<HttpExchange>& got, const std::string& what) {
  for (const HttpExchange& e : got) {
    if (e.status.has_value()) {
      const std::string n = std::to_string(*e.status - 200);
      EXPECT_EQ(e.target, "/" + (n == "4" ? "4" : n)) << what;
    } else {
      EXPECT_NE(e.outcome, HttpOutcome::kComplete) << what;
    }
  }
}

TEST(HttpLoss, OfAnyRecord_TheOthersPairRight) {
  const Talk talk = FourExchanges();
  for (std::size_t lost = 1; lost + 1 < talk.records.size(); ++lost) {
    std::vector<Bytes> records = talk.records;
    records.erase(records.begin() + static_cast<std::ptrdiff_t>(lost));
    const auto got = Exchanger().Take(records);
    const std::string what = "record " + std::to_string(lost);
    ExpectPairedRight(got, what);
    const std::size_t of = (lost - 1) / 4 + 1;
    const auto complete = std::count_if(got.begin(), got.end(), [&](const HttpExchange& e) {
      return e.outcome == HttpOutcome::kComplete && e.target != "/" + std::to_string(of);
    });
    EXPECT_EQ(complete, 3) << what << ": the others are whole";
  }
}

TEST(HttpLoss, OfAnyTwoRecords_NoneIsPairedWrong) {
  const Talk talk = FourExchanges();
  for (std::size_t a = 1; a < talk.records.size(); ++a) {
    for (std::size_t b = a + 1; b < talk.records.size(); ++b) {
      std::vector<Bytes> records = talk.records;
      records.erase(records.begin() + static_cast<std::ptrdiff_t>(b));
      records.erase(records.begin() + static_cast<std::ptrdiff_t>(a));
      ExpectPairedRight(Exchanger().Take(records), std::to_string(a) + ", " + std::to_string(b));
    }
  }
}

TEST(HttpLoss, OfAWholeRequest_ItsResponseIsPassedOver) {
  EXPECT_EQ(Briefs(Talk()
                       .Send(Get("/1"))
                       .Receive(Ok("a"))
                       .Send(Get("/2"))
                       .Lost()
                       .Receive(Ok("bb"))
                       .Send(Get("/3"))
                       .Receive(Ok("ccc"))),
            (Lines{"GET /1 200 0+1 complete", "GET /3 200 0+3 complete"}));
}

// Its response has a length, but no body.
TEST(HttpLoss, OfAHeadRequest_TheNextResponseIsFound) {
  EXPECT_EQ(Briefs(Talk()
                       .Send("HEAD /1 HTTP/1.1\r\n\r\n")
                       .Lost()
                       .Receive("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
                       .Send(Get("/2"))
                       .Receive(Ok("bb"))),
            (Lines{"GET /2 200 0+2 complete"}));
}

TEST(HttpLoss, OfAWholeResponse_ItsRequestIsLost) {
  EXPECT_EQ(
      Briefs(Talk().Send(Get("/1")).Receive(Ok("a")).Lost().Send(Get("/2")).Receive(Ok("bb"))),
      (Lines{"GET /1 - 0+0~ lost", "GET /2 200 0+2 complete"}));
}

TEST(HttpLoss, UnderPipelining_WhatCannotBePairedIsLost) {
  EXPECT_EQ(Briefs(Talk()
                       .Send(Get("/1") + Get("/2"))
                       .Receive(Ok("a"))
                       .Lost()
                       .Receive(Ok("bb"))
                       .Send(Get("/3"))
                       .Receive(Ok("ccc"))),
            (Lines{"GET /1 - 0+0~ lost", "GET /2 - 0+0~ lost", "GET /3 200 0+3 complete"}));
  EXPECT_EQ(Briefs(Talk()
                       .Send(Get("/1"))
                       .Send(Get("/2"))
                       .Lost()
                       .Send(Get("/3"))
                       .Receive(Ok("a") + Ok("bb") + Ok("ccc"))
                       .Send(Get("/4"))
                       .Receive(Ok("dddd"))),
            (Lines{"GET /3 - 0+0~ lost", "GET /1 200 0+1 complete", "GET /4 200 0+4 complete"}));
}

TEST(HttpLoss, WithinAHead_ItIsTruncated) {
  EXPECT_EQ(Briefs(Talk()
                       .Send("GET /1 HTTP/1.1\r\nHost: h\r\n")
                       .Send("Accept: x\r\n")
                       .Lost()
                       .Send("\r\n")
                       .Receive(Ok("a"))
                       .Send(Get("/2"))
                       .Receive(Ok("bb"))),
            (Lines{"GET! /1 200 0~+1 complete", "GET /2 200 0+2 complete"}));
}

TEST(HttpLoss, RepeatedBytes_AreDropped) {
  Talk talk;
  talk.Send(Get("/1")).Repeat(MF_WAY_SENT, Get("/1")).Receive(Ok("a"));
  talk.Repeat(MF_WAY_RECEIVED, Ok("a").substr(10) + "more").Send(Get("/2")).Receive(Ok("b"));
  const Lines got = Briefs(talk);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0], "GET /1 200 0+1 complete");
}

TEST(HttpLoss, PreExisting_JoinsAtTheNextMessage) {
  Talk talk(5, /*pre_existing=*/true);
  talk.Receive("rest of a body\r\n").Receive("GET / HTTP/1.1\r\n but no start").Send(Get("/1"));
  talk.Receive(Ok("a")).Send(Get("/2")).Receive(Ok("bb"));
  const auto got = Exchanges(talk);
  EXPECT_EQ(Briefs(got), (Lines{"GET /1 200 0+1 complete", "GET /2 200 0+2 complete"}));
  EXPECT_TRUE(got[0].connection.pre_existing);
}

TEST(HttpLoss, PreExisting_ResponseToARequestBefore_IsPassedOver) {
  Talk talk(5, /*pre_existing=*/true);
  talk.Receive(Ok("abc")).Send(Get("/1")).Receive(Ok("a"));
  EXPECT_EQ(Briefs(talk), (Lines{"GET /1 200 0+1 complete"}));
}

TEST(HttpLoss, PreExisting_ResponseNotFound_IsNotTheNextOnes) {
  Talk talk(5, /*pre_existing=*/true);
  talk.Send(Get("/1")).Pass(MF_WAY_RECEIVED, 100).Progress().Send(Get("/2")).Receive(Ok("bb"));
  EXPECT_EQ(Briefs(talk), (Lines{"GET /1 - 0+0~ lost", "GET /2 200 0+2 complete"}));
}

TEST(HttpLoss, PreExisting_PipelinedResponseNotFound_PairsNoneWrong) {
  Talk talk(5, /*pre_existing=*/true);
  talk.Send(Get("/1")).Send(Get("/2")).Pass(MF_WAY_RECEIVED, 100).Progress().Receive(Ok("bb"));
  talk.Send(Get("/3")).Receive(Ok("ccc"));
  EXPECT_EQ(Briefs(talk),
            (Lines{"GET /1 - 0+0~ lost", "GET /2 - 0+0~ lost", "GET /3 200 0+3 complete"}));
}

TEST(HttpLoss, TextWhereARequestMayBegin_IsNone) {
  Talk talk;
  talk.Send(Get("/1")).Receive(Ok("a")).Send(Get("/2")).Lost().Receive(Ok("b"));
  talk.Say(MF_WAY_SENT, "two words and more", 10).Receive(Ok("c")).Send("two words").End();
  EXPECT_EQ(Briefs(talk), (Lines{"GET /1 200 0+1 complete"}));
}

TEST(HttpLoss, EmptyLinesBeforeTheNextMessage_AreSkipped) {
  Talk talk(5, /*pre_existing=*/true);
  talk.Send("\r\n" + Get("/1")).Receive(Ok("a"));
  EXPECT_EQ(Briefs(talk), (Lines{"GET /1 200 0+1 complete"}));
}

TEST(HttpLoss, OfTheConnectionsRecord_NothingTillTheNext) {
  Talk talk;
  talk.Send(Get("/1")).Receive(Ok("a")).Connect().Send(Get("/2")).Receive(Ok("bb"));
  talk.Send(Get("/3")).Receive(Ok("ccc"));
  std::vector<Bytes> records = talk.records;
  records.erase(records.begin());
  // Where it begins is not where the connection does, so that it has to find a message first.
  EXPECT_EQ(Briefs(Exchanger().Take(records)),
            (Lines{"GET /2 200 0+2 complete", "GET /3 200 0+3 complete"}));
}

TEST(HttpLoss, TableFull_TheQuietestIsEvicted) {
  Exchanger exchanger({.max_connections = 64});
  const auto first = [](std::uint32_t pid) {
    return Talk(pid).Send(Get("/" + std::to_string(pid)));
  };
  Lines got;
  const auto take = [&](const std::vector<Bytes>& records) {
    for (const std::string& brief : Briefs(exchanger.Take(records))) {
      got.push_back(brief);
    }
  };
  for (std::uint32_t pid = 1; pid <= 64; ++pid) {
    take(first(pid).records);
  }
  EXPECT_EQ(got, Lines());
  take({first(1).Receive("").records.back()});  // 1 moves on
  take(first(65).records);
  EXPECT_EQ(got, (Lines{"GET /2 - 0+0~ lost"}));
  EXPECT_EQ(exchanger.table.size(), 64u);
  take({first(2).Receive(Ok("")).records.back()});
  EXPECT_EQ(got.size(), 1u) << "it is not known any more";
  take({first(1).Receive(Ok("")).records.back()});
  EXPECT_EQ(got.back(), "GET /1 200 0+0 complete");
}

TEST(HttpLoss, End_FreesTheConnection) {
  Exchanger exchanger;
  for (std::uint32_t pid = 1; pid <= 100; ++pid) {
    exchanger.Take(Talk(pid).Send(Get("/")).Receive(Ok("")).End().records);
  }
  EXPECT_EQ(exchanger.table.size(), 0u);
  EXPECT_EQ(exchanger.table.context().pool.in_use(), 0u);
}

}  // namespace
}  // namespace masflow::internal
