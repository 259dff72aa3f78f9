// SPDX-License-Identifier: Apache-2.0
//
// Credentials in HTTP records do not reach a recording, wherever calls cut the bytes.
#include "replay/credential_mask.h"

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"
#include "masflow/testing/fake_source.h"
#include "replay_testing.h"
#include "wire/read_record.h"

namespace masflow::internal {
namespace {

constexpr std::string_view kCanary = "S3CR3T-canary";

std::string CapturedIn(const Bytes& record) {
  mf_http_data data;
  if (!CopyFront(record, &data) || data.header.kind != MF_KIND_HTTP_DATA) {
    return {};
  }
  return {reinterpret_cast<const char*>(record.data()) + sizeof(data),
          record.size() - sizeof(data)};
}

// The captured bytes of all records, one after the other, as a recording has them.
std::string Masked(const std::vector<Bytes>& records, HttpQuery query = HttpQuery::kKeep) {
  CredentialMask mask;
  mask.MaskQueries(query);
  std::string text;
  for (const Bytes& record : records) {
    const RecordBytes masked = mask.Mask(record);
    EXPECT_EQ(masked.size(), record.size());
    text += CapturedIn({masked.begin(), masked.end()});
  }
  return text;
}

std::string MaskedText(std::string_view text) {
  return Masked(Talk().Send(text).records);
}

std::string Request(std::string_view headers) {
  return "GET / HTTP/1.1\r\n" + std::string(headers) + "\r\n\r\n";
}

TEST(CredentialMask, Values_AreOverwrittenInPlace) {
  struct Case {
    std::string headers;
    std::string masked;
  };
  for (const Case& c : {
           Case{"Authorization: Basic abc", "Authorization:xxxxxxxxxx"},
           Case{"proxy-authorization:a", "proxy-authorization:x"},
           Case{"COOKIE: a=1; b=2\r\nHost: h", "COOKIE:xxxxxxxxx\r\nHost: h"},
           Case{"A: 1\r\nSet-Cookie: a\r\nset-cookie: b", "A: 1\r\nSet-Cookie:xx\r\nset-cookie:xx"},
           Case{"Cookie : a", "Cookie :xx"},
           Case{"Cookie: a\nHost: h", "Cookie:xx\nHost: h"},
           Case{"Cookie: a\r\n b\r\n\tc\r\nHost: h", "Cookie:xx\r\nxx\r\nxx\r\nHost: h"},
           Case{"Cookie: a\rb", "Cookie:xx\rx"},
       }) {
    EXPECT_EQ(MaskedText(Request(c.headers)), Request(c.masked));
  }
}

TEST(CredentialMask, OtherHeaders_ArePassedOn) {
  for (const char* const headers :
       {"Cookies: a", "X-Cookie: a", "Cook: a", "Set-Cookie2: a", "A: Cookie: b", " Cookie: folded",
        "Cookie\r\n: a", "Cookie a: b", "Host: h\r\n Authorization: b"}) {
    EXPECT_EQ(MaskedText(Request(headers)), Request(headers));
  }
}

TEST(CredentialMask, ALineOfABodyThatLooksLikeOne_IsOverwrittenToo) {
  EXPECT_EQ(MaskedText(Request("Content-Length: 12") + "x\nCookie: a\n"),
            Request("Content-Length: 12") + "x\nCookie:xx\n");
}

TEST(CredentialMask, Queries_AreOverwrittenIfTheyAreNotToBeKept) {
  struct Case {
    std::string target;
    std::string keys_only;
    std::string dropped;
  };
  for (const Case& c : {
           Case{"/a?k=v&l=w=x&m", "/a?k=x&l=xxx&m", "/a?xxxxxxxxxxx"},
           Case{"http://h:80/?k=v", "http://h:80/?k=x", "http://h:80/?xxx"},
           Case{"*?a=?b", "*?a=xx", "*?xxxx"},
           Case{"/a", "/a", "/a"},
       }) {
    const auto request = [](const std::string& target) {
      return "PO-ST " + target + " HTTP/1.1\r\nHost: h?a=b\r\n\r\n";
    };
    const std::vector<Bytes> records = Talk().Send(request(c.target)).records;
    EXPECT_EQ(Masked(records), request(c.target));
    EXPECT_EQ(Masked(records, HttpQuery::kKeysOnly), request(c.keys_only));
    EXPECT_EQ(Masked(records, HttpQuery::kDrop), request(c.dropped));
    Talk bytes;
    for (const char byte : request(c.target)) {
      bytes.Send(std::string(1, byte));
    }
    EXPECT_EQ(Masked(bytes.records, HttpQuery::kDrop), request(c.dropped));
  }
}

const std::string kSecretHead =
    "GET /a HTTP/1.1\r\nCookie: " + std::string(kCanary) + "\r\n and " + std::string(kCanary) +
    "\r\nAccept: */*\r\nAuthorization: " + std::string(kCanary) + "\r\nHost: h\r\n\r\n";

TEST(CredentialMask, SplitAnywhereInThree_IsTheSameAsInOne) {
  const std::string whole = MaskedText(kSecretHead);
  ASSERT_EQ(whole.find(kCanary.substr(0, 4)), std::string::npos) << whole;
  ASSERT_NE(whole.find("Accept: */*\r\n"), std::string::npos) << whole;
  for (std::size_t i = 1; i < kSecretHead.size(); ++i) {
    for (std::size_t j = i + 1; j < kSecretHead.size(); j += 7) {
      Talk talk;
      talk.Send(kSecretHead.substr(0, i)).Send(kSecretHead.substr(i, j - i));
      talk.Send(kSecretHead.substr(j));
      ASSERT_EQ(Masked(talk.records), whole) << i << " " << j;
    }
  }
}

TEST(CredentialMask, InSingleBytes_IsTheSameAsInOne) {
  Talk talk;
  for (const char c : kSecretHead) {
    talk.Send(std::string(1, c));
  }
  EXPECT_EQ(Masked(talk.records), MaskedText(kSecretHead));
}

TEST(CredentialMask, WaysAndConnections_AreToldApart) {
  Talk first(5);
  Talk second(6);
  first.Send("GET / HTTP/1.1\r\nCookie: ").Receive("HTTP/1.1 400 Bad\r\nHost: h\r\n\r\n");
  second.Send("GET /b HTTP/1.1\r\n\r\n");
  std::vector<Bytes> records = first.records;
  records.insert(records.end(), second.records.begin(), second.records.end());
  first.records.clear();
  first.Send("secret\r\nA: b\r\n");
  records.insert(records.end(), first.records.begin(), first.records.end());
  EXPECT_EQ(Masked(records),
            "GET / HTTP/1.1\r\nCookie:xHTTP/1.1 400 Bad\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
            "xxxxxx\r\nA: b\r\n");
}

TEST(CredentialMask, BytesThatComeAgain_AreMaskedAgain) {
  Talk talk;
  talk.Send("GET / HTTP/1.1\r\nCook")
      .Send("ie: abc")
      .Repeat(MF_WAY_SENT, "ie: abc")
      .Send("d\r\nA: b");
  EXPECT_EQ(Masked(talk.records), "GET / HTTP/1.1\r\nCookie:xxxxie:xxxxx\r\nA: b");
}

TEST(CredentialMask, AfterAGap_AllIsMaskedUpToTheNextLine) {
  Talk talk;
  talk.Send("GET / HTTP/1.1\r\nA: b\r\n")
      .Pass(MF_WAY_SENT, 100)
      .Send("part of it\r\n more\r\nB: c\r\n");
  EXPECT_EQ(Masked(talk.records), "GET / HTTP/1.1\r\nA: b\r\nxxxxxxxxxx\r\nxxxxx\r\nB: c\r\n");
  Talk cut;  // by the capture
  cut.Say(MF_WAY_SENT, "GET / HTTP/1.1\r\nCookie: abc", 20).Send("def\r\nB: c\r\n");
  EXPECT_EQ(Masked(cut.records), "GET / HTTP/1.1\r\nCookxxx\r\nB: c\r\n");
}

TEST(CredentialMask, AMessageAfterAGap_IsKept) {
  Talk talk;
  talk.Send("POST / HTTP/1.1\r\n\r\n").Receive("HTTP/1.1 200 OK\r\n\r\n");
  talk.Pass(MF_WAY_SENT, 1000).Pass(MF_WAY_RECEIVED, 1000);
  talk.Send("GET /b HTTP/1.1\r\n").Receive("HTTP/1.1 204 No\r\n");
  EXPECT_EQ(Masked(talk.records),
            "POST / HTTP/1.1\r\n\r\nHTTP/1.1 200 OK\r\n\r\nGET /b HTTP/1.1\r\nHTTP/1.1 204 No\r\n");
}

TEST(CredentialMask, AValueThatBeginsLikeAMethod_IsNoMessage) {
  Talk talk;
  talk.Send("GET / HTTP/1.1\r\nA: b\r\n").Pass(MF_WAY_SENT, 100).Send("ABCDEFGH\r\nB: c\r\n");
  talk.Pass(MF_WAY_SENT, 100).Send("ABC DEF\r\nB: c\r\n");
  EXPECT_EQ(Masked(talk.records),
            "GET / HTTP/1.1\r\nA: b\r\nxxxxxxxx\r\nB: c\r\nxxxxxxx\r\nB: c\r\n");
}

TEST(CredentialMask, AConnectionJoinedInTheMiddle_IsMaskedUpToALine) {
  EXPECT_EQ(Masked(Talk(5, /*pre_existing=*/true).Send("abc\r\nA: b\r\n").records),
            "xxx\r\nA: b\r\n");
  EXPECT_EQ(Masked(Talk(5, /*pre_existing=*/true).Send("GET / HTTP/1.1\r\n").records),
            "GET / HTTP/1.1\r\n");
}

TEST(CredentialMask, AfterTheEnd_TheStateIsForgotten) {
  Talk talk;
  talk.Send("GET / HTTP/1.1\r\nCookie: a").End(MF_HTTP_END_SENT).End(MF_HTTP_END_CLOSED);
  CredentialMask mask;
  for (const Bytes& record : talk.records) {
    mask.Mask(record);
  }
  talk.records.clear();
  talk.Send("bc\r\n");  // as if it went on, which it does not
  const RecordBytes masked = mask.Mask(talk.records[0]);
  EXPECT_EQ(CapturedIn({masked.begin(), masked.end()}), "xx\r\n");
  EXPECT_EQ(mask.connections(), 1u);
  EXPECT_EQ(mask.Mask(talk.End().records.back()).size(), sizeof(mf_http_end));
  EXPECT_EQ(mask.connections(), 0u);
}

TEST(CredentialMask, HalfAnEnd_KeepsTheState) {
  Talk talk;
  talk.Send("GET / HTTP/1.1\r\nCookie: a").End(MF_HTTP_END_SENT).Receive("HTTP/1.1 200 OK\r\n");
  talk.Send("bc");
  EXPECT_EQ(Masked(talk.records), "GET / HTTP/1.1\r\nCookie:xxHTTP/1.1 200 OK\r\nxx");
}

TEST(CredentialMask, Tails_KeepOnlyWhatEndsAChunkedBody) {
  CredentialMask mask;
  Talk talk;
  talk.Pass(MF_WAY_SENT, 100, "Pa55w0rd")
      .Pass(MF_WAY_RECEIVED, 100, "z\r\n0\r\n\r\n")
      .Progress()
      .End();
  for (const Bytes& record : {talk.records[1], talk.records[2]}) {
    const RecordBytes masked = mask.Mask(record);
    const std::string text(reinterpret_cast<const char*>(masked.data()), masked.size());
    EXPECT_EQ(text.find("Pa55"), std::string::npos);
    EXPECT_NE(text.find("xxxxx0xx"), std::string::npos);
    EXPECT_NE(text.find("x\r\n0\r\n\r\n"), std::string::npos);
  }
}

TEST(CredentialMask, RecordsThatMakeNoSense_AreSafe) {
  const std::vector<Bytes> records = Talk().Send(kSecretHead).Progress().End().records;
  for (const Bytes& record : records) {
    for (std::size_t size = 0; size <= record.size(); ++size) {
      CredentialMask mask;
      const Bytes exact(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
      const RecordBytes masked = mask.Mask(exact);
      ASSERT_EQ(masked.size(), size);
      ASSERT_EQ(std::string_view(reinterpret_cast<const char*>(masked.data()), size).find(kCanary),
                std::string_view::npos);
    }
  }
}

// The session gets what there was; the file does not.
TEST(CredentialMask, ARecordingSession_LeavesNoneInTheFile) {
  const ScratchDir dir;
  const auto watch = [](Session& session, const auto& produce) {
    HttpStream http = OpenHttp(session, {.request_headers = {"accept"}});
    std::vector<HttpExchange> seen;
    http.OnExchange([&](const HttpExchangeView& e) { seen.push_back(Own(e)); });
    produce();
    while (session.Drain(16).more) {
    }
    session.Stop();
    return seen;
  };
  std::vector<HttpExchange> recorded;
  {
    masflow::testing::FakeSource fake;
    auto session = Session::Create({.source = fake.source(), .record_to = dir / "r.mfr"});
    ASSERT_TRUE(session.ok()) << session.status();
    recorded = watch(*session, [&] {
      for (std::size_t i = 1; i < kSecretHead.size(); ++i) {
        Talk talk(static_cast<std::uint32_t>(i));
        talk.Send(kSecretHead.substr(0, i)).Send(kSecretHead.substr(i));
        talk.Receive("HTTP/1.1 200 OK\r\nSet-Cookie: " + std::string(kCanary) +
                     "\r\nContent-Length: 0\r\n\r\n");
        talk.End();
        for (const Bytes& record : talk.records) {
          fake.PushRecord(StreamKind::kHttp, record);
        }
      }
    });
    EXPECT_TRUE(session->status().ok()) << session->status();
  }
  ASSERT_EQ(recorded.size(), kSecretHead.size() - 1);
  const std::string file = ReadFile(dir / "r.mfr");
  EXPECT_NE(file.find("Accept: */*"), std::string::npos);
  EXPECT_EQ(file.find(kCanary), std::string::npos);
  for (std::size_t i = 0; i + 4 <= kCanary.size(); ++i) {  // nor a part of it
    EXPECT_EQ(file.find(kCanary.substr(i, 4)), std::string::npos) << i;
  }
  auto session = Session::Create({.source = Replay{dir / "r.mfr"}});
  ASSERT_TRUE(session.ok()) << session.status();
  EXPECT_EQ(watch(*session, [] {}), recorded);
}

}  // namespace
}  // namespace masflow::internal
