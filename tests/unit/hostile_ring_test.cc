// SPDX-License-Identifier: Apache-2.0
//
// Records of the worst sizes through a whole session: it goes on, and accounts for each.
#include "../fuzz/hostile_ring.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/tcp_stream.h"
#include "test_support.h"

namespace masflow::internal {
namespace {

// All bytes the same, but for a kind and a size that claim something.
std::vector<std::byte> Record(std::uint16_t kind, std::size_t size, int fill,
                              std::uint32_t claimed) {
  std::vector<std::byte> record(size, static_cast<std::byte>(fill));
  mf_header header;
  std::memset(&header, fill, sizeof(header));
  header.kind = kind;
  header.size = claimed;
  // Not by memcpy(): a record of no bytes has no memory.
  std::copy_n(reinterpret_cast<const std::byte*>(&header), std::min(size, sizeof(header)),
              record.begin());
  return record;
}

class HostileRingTest : public ::testing::TestWithParam<RecordShape> {
 protected:
  HostileRingTest()
      : session_(NewSession(fake_)),
        processes_(OpenProcesses(session_)),
        connections_(*TcpStream::Open(session_)),
        exchanges_(*HttpStream::Open(session_)) {}

  void Drain() {
    while (session_.Drain(1024).more) {
    }
    for (const StreamStats& stats : session_.stats().streams) {
      ExpectBalanced(stats);
    }
  }
  std::uint64_t malformed(StreamKind stream) const { return session_.stats()[stream].malformed; }

  FakeSource fake_;
  Session session_;
  ProcessStream processes_;
  TcpStream connections_;
  HttpStream exchanges_;
};

TEST_P(HostileRingTest, EverySizeUpToAndBeyondItsOwn) {
  const auto [stream, kind, whole] = GetParam();
  std::uint64_t too_short = 0;
  for (std::size_t size = 0; size <= whole + 64; ++size) {
    for (const int fill : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      fake_.PushRecord(stream, Record(kind, size, fill, static_cast<std::uint32_t>(size)));
      too_short += size < whole ? 1 : 0;
    }
  }
  Drain();
  EXPECT_GE(malformed(stream), too_short);
}

TEST_P(HostileRingTest, ASizeThatIsNotTheRecords) {
  const auto [stream, kind, whole] = GetParam();
  std::uint64_t wrong = 0;
  for (const std::uint32_t claimed : {0u, 1u, 23u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
    for (const std::size_t size : {whole, whole + 1, std::size_t{65536}}) {
      fake_.PushRecord(stream, Record(kind, size, 0, claimed));
      ++wrong;
    }
  }
  Drain();
  EXPECT_EQ(malformed(stream), wrong);
}

TEST_P(HostileRingTest, AMebibyte) {
  const auto [stream, kind, whole] = GetParam();
  constexpr std::size_t kSize = std::size_t{1} << 20;
  for (const int fill : {0x00, 0x01, 0xff}) {
    fake_.PushRecord(stream, Record(kind, kSize, fill, kSize));
  }
  Drain();
}

// As another stream has them, or none.
TEST_P(HostileRingTest, KindsThatAreNotTheStreams) {
  const StreamKind stream = GetParam().stream;
  std::uint64_t wrong = 0;
  for (const RecordShape& other : kRecordShapes) {
    for (const std::uint16_t kind : {other.kind, std::uint16_t{0}, std::uint16_t{0xffff}}) {
      if (kind != other.kind || other.stream != stream) {
        fake_.PushRecord(stream,
                         Record(kind, other.size, 0, static_cast<std::uint32_t>(other.size)));
        ++wrong;
      }
    }
  }
  Drain();
  EXPECT_EQ(malformed(stream), wrong);
}

INSTANTIATE_TEST_SUITE_P(Kind, HostileRingTest, ::testing::ValuesIn(kRecordShapes),
                         [](const auto& shape) { return std::to_string(shape.param.kind); });

}  // namespace
}  // namespace masflow::internal
