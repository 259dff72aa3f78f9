// SPDX-License-Identifier: Apache-2.0
//
// What well-formed HTTP records decode to, and records that are none.
#include "wire/http_record.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "http_testing.h"

namespace masflow::internal {
namespace {

bool Decodes(const Bytes& record) {
  const Bytes exact(record.begin(), record.end());
  HttpDecoder decoder;
  return decoder.Decode(exact).has_value();
}

template <class Record>
Record DecodeAs(HttpDecoder* decoder, const Bytes& record) {
  const std::optional<HttpRecordView> view = decoder->Decode(record);
  if (!view.has_value() || !std::holds_alternative<Record>(*view)) {
    ADD_FAILURE() << (view.has_value() ? "of another kind" : "malformed");
    return {};
  }
  return std::get<Record>(*view);
}

std::vector<Bytes> OneOfEach() {
  Talk talk;
  talk.Send("GET / HTTP/1.1\r\n\r\n").Pass(MF_WAY_RECEIVED, 5, "tail").Progress().End();
  return talk.records;
}

template <class Value>
Bytes With(Bytes record, std::size_t offset, Value value) {
  std::memcpy(record.data() + offset, &value, sizeof(value));
  return record;
}

Bytes WithSize(Bytes record, std::size_t size) {
  return With(std::move(record), offsetof(mf_header, size), static_cast<std::uint32_t>(size));
}

TEST(HttpRecord, Connection) {
  const Talk talk;
  HttpDecoder decoder;
  const auto r = DecodeAs<HttpConnectionRecord>(&decoder, talk.records[0]);
  EXPECT_EQ(r.time, At(1000));
  EXPECT_EQ(Own(TcpOpenView{.connection = r.connection}).connection, talk.connection());
}

TEST(HttpRecord, Data) {
  Talk talk;
  talk.Send("xx").Say(MF_WAY_SENT, "GET /", 4, 100);
  HttpDecoder decoder;
  const auto r = DecodeAs<HttpDataRecord>(&decoder, talk.records[2]);
  EXPECT_EQ(r.time, At(1002));
  EXPECT_EQ(r.id, talk.connection().id);
  EXPECT_EQ(r.cgroup_id, 17u);
  EXPECT_EQ(r.offset, 2u);
  EXPECT_EQ(r.length, 100u);
  EXPECT_EQ(r.way, MF_WAY_SENT);
  EXPECT_FALSE(r.turn);
  EXPECT_TRUE(r.start);
  EXPECT_EQ(r.bytes, "GET ");
}

TEST(HttpRecord, ProgressAndEnd) {
  Talk talk;
  talk.Pass(MF_WAY_RECEIVED, 7, "tail").Progress().End(MF_HTTP_END_RESET, 104);
  HttpDecoder decoder;
  const auto progress = DecodeAs<HttpProgressRecord>(&decoder, talk.records[1]);
  EXPECT_EQ(progress.id, talk.connection().id);
  EXPECT_EQ(progress.ways[MF_WAY_RECEIVED].end, 7u);
  EXPECT_EQ(progress.ways[MF_WAY_RECEIVED].last, At(1001));
  EXPECT_EQ(progress.ways[MF_WAY_RECEIVED].tail, "tail");
  EXPECT_EQ(progress.ways[MF_WAY_SENT].last, std::nullopt);
  EXPECT_EQ(progress.ways[MF_WAY_SENT].tail, "");
  const auto end = DecodeAs<HttpEndRecord>(&decoder, talk.records[2]);
  EXPECT_EQ(end.reason, std::uint32_t{MF_HTTP_END_RESET});
  EXPECT_EQ(end.error, 104u);
  EXPECT_EQ(end.ways[MF_WAY_RECEIVED].end, 7u);
}

TEST(HttpRecordDamage, CutAtAnyLength_IsMalformed) {
  for (const Bytes& record : OneOfEach()) {
    EXPECT_TRUE(Decodes(record));
    for (std::size_t size = 0; size < record.size(); ++size) {
      const Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(Decodes(cut)) << size;
      if (size >= sizeof(mf_header)) {
        EXPECT_FALSE(Decodes(WithSize(cut, size))) << size << ", and the header says so";
      }
    }
  }
}

TEST(HttpRecordDamage, BytesBehindTheEnd_AreMalformed) {
  for (const Bytes& record : OneOfEach()) {
    Bytes longer = record;
    longer.resize(record.size() + 8);
    EXPECT_FALSE(Decodes(longer));
    EXPECT_FALSE(Decodes(WithSize(longer, longer.size())));
  }
}

TEST(HttpRecordDamage, UnknownKind_IsMalformed) {
  for (const Bytes& record : OneOfEach()) {
    for (unsigned kind = 0; kind <= 0xffff; ++kind) {
      const bool decodes =
          Decodes(With(record, offsetof(mf_header, kind), static_cast<std::uint16_t>(kind)));
      EXPECT_TRUE(!decodes || (kind >= MF_KIND_HTTP_CONNECTION && kind <= MF_KIND_HTTP_END));
    }
  }
}

TEST(HttpRecordDamage, ValuesThatNobodyKnows_AreMalformed) {
  const std::vector<Bytes> records = OneOfEach();
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  const Bytes& data = records[1];
  EXPECT_FALSE(Decodes(With(data, offsetof(mf_http_data, way), std::uint8_t{2})));
  EXPECT_FALSE(Decodes(With(data, offsetof(mf_http_data, captured), std::uint16_t{17})));
  EXPECT_FALSE(Decodes(With(data, offsetof(mf_http_data, captured), std::uint16_t{19})));
  EXPECT_FALSE(Decodes(With(data, offsetof(mf_http_data, length), std::uint32_t{17})));
  EXPECT_TRUE(Decodes(With(data, offsetof(mf_http_data, length), ~std::uint32_t{0})));
  EXPECT_FALSE(Decodes(With(data, offsetof(mf_http_data, offset), kMax - 17)));
  EXPECT_TRUE(Decodes(With(data, offsetof(mf_http_data, offset), kMax - 18)));
  EXPECT_FALSE(
      Decodes(With(records[2], offsetof(mf_http_progress, ways) + offsetof(mf_http_way, tail_len),
                   std::uint32_t{9})));
  EXPECT_TRUE(Decodes(With(records[3], offsetof(mf_http_end, reason), std::uint32_t{4})));
  EXPECT_FALSE(Decodes(With(records[3], offsetof(mf_http_end, reason), std::uint32_t{5})));
}

// They decode, or not, and what they do to a connection is safe too.
TEST(HttpRecordDamage, BytesChangedAtRandom_AreSafe) {
  std::mt19937 random(1);  // the same each time
  Talk talk;
  talk.Send(Post("/", "abc")).Receive(kChunkedOk + "3\r\nabc\r\n").Pass(MF_WAY_RECEIVED, 9);
  talk.Progress().Send(Get("/b")).End();
  Exchanger exchanger;
  std::size_t decoded = 0;
  for (int i = 0; i < 40'000; ++i) {
    Bytes record = talk.records[random() % talk.records.size()];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      record[random() % record.size()] = static_cast<std::byte>(random());
    }
    if (Decodes(record)) {
      exchanger.Take({record});
      ++decoded;
    }
  }
  EXPECT_GT(decoded, 1000u);
}

}  // namespace
}  // namespace masflow::internal
