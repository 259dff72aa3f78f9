// SPDX-License-Identifier: Apache-2.0
//
// From the records of a connection to exchanges: framing and pairing.
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
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
  connection.role = TcpRole::kClient;  // the record does not say
  connection.role_inferred = true;
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

// What is cut and how must not matter.
struct Piece {
  std::uint8_t way;
  std::string text;
};
const std::vector<Piece> kDialogue = {
    {MF_WAY_SENT,
     "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n"},
    {MF_WAY_RECEIVED,
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
    {MF_WAY_SENT, "\r\nGET /b HTTP/1.1\r\n\r\n"},
    {MF_WAY_RECEIVED, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"},
    {MF_WAY_SENT, "HEAD /c HTTP/1.1\r\n\r\n"},
    {MF_WAY_RECEIVED, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}};
const Lines kDialogueBriefs = {"POST /a 200 3+5 complete", "GET /b 200 0+2 complete",
                               "HEAD /c 200 0+0 complete"};

TEST(HttpConnection, SplitAtEveryByte_IsTheSame) {
  for (std::size_t which = 0; which < kDialogue.size(); ++which) {
    for (std::size_t at = 1; at < kDialogue[which].text.size(); ++at) {
      for (const bool server : {false, true}) {
        Talk talk;
        for (std::size_t i = 0; i < kDialogue.size(); ++i) {
          const auto way = static_cast<std::uint8_t>(kDialogue[i].way ^ (server ? 1 : 0));
          const std::string& text = kDialogue[i].text;
          talk.Say(way, text.substr(0, i == which ? at : text.size()));
          if (i == which) {
            talk.Say(way, text.substr(at));
          }
        }
        ASSERT_EQ(Briefs(talk), kDialogueBriefs) << which << " at " << at;
      }
    }
  }
}

TEST(HttpConnection, AllInRecordsOfSomeBytes_IsTheSame) {
  for (const std::size_t size : {1, 2, 3, 7, 16}) {
    Talk talk;
    for (const Piece& piece : kDialogue) {
      for (std::size_t at = 0; at < piece.text.size(); at += size) {
        talk.Say(piece.way, std::string_view(piece.text).substr(at, size));
      }
    }
    EXPECT_EQ(Briefs(talk), kDialogueBriefs) << size;
  }
}

TEST(HttpConnection, HeadInPieces_TimesAreOfTheFirstByte) {
  const auto got = Exchanges(Talk()
                                 .Send("GE")  // 1001
                                 .OwnedBy(9)  // 1002
                                 .Send("T / HTTP/1.1\r\n\r\n")
                                 .Receive("HTT")  // 1004
                                 .Receive("P/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
                                 .Receive("h")
                                 .Receive("i"));  // 1007
  ASSERT_EQ(Briefs(got), (Lines{"GET / 200 0+2 complete"}));
  EXPECT_EQ(got[0].time, At(1001));
  EXPECT_EQ(got[0].first_byte, std::chrono::nanoseconds(3));
  EXPECT_EQ(got[0].last_byte, std::chrono::nanoseconds(6));
  EXPECT_EQ(got[0].connection.owner->id.pid, 5u) << "who moved the first byte";
}

TEST(HttpConnection, Interim_DoesNotCountAsResponse) {
  for (const std::string interim :
       {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"}) {
    const auto got = Exchanges(Talk().Send(Get("/")).Receive(interim).Receive(Ok("x")));
    ASSERT_EQ(Briefs(got), (Lines{"GET / 200 0+1 complete"}));
    EXPECT_EQ(got[0].first_byte, std::chrono::nanoseconds(2));
  }
}

TEST(HttpConnection, Expect100_BodyFollowsTheInterimResponse) {
  EXPECT_EQ(Briefs(Talk()
                       .Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
                       .Receive("HTTP/1.1 100 Continue\r\n\r\n")
                       .Send("abc")
                       .Receive(Ok("x"))
                       .Send(Get("/b"))
                       .Receive(Ok(""))),
            (Lines{"POST / 200 3+1 complete", "GET /b 200 0+0 complete"}));
}

TEST(HttpConnection, WithoutABody_WhateverTheLengthSays) {
  EXPECT_EQ(Briefs(Talk()
                       .Send("HEAD /1 HTTP/1.1\r\n\r\n")
                       .Receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                       .Send(Get("/2"))
                       .Receive("HTTP/1.1 204 No Content\r\n\r\n")
                       .Send(Get("/3"))
                       .Receive("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n")
                       .Send(Get("/4"))
                       .Receive(Ok("ab"))),
            (Lines{"HEAD /1 200 0+0 complete", "GET /2 204 0+0 complete", "GET /3 304 0+0 complete",
                   "GET /4 200 0+2 complete"}));
}

TEST(HttpConnection, Upgrade_EndsHttp) {
  const auto got = Exchanges(Talk()
                                 .Send("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
                                 .Receive("HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello")
                                 .Send("\x81\x85GET / HTTP/1.1\r\n\r\n")
                                 .Send(Get("/no"))
                                 .Receive(Ok(""))
                                 .End());
  EXPECT_EQ(Briefs(got), (Lines{"GET /ws 101 0+0 upgraded"}));
  EXPECT_EQ(got[0].last_byte, std::chrono::nanoseconds(1));
}

TEST(HttpConnection, Connect_ThatSucceeds_EndsHttp) {
  const auto got = Exchanges(Talk()
                                 .Send("CONNECT example.com:443 HTTP/1.1\r\n\r\n")
                                 .Send(Get("/inside"))  // did not wait for the answer
                                 .Receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
                                 .Send("\x16\x03\x01")
                                 .End());
  ASSERT_EQ(Briefs(got), (Lines{"CONNECT example.com:443 200 0+0 upgraded"}));
  EXPECT_EQ(got[0].host, "example.com:443");
}

TEST(HttpConnection, Connect_ThatFails_HttpGoesOn) {
  EXPECT_EQ(Briefs(Talk()
                       .Send("CONNECT example.com:443 HTTP/1.1\r\nHost: h\r\n\r\n")
                       .Receive("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno")
                       .Send(Get("/a"))
                       .Receive(Ok(""))),
            (Lines{"CONNECT example.com:443 407 0+2 complete", "GET /a 200 0+0 complete"}));
}

TEST(HttpConnection, Host_OfAnAbsoluteTargetWins) {
  struct Case {
    const char* target;
    const char* host;
    const char* expected;
    const char* expected_target;
  };
  for (const Case& c : std::vector<Case>{
           {"http://a.example/x", "b.example", "a.example", "http://a.example/x"},
           {"http://a.example?x", "b.example", "a.example", "http://a.example?x"},
           {"http://u:secret@a.example:8/", "b", "a.example:8", "http://a.example:8/"},
           {"/x?http://a.example/", "b.example", "b.example", "/x?http://a.example/"},
           {"*", "b.example", "b.example", "*"}}) {
    const auto got = Exchanges(
        Talk()
            .Send("OPTIONS " + std::string(c.target) + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
            .Receive(Ok("")));
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].host, c.expected);
    EXPECT_EQ(got[0].target, c.expected_target);
  }
  EXPECT_EQ(Exchanges(Talk().Send("GET / HTTP/1.0\r\n\r\n").Receive(Ok("")))[0].host, std::nullopt);
}

TEST(HttpConnection, Query_AsTheHostWantsIt) {
  const auto target = [](const std::string& sent, HttpQuery query) {
    return Exchanges(Talk().Send(Get(sent)).Receive(Ok("")), {.query = query})[0].target;
  };
  EXPECT_EQ(target("/a?x=1&y=2", HttpQuery::kKeep), "/a?x=1&y=2");
  EXPECT_EQ(target("/a?x=1&y=2&z&=v&", HttpQuery::kKeysOnly), "/a?x&y&z&&");
  EXPECT_EQ(target("/a?x=1&y=2", HttpQuery::kDrop), "/a");
  EXPECT_EQ(target("/a", HttpQuery::kKeysOnly), "/a");
  EXPECT_EQ(target("/a?", HttpQuery::kKeysOnly), "/a?");
}

TEST(HttpConnection, ChosenHeaders_OfEachWay) {
  const auto got = Exchanges(Talk()
                                 .Send("GET / HTTP/1.1\r\nuser-agent: x\r\nServer: no\r\n\r\n")
                                 .Receive("HTTP/1.1 200 OK\r\nServer: s\r\nUser-Agent: no\r\n"
                                          "Content-Length: 0\r\n\r\n"),
                             {.request_headers = {"User-Agent"}, .response_headers = {"server"}});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].request_headers, std::string("user-agent\0x\0", 13));
  EXPECT_EQ(got[0].response_headers, std::string("Server\0s\0", 9));
}

TEST(HttpConnection, EarlyResponse_RequestBodyIsALowerBound) {
  EXPECT_EQ(Briefs(Talk()
                       .Send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
                       .Receive("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                       .Send("defghij")  // goes on all the same
                       .Send(Get("/b"))
                       .Receive(Ok(""))),
            (Lines{"POST / 413 3~+0 complete", "GET /b 200 0+0 complete"}));
}

TEST(HttpConnection, BodyThatLooksLikeAMessage_IsNone) {
  EXPECT_EQ(Briefs(Talk()
                       .Send(Post("/", Get("/evil")))
                       .Receive(Ok("HTTP/1.1 500 Evil\r\n\r\n"))
                       .Send("POST /b HTTP/1.1\r\nContent-Length: 40\r\n\r\n")
                       .Send(Get("/evil").substr(0, 40))
                       .Receive(Ok(""))),
            (Lines{"POST / 200 " + std::to_string(Get("/evil").size()) + "+21 complete",
                   "POST /b 200 40+0 complete"}));
}

TEST(HttpConnection, TooManyOutstanding_TheOldestIsLost) {
  Talk talk;
  for (int i = 0; i < 258; ++i) {
    talk.Send(Get("/" + std::to_string(i)));
  }
  for (int i = 0; i < 258; ++i) {
    talk.Receive(Ok(std::string(static_cast<std::size_t>(i), 'x')));
  }
  const Lines got = Briefs(talk);
  ASSERT_EQ(got.size(), 258u);
  EXPECT_EQ(got[0], "GET /0 - 0+0~ lost");
  EXPECT_EQ(got[1], "GET /1 - 0+0~ lost");
  EXPECT_EQ(got[2], "GET /2 200 0+2 complete");
  EXPECT_EQ(got[257], "GET /257 200 0+257 complete");
}

TEST(HttpConnection, OtherProtocols_YieldNothing) {
  using namespace std::string_literals;
  const std::vector<std::pair<std::string, std::string>> talks = {
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s, "\0\0\x12\x04\0"s},
      {"\x16\x03\x01\x02\0\x01"s, "\x16\x03\x03\0z"s},
      {"*1\r\n$4\r\nPING\r\n"s, "+PONG\r\n"s},
      {"GET key\r\n"s, "$5\r\nhello\r\n"s},
      {"PUT / RTSP/1.0\r\n\r\n"s, "RTSP/1.0 200 OK\r\n\r\n"s},
      {"GET / HTTP/1.1\r\n\r\n"s, "ICY 200 OK\r\n\r\n"s},
      {"GET / HTTP/1.1\r\n\r\n"s, "HTTX"s},
      {"EHLO x\r\n"s, "220 smtp\r\n"s}};
  for (const auto& [client, server] : talks) {
    Talk talk;
    talk.Send(client).Receive(server).Send(Get("/")).Receive(Ok("")).End();
    EXPECT_EQ(Briefs(talk), Lines()) << client;
    Talk server_first;
    server_first.Receive(server).Send(client).Receive(server).End();
    EXPECT_EQ(Briefs(server_first), Lines()) << client;
  }
  EXPECT_EQ(Briefs(Talk().Send(Get("/")).End(MF_HTTP_END_NOT_HTTP)), Lines());
}

TEST(HttpConnection, OwnerChanges_EachExchangeHasItsOwn) {
  Talk talk;
  talk.Send(Get("/1")).OwnedBy(6).Receive(Ok(""));
  talk.cgroup_id = 99;
  talk.Send(Get("/2")).Receive(Ok(""));
  const auto got = Exchanges(talk);
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].connection.owner->id.pid, 5u);
  EXPECT_EQ(got[0].connection.owner->cgroup_id, 17u);
  EXPECT_EQ(got[1].connection.owner->id.pid, 6u);
  EXPECT_EQ(got[1].connection.owner->cgroup_id, 99u);
}

}  // namespace
}  // namespace masflow::internal
