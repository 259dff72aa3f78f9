// SPDX-License-Identifier: Apache-2.0
//
// TCP records that are none: cut, of unknown kinds, with values that nobody knows.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tcp_testing.h"
#include "wire_testing.h"

namespace masflow::internal {
namespace {

bool TcpDecodes(const Bytes& record) {
  return DecodeTcp(record).has_value();
}

Bytes WithSize(Bytes record, std::size_t size) {
  return WithHeader(std::move(record),
                    [&](mf_header& header) { header.size = static_cast<std::uint32_t>(size); });
}

template <class Value>
Bytes WithValue(Bytes record, std::size_t offset, Value value) {
  std::memcpy(record.data() + offset, &value, sizeof(value));
  return record;
}

template <class Value>
std::size_t CountDecoding(const Bytes& record, std::size_t offset) {
  std::size_t count = 0;
  for (unsigned value = 0; value < 256; ++value) {
    count += TcpDecodes(WithValue(record, offset, static_cast<Value>(value))) ? 1 : 0;
  }
  return count;
}

TEST(TcpRecordDamage, CutAtAnyLength_IsMalformed) {
  for (const Bytes& record : OneOfEachTcpRecord()) {
    EXPECT_TRUE(TcpDecodes(record));
    for (std::size_t size = 0; size < record.size(); ++size) {
      const Bytes cut(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(TcpDecodes(cut)) << size;
      if (size >= sizeof(mf_header)) {
        EXPECT_FALSE(TcpDecodes(WithSize(cut, size))) << size << ", and the header says so";
      }
    }
  }
}

TEST(TcpRecordDamage, BytesBehindTheEnd_AreMalformed) {
  for (const Bytes& record : OneOfEachTcpRecord()) {
    Bytes longer = record;
    longer.resize(record.size() + 8);
    EXPECT_FALSE(TcpDecodes(longer));
    EXPECT_FALSE(TcpDecodes(WithSize(longer, longer.size())));
  }
}

TEST(TcpRecordDamage, SizeInTheHeaderLies_IsMalformed) {
  for (const Bytes& record : OneOfEachTcpRecord()) {
    for (const std::size_t size :
         {std::size_t{0}, sizeof(mf_header), record.size() - 1, record.size() + 1,
          std::size_t{std::numeric_limits<std::uint32_t>::max()}}) {
      EXPECT_FALSE(TcpDecodes(WithSize(record, size))) << size;
    }
  }
}

// Kinds are told apart by more than their sizes, which some share.
TEST(TcpRecordDamage, UnknownKind_IsMalformed) {
  for (const Bytes& record : OneOfEachTcpRecord()) {
    for (unsigned kind = 0; kind <= 0xffff; ++kind) {
      const bool decodes = TcpDecodes(WithHeader(
          record, [&](mf_header& header) { header.kind = static_cast<std::uint16_t>(kind); }));
      EXPECT_TRUE(!decodes || (kind >= MF_KIND_TCP_CONNECT && kind <= MF_KIND_TCP_LISTEN)) << kind;
    }
  }
}

TEST(TcpRecordDamage, UnknownFamilyOrRole_IsMalformed) {
  for (const Bytes& record : OneOfEachTcpRecord()) {  // they are of IPv6
    constexpr std::size_t kTcp = offsetof(mf_tcp_base, tcp);
    EXPECT_EQ(CountDecoding<std::uint8_t>(record, kTcp + offsetof(mf_tcp, family)), 1u);
    EXPECT_EQ(CountDecoding<std::uint8_t>(record, kTcp + offsetof(mf_tcp, role)), 3u);
  }
}

TEST(TcpRecordDamage, BytesBehindAnIpv4Address_AreMalformed) {
  const Bytes record = EncodeRecord(TestConnect(5));
  ASSERT_TRUE(TcpDecodes(record));
  for (const std::size_t address : {offsetof(mf_tcp, local), offsetof(mf_tcp, remote)}) {
    for (std::size_t i = 0; i < MF_ADDRESS_LEN; ++i) {
      const std::size_t at = offsetof(mf_tcp_base, tcp) + address + i;
      EXPECT_EQ(TcpDecodes(WithValue(record, at, std::uint8_t{1})), i < 4) << i;
    }
  }
}

TEST(TcpRecordDamage, UnknownValueOfAField_IsMalformed) {
  constexpr auto kMax = std::numeric_limits<std::uint32_t>::max();
  const Bytes connect = EncodeRecord(TestConnect(5));
  EXPECT_EQ(CountDecoding<std::uint32_t>(connect, offsetof(mf_tcp_connect, outcome)), 3u);
  EXPECT_FALSE(TcpDecodes(WithValue(connect, offsetof(mf_tcp_connect, outcome), kMax)));
  const Bytes data = EncodeRecord(TestData(5));
  EXPECT_EQ(CountDecoding<std::uint32_t>(data, offsetof(mf_tcp_data, reason)), 3u);
  EXPECT_FALSE(TcpDecodes(WithValue(data, offsetof(mf_tcp_data, reason), kMax)));
  const Bytes close = EncodeRecord(TestClose(5));
  EXPECT_EQ(CountDecoding<std::uint8_t>(close, offsetof(mf_tcp_close, reason)), 6u);
  EXPECT_EQ(CountDecoding<std::uint8_t>(close, offsetof(mf_tcp_close, first)), 3u);
}

TEST(TcpRecordDamage, TimesOutOfRange_AreSafe) {
  const Bytes record = EncodeRecord(TestData(5));
  for (const std::uint64_t time : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    for (const std::uint64_t since : {std::uint64_t{1}, std::uint64_t{1} << 63}) {
      const Bytes changed = WithValue(WithValue(record, offsetof(mf_header, ktime_ns), time),
                                      offsetof(mf_tcp_data, since_ns), since);
      EXPECT_TRUE(TcpDecodes(changed));
    }
  }
}

// What decodes can be copied whole, which reads every byte of its texts.
TEST(TcpRecordDamage, BytesChangedAtRandom_AreSafe) {
  std::mt19937 random(1);  // the same each time
  const std::vector<Bytes> records = OneOfEachTcpRecord();
  std::size_t decoded = 0;
  for (int i = 0; i < 40'000; ++i) {
    Bytes record = records[random() % records.size()];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      record[random() % record.size()] = static_cast<std::byte>(random());
    }
    decoded += TcpDecodes(record) ? 1 : 0;
  }
  EXPECT_GT(decoded, 1000u);
}

}  // namespace
}  // namespace masflow::internal
