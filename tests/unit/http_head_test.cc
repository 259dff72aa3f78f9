// SPDX-License-Identifier: Apache-2.0
//
// Heads of messages, whole, in part and damaged.
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http/head_parser.h"

namespace masflow::internal {
namespace {

struct Parsed {
  HeadStatus status{};
  MessageHead head{};
  std::string chosen{};
};

// From a copy of exactly that size, so that ASan sees a read beyond it.
Parsed Parse(HeadKind kind, const std::string& text, bool is_all = false,
             const std::vector<std::string>& names = {}) {
  static std::vector<char> exact;  // what the views point to
  exact.assign(text.begin(), text.end());
  exact.shrink_to_fit();
  Parsed parsed;
  parsed.status = ParseHead(kind, {exact.data(), exact.size()}, is_all, HeaderChoice(names),
                            &parsed.head, &parsed.chosen);
  return parsed;
}

Parsed Request(const std::string& text, const std::vector<std::string>& names = {}) {
  return Parse(HeadKind::kRequest, text, false, names);
}
Parsed Response(const std::string& text) {
  return Parse(HeadKind::kResponse, text);
}
Parsed RequestWith(const std::string& headers) {
  return Request("GET / HTTP/1.1\r\n" + headers + "\r\n");
}

TEST(HttpHead, Request_HasItsParts) {
  const Parsed p = Request("PATCH /a?b HTTP/1.0\r\nHost: h:8\r\nContent-Length: 12\r\n\r\nbody");
  ASSERT_EQ(p.status, HeadStatus::kWhole);
  EXPECT_EQ(p.head.method, "PATCH");
  EXPECT_EQ(p.head.target, "/a?b");
  EXPECT_EQ(p.head.version_minor, 0);
  EXPECT_EQ(p.head.host, "h:8");
  EXPECT_EQ(p.head.length, LengthHeader::kKnown);
  EXPECT_EQ(p.head.content_length, 12u);
  EXPECT_EQ(p.head.coding, CodingHeader::kAbsent);
  EXPECT_FALSE(p.head.truncated);
  EXPECT_EQ(p.head.size, 54u);
}

TEST(HttpHead, RequestLine_AnyMethodAndForm) {
  for (const std::string line :
       {"GET / HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT example.com:443 HTTP/1.1",
        "GET http://example.com/a HTTP/1.1", "M-SEARCH * HTTP/1.1", "purge /x HTTP/1.9",
        "X!#$%&'*+-.^_`|~9 /\xff\x80 HTTP/1.1"}) {
    EXPECT_EQ(Request(line + "\r\n\r\n").status, HeadStatus::kWhole) << line;
  }
}

// A server may refuse such a one, by a response.
TEST(HttpHead, Target_IsWhatTheClientSent) {
  for (const std::string target : {" /", "/a b", "/\x1b[31m", "/\x7f", "/12345678\x01", "/\xff"}) {
    EXPECT_EQ(Request("GET " + target + " HTTP/1.1\r\n\r\n").head.target, target);
  }
}

TEST(HttpHead, RequestLine_OfSomethingElse_IsNone) {
  using namespace std::string_literals;
  for (const std::string& line :
       {"PRI * HTTP/2.0"s, "GET /"s, "GET / HTTP/1.1 "s, " GET / HTTP/1.1"s, "GET\t/ HTTP/1.1"s,
        "GET /\0 HTTP/1.1"s, "GET / HTTP/1.x"s, "GET / HTTP/1.10"s, "GET / http/1.1"s,
        "GET HTTP/1.1"s, "GET  HTTP/1.1"s, "G(T / HTTP/1.1"s, "*1"s, "PING"s, "+OK"s, "EHLO a"s,
        "\x16\x03\x01\x02"s, "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM / HTTP/1.1"s}) {
    EXPECT_EQ(Request(line + "\r\n\r\n").status, HeadStatus::kNone) << line;
  }
}

TEST(HttpHead, StatusLine_OnlyOfThisVersion) {
  EXPECT_EQ(Response("HTTP/1.1 200 OK\r\n\r\n").head.status, 200);
  EXPECT_EQ(Response("HTTP/1.0 404\r\n\r\n").head.status, 404);
  EXPECT_EQ(Response("HTTP/1.1 599 \r\n\r\n").head.status, 599);
  for (const std::string line :
       {"HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000 OK", "HTTP/1.1  200", "HTTP/1.1 20x OK",
        "ICY 200 OK", "HTTP/1.1", "GET / HTTP/1.1", "HTTP/1.x 200 OK"}) {
    EXPECT_EQ(Response(line + "\r\n\r\n").status, HeadStatus::kNone) << line;
  }
}

TEST(HttpHead, CutAnywhere_IsPartOfAHead) {
  const std::string text = "GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
  for (std::size_t size = 1; size < text.size(); ++size) {
    EXPECT_EQ(Request(text.substr(0, size)).status, HeadStatus::kPart) << size;
  }
  const std::string response = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
  for (std::size_t size = 1; size < response.size(); ++size) {
    EXPECT_EQ(Response(response.substr(0, size)).status, HeadStatus::kPart) << size;
  }
}

TEST(HttpHead, AllThereIs_CompleteLinesCount) {
  const Parsed p = Parse(HeadKind::kRequest, "GET /a HTTP/1.1\r\nHost: h\r\nContent-Le", true);
  ASSERT_EQ(p.status, HeadStatus::kWhole);
  EXPECT_TRUE(p.head.truncated);
  EXPECT_FALSE(p.head.line_cut);
  EXPECT_EQ(p.head.host, "h");
  EXPECT_EQ(p.head.length, LengthHeader::kAbsent);
  const Parsed cut = Parse(HeadKind::kRequest, "GET /abc", true);
  ASSERT_EQ(cut.status, HeadStatus::kWhole);
  EXPECT_TRUE(cut.head.line_cut);
  EXPECT_EQ(cut.head.target, "/abc");
  EXPECT_EQ(Parse(HeadKind::kRequest, "GET ", true).status, HeadStatus::kNone);
  EXPECT_EQ(Parse(HeadKind::kResponse, "HTTP/1.1 200 O", true).status, HeadStatus::kNone);
}

TEST(HttpHead, HeaderNames_InAnyCase) {
  const Parsed p = RequestWith("hOsT:h\r\ncontent-length:\t7 \r\nTRANSFER-ENCODING: Chunked\r\n");
  EXPECT_EQ(p.head.host, "h");
  EXPECT_EQ(p.head.content_length, 7u);
  EXPECT_EQ(p.head.coding, CodingHeader::kChunked);
}

TEST(HttpHead, ContentLength_EqualOnesCountOnce) {
  EXPECT_EQ(RequestWith("Content-Length: 5\r\nContent-Length: 5\r\n").head.content_length, 5u);
  EXPECT_EQ(RequestWith("Content-Length: 5, 5\r\n").head.length, LengthHeader::kKnown);
}

TEST(HttpHead, ContentLength_NotOneNumber_IsUnclear) {
  for (const std::string value : {"5\r\nContent-Length: 6", "5, 6", "-1", "+1", "0x5", "5 5", "",
                                  "18446744073709551616", "5,", "a"}) {
    EXPECT_EQ(RequestWith("Content-Length: " + value + "\r\n").head.length, LengthHeader::kUnclear)
        << value;
  }
}

TEST(HttpHead, TransferEncoding_LastOneCounts) {
  EXPECT_EQ(RequestWith("Transfer-Encoding: gzip, chunked\r\n").head.coding,
            CodingHeader::kChunked);
  EXPECT_EQ(RequestWith("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n").head.coding,
            CodingHeader::kChunked);
  EXPECT_EQ(RequestWith("Transfer-Encoding: chunked, gzip\r\n").head.coding, CodingHeader::kOther);
  EXPECT_EQ(RequestWith("Transfer-Encoding: xchunked\r\n").head.coding, CodingHeader::kOther);
  // A name with a space is another name, for most.
  EXPECT_EQ(RequestWith("Transfer-Encoding : chunked\r\n").head.coding, CodingHeader::kAbsent);
}

TEST(HttpHead, BareLineFeeds_AreLineEnds) {
  const Parsed p = Request("GET / HTTP/1.1\nHost: h\nContent-Length: 3\n\nabc");
  ASSERT_EQ(p.status, HeadStatus::kWhole);
  EXPECT_EQ(p.head.host, "h");
  EXPECT_EQ(p.head.content_length, 3u);
  EXPECT_EQ(p.head.size, 42u);
}

TEST(HttpHead, FoldedLines_AreOneValue) {
  const Parsed p = Request(
      "GET / HTTP/1.1\r\nHost:\r\n h\r\nA: x\r\n\ty\r\nB: z\r\n Content-Length: 9\r\n\r\n", {"a"});
  ASSERT_EQ(p.status, HeadStatus::kWhole);
  EXPECT_EQ(p.head.host, "h");
  EXPECT_EQ(p.chosen, std::string("A\0x  \ty\0", 8));
  EXPECT_EQ(p.head.length, LengthHeader::kAbsent);
}

TEST(HttpHead, NulInAValue_EndsNothing) {
  const Parsed p =
      Request(std::string("GET / HTTP/1.1\r\nA: x\0y\r\nB: z\r\n\r\n", 32), {"a", "b"});
  ASSERT_EQ(p.status, HeadStatus::kWhole);
  EXPECT_EQ(p.chosen, std::string("A\0x y\0B\0z\0", 10));
}

TEST(HttpHead, ChosenHeaders_AsSentInOrder) {
  const Parsed p = Request(
      "GET / HTTP/1.1\r\nX-Id: 1\r\nAccept: */*\r\nx-ID:  2 \r\nHost: h\r\nCookie: c\r\n"
      "no-colon\r\n: none\r\n\r\n",
      {"X-Id", "host"});
  EXPECT_EQ(p.chosen, std::string("X-Id\0001\0x-ID\0002\0Host\0h\0", 21));
}

TEST(HttpHead, FirstHost_Counts) {
  EXPECT_EQ(RequestWith("Host: a\r\nHost: b\r\n").head.host, "a");
  EXPECT_EQ(RequestWith("Host:\r\n").head.host, "");
  EXPECT_EQ(RequestWith("Hosts: a\r\n").head.host, std::nullopt);
}

}  // namespace
}  // namespace masflow::internal
