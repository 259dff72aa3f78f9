// SPDX-License-Identifier: Apache-2.0
//
// Recordings that are cut, damaged or none: never a crash or a hang, whatever was whole
// before is handed out, and the reason is told.
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "replay/recording_format.h"
#include "replay_testing.h"

namespace masflow::internal {
namespace {

using absl::StatusCode;
using masflow::testing::FakeSource;
using What = Delivery::What;

constexpr std::size_t kHeaderBytes = 48;  // the fake source names no kernel

Recorded Sample() {
  return Record([](FakeSource& fake, RecordSource& source, RecordSink& sink) {
    for (std::uint32_t pid = 10; pid < 14; ++pid) {
      fake.Push(TestExec(pid));
      fake.Push(TestExit(pid));
      source.Drain(10, sink);
    }
    fake.PushLoss(TestLoss(4));
    DrainAll(source, sink);
  });
}

// How many of the first frames end at or before `size`, and how many of them are records.
struct Whole {
  std::size_t records = 0;
  bool at_frame = false;  // `size` is the end of a frame
};
Whole WholeFrames(const std::string& bytes, std::size_t size) {
  Whole whole;
  std::size_t at = kHeaderBytes;
  while (at + sizeof(FrameHeader) <= size) {
    FrameHeader header;
    std::memcpy(&header, bytes.data() + at, sizeof(header));
    at += PaddedFrameBytes(header.size);
    whole.records += at <= size && header.type == 1 ? 1 : 0;
  }
  whole.at_frame = at == size;
  return whole;
}

// What was handed out is the beginning of what the recording session got (but for the
// last word, that nothing more comes).
void ExpectPrefix(const Replayed& replayed, const Recorded& recorded) {
  ASSERT_LE(replayed.log.size(), recorded.log.size() + 1);
  for (std::size_t i = 0; i < replayed.log.size(); ++i) {
    if (i + 1 < replayed.log.size() || replayed.log[i].what != What::kCaughtUp) {
      EXPECT_EQ(replayed.log[i], recorded.log[i]) << i;
    }
  }
}

TEST(ReplayDamage, CutAtEveryByte) {
  const Recorded recorded = Sample();
  ASSERT_TRUE(ReplayAll(recorded.bytes).ended.ok());
  for (std::size_t size = 0; size < recorded.bytes.size(); ++size) {
    SCOPED_TRACE(size);
    const Replayed replayed = ReplayAll(recorded.bytes.substr(0, size));
    if (size < kHeaderBytes) {
      EXPECT_EQ(replayed.created.code(), StatusCode::kInvalidArgument);
      continue;
    }
    ASSERT_TRUE(replayed.created.ok()) << replayed.created;
    const Whole whole = WholeFrames(recorded.bytes, size);
    EXPECT_EQ(replayed.counters.produced - replayed.counters.lost[0], whole.records);
    EXPECT_EQ(replayed.ended.code(), StatusCode::kDataLoss);
    const std::string expected = "after " + std::to_string(whole.records) + " records";
    EXPECT_NE(replayed.ended.message().find(expected), absl::string_view::npos) << replayed.ended;
    EXPECT_NE(
        replayed.ended.message().find(whole.at_frame ? "not ended properly" : "in the middle"),
        absl::string_view::npos)
        << replayed.ended;
    ExpectPrefix(replayed, recorded);
  }
}

TEST(ReplayDamage, EveryByteFlipped) {
  const Recorded recorded = Sample();
  for (std::size_t at = 0; at < recorded.bytes.size(); ++at) {
    for (const int flip : {0x01, 0x04, 0x80, 0xff}) {
      std::string bytes = recorded.bytes;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      SCOPED_TRACE(::testing::Message() << "byte " << at << " xor " << flip);
      const Replayed replayed = ReplayAll(bytes);
      const bool older_format =
          at == 16 && bytes[at] > 0 && bytes[at] <= char{kRecordingFormatVersion};
      if (at < 24 && !older_format) {  // all but the clocks and the lengths of the texts
        EXPECT_FALSE(replayed.created.ok());
      }
      EXPECT_LE(replayed.log.size(), recorded.log.size() + 8);
    }
  }
}

TEST(ReplayDamage, AFrameTakenOutIsMissed) {
  const Recorded recorded = Sample();
  std::size_t at = kHeaderBytes;
  while (at < recorded.bytes.size()) {
    FrameHeader header;
    std::memcpy(&header, recorded.bytes.data() + at, sizeof(header));
    std::string bytes = recorded.bytes;
    bytes.erase(at, PaddedFrameBytes(header.size));
    const auto type = FrameType{header.type};
    if (type == FrameType::kRecord || type == FrameType::kLoss || type == FrameType::kEnd) {
      EXPECT_EQ(ReplayAll(bytes).ended.code(), StatusCode::kDataLoss) << at;
    }
    at += PaddedFrameBytes(header.size);
  }
}

TEST(ReplayDamage, WhatFollowsTheEnd) {
  const Recorded recorded = Sample();
  for (const std::string& tail :
       {std::string(8, '\0'), std::string(5, '\0'), std::string(64, 'x')}) {
    const Replayed replayed = ReplayAll(recorded.bytes + tail);
    EXPECT_EQ(replayed.ended.code(), StatusCode::kDataLoss);
    EXPECT_EQ(replayed.log, recorded.log);
  }
}

TEST(ReplayDamage, BadFrames) {
  const Recorded empty = Record([](FakeSource&, RecordSource&, RecordSink&) {});
  const std::string start = empty.bytes.substr(0, kHeaderBytes);
  struct Case {
    FrameHeader header;
    std::string body;
    std::string says;
  };
  const std::vector<Case> cases = {
      {{0, 1, 0}, "", "a frame of 0 bytes"},
      {{7, 1, 0}, "", "a frame of 7 bytes"},
      {{0xffffffff, 1, 0}, "", "a frame of 4294967295 bytes"},
      {{65'537, 1, 0}, std::string(70'000, 'x'), "a frame of 65537 bytes"},
      {{65'536, 1, 0}, "", "in the middle of a frame"},
      {{8, 0, 0}, "", "unknown type 0"},
      {{8, 7, 0}, "", "unknown type 7"},
      {{8, 1, 3}, "", "unknown stream 3"},
      {{8, 2, 0}, "", "loss frame"},
      {{40, 2, 0}, std::string(32, '\0'), "loss frame"},    // of nothing
      {{40, 2, 0}, std::string(32, '\x01'), "loss frame"},  // for an unknown reason
      {{16, 3, 0}, std::string(8, '\0'), "caught-up frame"},
      {{16, 4, 0}, std::string(8, '\0'), "clock frame"},
      {{16, 5, 0}, std::string(8, '\0'), "end frame"},
      {{24, 5, 0}, std::string(16, '\x01'), "end frame"},
      {{40, 5, 0}, std::string(32, '\x01'), "end frame"},
      {{56, 5, 0}, std::string(48, '\x01'), "end frame"},
      {{72, 5, 0}, std::string(64, '\0'), "end frame"},
      {{8, 6, 0}, "", "workload frame"},
      {{32, 6, 0}, std::string(24, '\x38'), "workload frame"},
  };
  for (const Case& c : cases) {
    std::string bytes = start;
    bytes.append(reinterpret_cast<const char*>(&c.header), sizeof(c.header)).append(c.body);
    const Replayed replayed = ReplayAll(bytes);
    EXPECT_EQ(replayed.ended.code(), StatusCode::kDataLoss) << c.says;
    EXPECT_NE(replayed.ended.message().find(c.says), absl::string_view::npos) << replayed.ended;
  }
}

struct HeaderCase {
  const char* name;
  std::function<void(RecordingHeader&)> change;
  StatusCode code;
  const char* says;
};

TEST(ReplayDamage, ForeignAndOtherVersions) {
  const std::string good = Sample().bytes;
  const std::vector<HeaderCase> cases = {
      {"magic", [](auto& h) { h.magic[0] = 'M'; }, StatusCode::kInvalidArgument,
       "r.mfr is not a MasFlow recording"},
      {"byte order", [](auto& h) { h.byte_order = 0x04030201; }, StatusCode::kFailedPrecondition,
       "other byte order"},
      {"no byte order", [](auto& h) { h.byte_order = 0; }, StatusCode::kInvalidArgument, "damaged"},
      {"newer wire", [](auto& h) { h.wire_version += 1; }, StatusCode::kFailedPrecondition,
       "wire version 2; this library reads 4, 1: replay it with the MasFlow version that made it, "
       "which is newer"},
      {"older wire", [](auto& h) { h.wire_version -= 1; }, StatusCode::kFailedPrecondition,
       "(an older one), or record again"},
      {"newer format", [](auto& h) { h.format_version += 1; }, StatusCode::kFailedPrecondition,
       "format version 5"},
      {"no format", [](auto& h) { h.format_version = 0; }, StatusCode::kInvalidArgument, "damaged"},
      {"small header", [](auto& h) { h.header_bytes = 40; }, StatusCode::kInvalidArgument,
       "damaged"},
      {"large header", [](auto& h) { h.header_bytes = 0xfffffff8; }, StatusCode::kInvalidArgument,
       "damaged"},
      {"texts beyond the header", [](auto& h) { h.kernel_len = 9; }, StatusCode::kInvalidArgument,
       "damaged"},
      {"texts beyond the file",
       [](auto& h) {
         h.kernel_len = 4000;
         h.header_bytes = 4048;
       },
       StatusCode::kInvalidArgument, "within its header"},
  };
  for (const HeaderCase& c : cases) {
    std::string bytes = good;
    RecordingHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    c.change(header);
    std::memcpy(bytes.data(), &header, sizeof(header));
    const absl::Status status = ReplayAll(bytes).created;
    EXPECT_EQ(status.code(), c.code) << c.name << ": " << status;
    EXPECT_NE(status.message().find(c.says), absl::string_view::npos) << c.name << ": " << status;
  }
  EXPECT_EQ(ReplayAll("").created.message(), "r.mfr is empty, so no MasFlow recording");
  EXPECT_EQ(ReplayAll("{\"event.name\":\"process.exec\"}").created.message(),
            "r.mfr is not a MasFlow recording");
}

TEST(ReplayDamage, AFileThatShrinksWhileItIsReplayed) {
  const Recorded recorded = Record([](FakeSource& fake, RecordSource& source, RecordSink& sink) {
    for (std::uint32_t pid = 1; pid <= 5000; ++pid) {
      fake.Push(TestExec(pid));
    }
    DrainAll(source, sink, 5000);
  });
  UniqueFd file = MemFile(recorded.bytes);
  const UniqueFd other(dup(file.get()));
  auto source = MakeReplaySource(std::move(file), "r.mfr");
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Open(kAllProcesses).ok());
  TestSink sink;
  (*source)->Drain(10, sink);
  ASSERT_EQ(ftruncate(other.get(), 100), 0);
  EXPECT_TRUE(DrainAll(**source, sink).ended);
  EXPECT_EQ((*source)->EndStatus().code(), StatusCode::kDataLoss);
}

TEST(ReplayDamage, RandomBytesAfterAGoodHeader) {
  const std::string start = Sample().bytes.substr(0, kHeaderBytes);
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = start;
    while (bytes.size() < 2000) {
      const FrameHeader header = {static_cast<std::uint32_t>(random() % 200),
                                  static_cast<std::uint16_t>(random() % 6), 0};
      bytes.append(reinterpret_cast<const char*>(&header), sizeof(header));
      for (std::size_t n = random() % 12 * 8; n > 0; --n) {
        bytes.push_back(static_cast<char>(random()));
      }
    }
    EXPECT_EQ(ReplayAll(bytes).ended.code(), StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace masflow::internal
