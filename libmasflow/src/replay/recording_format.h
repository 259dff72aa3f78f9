// SPDX-License-Identifier: Apache-2.0
//
// The layout of a recording; docs/recording.md describes it in prose. A recording is
// read where it was written or on a machine of the same byte order.
#ifndef MASFLOW_REPLAY_RECORDING_FORMAT_H_
#define MASFLOW_REPLAY_RECORDING_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace masflow::internal {

// The first byte is not ASCII and a line end follows, so that no text passes for a
// recording, nor one that was copied as text.
inline constexpr std::array<char, 8> kRecordingMagic = {'\x8d', 'M', 'F',  'R',
                                                        'E',    'C', '\r', '\n'};
inline constexpr std::uint32_t kRecordingByteOrder = 0x01020304;
inline constexpr std::uint32_t kRecordingByteOrderSwapped = 0x04030201;

// A new frame type or a new stream raises it; what the records hold is MF_WIRE_VERSION's.
// Readers take all versions up to theirs. 2: the TCP stream. 3: the HTTP stream. 4: workloads.
inline constexpr std::uint32_t kRecordingFormatVersion = 4;

// Followed by the three texts, one after the other, and zeros up to header_bytes.
struct RecordingHeader {
  std::array<char, 8> magic{};
  std::uint32_t byte_order = 0;
  std::uint32_t header_bytes = 0;  // of all of it: where the first frame begins
  std::uint32_t format_version = 0;
  std::uint32_t wire_version = 0;
  std::int64_t monotonic_ns = 0;
  std::int64_t realtime_ns = 0;
  std::uint16_t kernel_len = 0;
  std::uint16_t architecture_len = 0;
  std::uint16_t cgroup_hierarchy_len = 0;
  std::uint16_t pad = 0;
};
static_assert(sizeof(RecordingHeader) == 48 && offsetof(RecordingHeader, monotonic_ns) == 24);
inline constexpr std::size_t kMaxRecordingHeaderBytes = 4096;
inline constexpr std::size_t kMaxRecordingTextBytes = 1024;  // each

enum class FrameType : std::uint16_t {
  kRecord = 1,    // a record of masflow_bpf/wire.h, as it came
  kLoss = 2,      // LossBody
  kCaughtUp = 3,  // nothing: the stream had been handed all there was
  kClock = 4,     // ClockBody
  kEnd = 5,       // EndTotals for each stream: the file is whole if nothing follows
  kWorkload = 6,  // of a cgroup or of names, as src/wire/workload_record has it
};

// Each frame begins at a multiple of 8.
inline constexpr std::size_t kFrameAlignment = 8;
struct FrameHeader {
  std::uint32_t size = 0;  // header and body, without the padding after them
  std::uint16_t type = 0;
  std::uint16_t stream = 0;  // StreamKind; 0 for kClock, kEnd and kWorkload
};
static_assert(sizeof(FrameHeader) == 8);
inline constexpr std::size_t kMaxFrameBytes = std::size_t{64} << 10;

constexpr std::size_t PaddedFrameBytes(std::size_t size) {
  return (size + kFrameAlignment - 1) & ~(kFrameAlignment - 1);
}

struct LossBody {
  std::uint32_t reason = 0;  // LossReason
  std::uint32_t pad = 0;
  std::uint64_t count = 0;
  std::int64_t since_ns = 0;
  std::int64_t until_ns = 0;
};
static_assert(sizeof(LossBody) == 32);

// From here on monotonic_ns is realtime_ns.
struct ClockBody {
  std::int64_t monotonic_ns = 0;
  std::int64_t realtime_ns = 0;
};
static_assert(sizeof(ClockBody) == 16);

// What this file has held of a stream so far.
struct EndTotals {
  std::uint64_t records = 0;
  std::uint64_t lost = 0;  // the sum of LossBody.count

  friend bool operator==(const EndTotals&, const EndTotals&) = default;
};
static_assert(sizeof(EndTotals) == 16);

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_RECORDING_FORMAT_H_
