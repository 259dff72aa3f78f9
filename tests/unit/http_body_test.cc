// SPDX-License-Identifier: Apache-2.0
//
// Bodies: their framing, also where most of their bytes pass unread, and how they end.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"

namespace masflow::internal {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

// A response whose first bytes are these, of which the rest of the call is not here.
Talk& ReceiveSome(Talk& talk, const std::string& text, std::size_t length) {
  return talk.Say(MF_WAY_RECEIVED, text, text.size(), length);
}

TEST(HttpBody, OneGiBUnread_IsExact) {
  Talk talk;
  talk.Send(Get("/a"));
  talk.Receive("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
  talk.Pass(MF_WAY_RECEIVED, kGiB / 2).Progress().Pass(MF_WAY_RECEIVED, kGiB / 2).Progress();
  talk.Send("POST /b HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n").Pass(MF_WAY_SENT, kGiB);
  talk.Progress().Receive(Ok(""));
  const auto got = Exchanges(talk);
  ASSERT_EQ(Briefs(got),
            (Lines{"GET /a 200 0+1073741824 complete", "POST /b 200 1073741824+0 complete"}));
  EXPECT_EQ(got[0].last_byte, std::chrono::nanoseconds(3)) << "when it passed";
}

TEST(HttpBody, UnreadInTheCallOfItsEnd_IsExact) {
  Talk talk;
  talk.Send(Get("/"));
  ReceiveSome(talk, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 1041);
  EXPECT_EQ(Briefs(talk), (Lines{"GET / 200 0+1000 complete"}));
}

TEST(HttpBody, Chunked_ExtensionsAndTrailers) {
  EXPECT_EQ(Briefs(Talk()
                       .Send(Get("/"))
                       .Receive(kChunkedOk + "A;a=\"b;c\"\r\n0123456789\r\n00001 \r\nx\r\n"
                                             "0;last\r\nTrailer: 0\r\n folded\r\n\r\n")
                       .Send(Get("/b"))
                       .Receive(Ok(""))),
            (Lines{"GET / 200 0+11 complete", "GET /b 200 0+0 complete"}));
}

TEST(HttpBody, Chunked_GapWithinAChunk_IsExact) {
  Talk talk;
  talk.Send(Get("/")).Receive(kChunkedOk + "100000\r\nab").Pass(MF_WAY_RECEIVED, 0x100000 - 3);
  talk.Progress().Receive("z\r\n0\r\n\r\n");
  EXPECT_EQ(Briefs(talk), (Lines{"GET / 200 0+1048576 complete"}));
}

TEST(HttpBody, Chunked_FramingUnread_TailTellsTheEnd) {
  for (const std::string tail : {"\r\n0\r\n\r\n", "x\r\n0\r\n\r\n", "\n0\r\n\r\n", "0\r\n\r\n"}) {
    Talk talk;
    talk.Send(Get("/")).Receive(kChunkedOk + "3\r\nabc\r\n").Pass(MF_WAY_RECEIVED, 5000, tail);
    talk.Progress();
    EXPECT_EQ(Briefs(talk), (Lines{"GET / 200 0+3~ complete"})) << tail;
    talk.Send(Get("/b")).Receive(Ok("x"));
    EXPECT_EQ(Briefs(talk), (Lines{"GET / 200 0+3~ complete", "GET /b 200 0+1 complete"}));
  }
}

TEST(HttpBody, Chunked_RestOfTheCallUnread_TailOfTheEndCounts) {
  Talk talk;
  talk.Send(Get("/"));
  ReceiveSome(talk, kChunkedOk + "3\r\nabc\r\n", 5000);
  talk.Pass(MF_WAY_RECEIVED, 0, "\r\n0\r\n\r\n").End(MF_HTTP_END_RESET, 104);
  EXPECT_EQ(Briefs(talk), (Lines{"GET / 200 0+3~ complete"}));
}

TEST(HttpBody, Chunked_TailOfSomethingElse_GoesOn) {
  for (const std::string tail : {"10\r\n\r\n", "x0\r\n\r\n", "\r\n0\r\n\rx", "\r\n\r\n", "\r\n"}) {
    Talk talk;
    talk.Send(Get("/")).Receive(kChunkedOk + "3\r\nabc\r\n").Pass(MF_WAY_RECEIVED, 5000, tail);
    talk.Progress();
    EXPECT_EQ(Briefs(talk), Lines()) << tail;
    talk.Send(Get("/b")).Receive(Ok("x"));
    EXPECT_EQ(Briefs(talk), (Lines{"GET / 200 0+3~ complete", "GET /b 200 0+1 complete"})) << tail;
  }
}

TEST(HttpBody, Chunked_FramingUnread_NextRequestEndsIt) {
  Talk talk;
  talk.Send(Get("/a")).Receive(kChunkedOk + "3\r\nabc\r\n").Pass(MF_WAY_RECEIVED, 5000);
  talk.Progress().Send(Get("/b")).Receive(Ok("x"));
  const auto got = Exchanges(talk);
  ASSERT_EQ(Briefs(got), (Lines{"GET /a 200 0+3~ complete", "GET /b 200 0+1 complete"}));
  EXPECT_EQ(got[0].last_byte, std::chrono::nanoseconds(2));
}

TEST(HttpBody, Chunked_FramingUnread_NextResponseEndsIt) {
  Talk talk;
  talk.Send(Get("/a") + Get("/b")).Receive(kChunkedOk + "3\r\nabc\r\n");
  talk.Pass(MF_WAY_RECEIVED, 5000).Progress().Receive(Ok("x"));
  EXPECT_EQ(Briefs(talk), (Lines{"GET /a 200 0+3~ complete", "GET /b 200 0+1 complete"}));
}

TEST(HttpBody, Chunked_RequestUnread_NextOneEndsIt) {
  Talk talk;
  talk.Send("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  talk.Pass(MF_WAY_SENT, 5000).Progress().Receive(Ok("")).Send(Get("/b")).Receive(Ok(""));
  EXPECT_EQ(Briefs(talk), (Lines{"POST /a 200 3~+0 complete", "GET /b 200 0+0 complete"}));
}

TEST(HttpBody, Chunked_EndOfTheConnection) {
  const auto brief = [](const std::string& tail, std::uint32_t reason) {
    Talk talk;
    talk.Send(Get("/")).Receive(kChunkedOk + "3\r\nabc\r\n").Pass(MF_WAY_RECEIVED, 99, tail);
    return Briefs(talk.End(reason));
  };
  EXPECT_EQ(brief("", MF_HTTP_END_CLOSED), (Lines{"GET / 200 0+3~ complete"}));
  EXPECT_EQ(brief("\r\n0\r\n\r\n", MF_HTTP_END_UNSEEN), (Lines{"GET / 200 0+3~ complete"}));
  EXPECT_EQ(brief("abcdefgh", MF_HTTP_END_CLOSED), (Lines{"GET / 200 0+3~ closed"}));
  EXPECT_EQ(brief("", MF_HTTP_END_RESET), (Lines{"GET / 200 0+3~ reset"}));
  EXPECT_EQ(brief("", MF_HTTP_END_UNSEEN), (Lines{"GET / 200 0+3~ lost"}));
}

TEST(HttpBody, UntilClose) {
  const auto brief = [](std::uint32_t reason, std::uint32_t error = 0) {
    Talk talk;
    talk.Send("GET / HTTP/1.0\r\n\r\n").Receive("HTTP/1.0 200 OK\r\n\r\nabc");
    return Briefs(talk.Pass(MF_WAY_RECEIVED, 1000).End(reason, error));
  };
  EXPECT_EQ(brief(MF_HTTP_END_CLOSED), (Lines{"GET / 200 0+1003 complete"}));
  EXPECT_EQ(brief(MF_HTTP_END_RESET, 104), (Lines{"GET / 200 0+1003~ reset"}));
  EXPECT_EQ(brief(MF_HTTP_END_CLOSED, 110), (Lines{"GET / 200 0+1003~ reset"}));
  EXPECT_EQ(brief(MF_HTTP_END_UNSEEN), (Lines{"GET / 200 0+1003~ lost"}));
}

TEST(HttpBody, EndSentByTheServer_EndsResponses) {
  EXPECT_EQ(Briefs(Talk()
                       .Receive("GET / HTTP/1.0\r\n\r\n")
                       .Send("HTTP/1.0 200 OK\r\n\r\nabc")
                       .End(MF_HTTP_END_SENT)),
            (Lines{"GET / 200 0+3 complete"}));
  EXPECT_EQ(Briefs(Talk()
                       .Receive(Get("/a") + Get("/b"))
                       .Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
                       .End(MF_HTTP_END_SENT)
                       .Receive(Get("/c"))
                       .End()),
            (Lines{"GET /a 200 0+2~ closed", "GET /b - 0+0~ closed", "GET /c - 0+0~ closed"}));
}

TEST(HttpBody, EndSentByTheClient_SaysNothingOfResponses) {
  EXPECT_EQ(Briefs(Talk()
                       .Send("GET / HTTP/1.0\r\n\r\n")
                       .End(MF_HTTP_END_SENT)
                       .Receive("HTTP/1.0 200 OK\r\n\r\nabc")
                       .End()),
            (Lines{"GET / 200 0+3 complete"}));
}

TEST(HttpBody, EndAtEveryStage) {
  struct Case {
    std::uint32_t reason;
    const char* outcome;
  };
  for (const auto& [reason, name] :
       {Case{MF_HTTP_END_CLOSED, "closed"}, Case{MF_HTTP_END_RESET, "reset"},
        Case{MF_HTTP_END_UNSEEN, "lost"}}) {
    const std::string outcome = name;
    const std::string post = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab";
    EXPECT_EQ(Briefs(Talk().End(reason)), Lines());
    EXPECT_EQ(Briefs(Talk().Send("GET /a").End(reason)), Lines());
    EXPECT_EQ(Briefs(Talk().Send("GET / HTTP/1.1\r\nA: ").End(reason)),
              (Lines{"GET! / - 0~+0~ " + outcome}));
    EXPECT_EQ(Briefs(Talk().Send(Get("/")).End(reason)), (Lines{"GET / - 0+0~ " + outcome}));
    EXPECT_EQ(Briefs(Talk().Send(post).End(reason)), (Lines{"POST / - 2~+0~ " + outcome}));
    EXPECT_EQ(Briefs(Talk().Send(Get("/")).Receive("HTTP/1.1 2").End(reason)),
              (Lines{"GET / - 0+0~ " + outcome}));
    EXPECT_EQ(Briefs(Talk().Send(Get("/")).Receive("HTTP/1.1 200 OK\r\nA").End(reason)),
              (Lines{"GET / 200! 0+0~ " + outcome}));
    EXPECT_EQ(Briefs(Talk().Send(Get("/")).Receive("HTTP/1.1 100 C\r\n\r\n").End(reason)),
              (Lines{"GET / - 0+0~ " + outcome}));
    EXPECT_EQ(
        Briefs(
            Talk().Send(Get("/")).Receive(Ok("abc").substr(0, Ok("abc").size() - 1)).End(reason)),
        (Lines{"GET / 200 0+2~ " + outcome}));
    EXPECT_EQ(Briefs(Talk().Send(Get("/")).Receive(kChunkedOk + "5\r\nab").End(reason)),
              (Lines{"GET / 200 0+2~ " + outcome}));
    EXPECT_EQ(Briefs(Talk().Send(Get("/")).Receive(Ok("abc")).End(reason)),
              (Lines{"GET / 200 0+3 complete"}));
  }
}

// What the peers make of these is not known: the next exchange must pair all the same.
TEST(HttpBody, SmugglingShapes) {
  const auto briefs = [](const std::string& headers, const std::string& body) {
    Talk talk;
    talk.Send("POST /a HTTP/1.1\r\n" + headers + "\r\n" + body).Receive(Ok(""));
    return Briefs(talk.Send(Get("/b")).Receive(Ok("x")));
  };
  const Lines exact = {"POST /a 200 3+0 complete", "GET /b 200 0+1 complete"};
  const Lines unclear = {"POST /a 200 0~+0 complete", "GET /b 200 0+1 complete"};
  EXPECT_EQ(briefs("Content-Length: 9\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
            exact);
  EXPECT_EQ(briefs("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), exact);
  EXPECT_EQ(briefs("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), unclear);
  EXPECT_EQ(briefs("Content-Length: 3\r\nContent-Length: 4\r\n", Get("/smuggled")), unclear);
  EXPECT_EQ(briefs("Transfer-Encoding: chunked, x\r\n", "3\r\nabc\r\n0\r\n\r\n"), unclear);
  EXPECT_EQ(briefs("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nabc"), unclear);
  EXPECT_EQ(briefs("Transfer-Encoding: chunked\r\n", "\r\n\r\n"), unclear);
  EXPECT_EQ(briefs("Transfer-Encoding: chunked\r\n", "-3\r\nabc"), unclear);
  EXPECT_EQ(briefs("Transfer-Encoding:\r\n chunked\r\n", "3\nabc\n0\n\n"), exact);
}

TEST(HttpBody, LongHeads_WithinAndBeyondTheCapture) {
  const std::string line = "X-Long: " + std::string(16'000, 'x') + "\r\n";
  const std::string request = "GET /a HTTP/1.1\r\nHost: h\r\n" + line + "\r\n";
  const std::string response = "HTTP/1.1 200 OK\r\n" + line + "Content-Length: 2\r\n\r\nab";
  EXPECT_EQ(Briefs(Talk().Send(request).Receive(response)), (Lines{"GET /a 200 0+2 complete"}));
  Talk talk;
  talk.Say(MF_WAY_SENT, request, 4096).Say(MF_WAY_RECEIVED, response, 2048);
  talk.Send(Get("/b")).Receive(Ok("x"));
  const auto got = Exchanges(talk);
  EXPECT_EQ(Briefs(got), (Lines{"GET! /a 200! 0~+0~ complete", "GET /b 200 0+1 complete"}));
  EXPECT_EQ(got[0].host, "h");
}

TEST(HttpBody, TargetBeyondTheCapture_IsCut) {
  const std::string request = Get("/" + std::string(5000, 'x'));
  Talk talk;
  talk.Say(MF_WAY_SENT, request, 256).Receive(Ok("x"));
  const auto got = Exchanges(talk);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].target, "/" + std::string(251, 'x'));
  EXPECT_TRUE(got[0].request_head_truncated);
  Talk unanswered;
  EXPECT_EQ(Briefs(unanswered.Say(MF_WAY_SENT, request, 256).End()), Lines())
      << "nothing tells that it is HTTP";
}

TEST(HttpBody, EndlessHead_IsBounded) {
  Talk talk;
  talk.Send("GET /a HTTP/1.1\r\n");
  for (int i = 0; i < 100; ++i) {
    talk.Send("X: " + std::string(1000, 'x') + "\r\n");
  }
  Exchanger exchanger;
  EXPECT_EQ(exchanger.Take(talk.records).size(), 0u);
  EXPECT_LE(exchanger.table.held_bytes(), 130'000u);
  EXPECT_EQ(Briefs(talk.Receive(Ok("x")).Send(Get("/b")).Receive(Ok(""))),
            (Lines{"GET! /a 200 0~+1 complete", "GET /b 200 0+0 complete"}));
}

}  // namespace
}  // namespace masflow::internal
