// SPDX-License-Identifier: Apache-2.0
//
// A source whose records are the fuzzer's: any bytes of any size, of any stream, or records of a
// known kind whose fields are not those of any kernel.
#ifndef MASFLOW_TESTS_FUZZ_HOSTILE_RING_H_
#define MASFLOW_TESTS_FUZZ_HOSTILE_RING_H_

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "core/record_source.h"
#include "core/unique_fd.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

// Kinds and the sizes of their fixed parts.
struct RecordShape {
  StreamKind stream{};
  std::uint16_t kind = 0;
  std::size_t size = 0;
};
inline constexpr std::array<RecordShape, 14> kRecordShapes{{
    {StreamKind::kProcess, MF_KIND_EXEC, sizeof(mf_exec)},
    {StreamKind::kProcess, MF_KIND_EXIT, sizeof(mf_exit)},
    {StreamKind::kProcess, MF_KIND_FORK, sizeof(mf_fork)},
    {StreamKind::kProcess, MF_KIND_EXEC_FAILED, sizeof(mf_exec_failed)},
    {StreamKind::kTcp, MF_KIND_TCP_CONNECT, sizeof(mf_tcp_connect)},
    {StreamKind::kTcp, MF_KIND_TCP_ACCEPT, sizeof(mf_tcp_accept)},
    {StreamKind::kTcp, MF_KIND_TCP_DATA, sizeof(mf_tcp_data)},
    {StreamKind::kTcp, MF_KIND_TCP_CLOSE, sizeof(mf_tcp_close)},
    {StreamKind::kTcp, MF_KIND_TCP_OPEN, sizeof(mf_tcp_open)},
    {StreamKind::kTcp, MF_KIND_TCP_LISTEN, sizeof(mf_tcp_listen)},
    {StreamKind::kHttp, MF_KIND_HTTP_CONNECTION, sizeof(mf_http_connection)},
    {StreamKind::kHttp, MF_KIND_HTTP_DATA, sizeof(mf_http_data)},
    {StreamKind::kHttp, MF_KIND_HTTP_PROGRESS, sizeof(mf_http_progress)},
    {StreamKind::kHttp, MF_KIND_HTTP_END, sizeof(mf_http_end)},
}};

// The input is a sequence of: what to do, how many bytes, the bytes. Bytes that are asked for and
// not there are zero.
class HostileRing final : public RecordSource {
 public:
  explicit HostileRing(std::span<const std::uint8_t> input) : rest_(input) {}

  absl::Status Open(const StreamConfig&) override { return absl::OkStatus(); }
  void Close(StreamKind) override {}
  void SetPaused(StreamKind, bool) override {}
  int poll_fd() const override { return -1; }
  void Wake() override {}
  ClockMapping Clock() const override { return {.monotonic_ns = 1, .realtime_ns = 2}; }
  SupportReport Support() const override { return {}; }
  std::uint64_t NameFailures() const override { return 0; }
  std::vector<ProgramCost> Costs() const override { return {}; }
  MemoryStats Memory() const override { return {}; }
  absl::Status EndStatus() const override { return absl::OkStatus(); }
  SourceCounters Counters(StreamKind stream) const override { return counters_[Index(stream)]; }

  DrainResult Drain(std::size_t max, RecordSink& sink) override {
    DrainResult result;
    auto verdict = RecordSink::Verdict::kContinue;
    while (result.records < max && !rest_.empty() && verdict == RecordSink::Verdict::kContinue) {
      ++result.records;
      verdict = Act(sink);
    }
    result.ended = rest_.empty() && CaughtUp(sink);
    result.more = !result.ended;
    return result;
  }

 private:
  static constexpr std::uint8_t kRaw = 0xe0;  // from here on: no record of a known shape
  static constexpr std::uint8_t kNews = 0xf0;
  static constexpr std::uint8_t kLoss = 0xf8;
  static constexpr std::uint8_t kCaughtUp = 0xfc;

  static std::size_t Index(StreamKind stream) { return static_cast<std::size_t>(stream); }

  std::uint8_t Byte() {
    const std::uint8_t byte = rest_.empty() ? 0 : rest_.front();
    rest_ = rest_.subspan(rest_.empty() ? 0 : 1);
    return byte;
  }

  // Memory of its own, so that a byte read beyond is found.
  std::vector<std::byte> Bytes(std::size_t size) {
    std::vector<std::byte> bytes(size);
    const std::size_t there = std::min(size, rest_.size());
    if (there > 0) {
      std::memcpy(bytes.data(), rest_.data(), there);
    }
    rest_ = rest_.subspan(there);
    return bytes;
  }

  RecordSink::Verdict Act(RecordSink& sink) {
    const std::uint8_t action = Byte();
    if (action < kRaw) {
      return Shaped(kRecordShapes[action % kRecordShapes.size()], action, sink);
    }
    const auto stream = static_cast<StreamKind>(action % kStreamKinds);
    if (action < kNews) {
      return Send(stream, Bytes(Byte()), sink);
    }
    if (action < kLoss) {
      sink.OnWorkload(Bytes(Byte()));
      return RecordSink::Verdict::kContinue;
    }
    if (action < kCaughtUp) {
      return Lose(stream, sink);
    }
    return sink.OnCaughtUp(stream);
  }

  // Of this kind and, unless the action says otherwise, with its true size.
  RecordSink::Verdict Shaped(const RecordShape& shape, std::uint8_t action, RecordSink& sink) {
    const std::size_t trailing = Byte();
    std::vector<std::byte> record = Bytes(shape.size + trailing);
    mf_header header;
    std::memcpy(&header, record.data(), sizeof(header));
    header.kind = shape.kind;
    if (action % 16 != 0) {
      header.size = static_cast<__u32>(record.size());
    }
    std::memcpy(record.data(), &header, sizeof(header));
    return Send(shape.stream, record, sink);
  }

  RecordSink::Verdict Send(StreamKind stream, const std::vector<std::byte>& record,
                           RecordSink& sink) {
    ++counters_[Index(stream)].produced;
    return sink.OnRecord(stream, record);
  }

  RecordSink::Verdict Lose(StreamKind stream, RecordSink& sink) {
    const std::size_t reason = Byte() % kLossReasons;
    ++counters_[Index(stream)].produced;
    ++counters_[Index(stream)].lost[reason];
    sink.OnLoss({.stream = stream, .reason = static_cast<LossReason>(reason), .count = 1});
    return RecordSink::Verdict::kContinue;
  }

  static bool CaughtUp(RecordSink& sink) {
    bool all = true;
    for (std::size_t i = 0; i < kStreamKinds; ++i) {
      const auto verdict = sink.OnCaughtUp(static_cast<StreamKind>(i));
      all = all && verdict == RecordSink::Verdict::kContinue;
    }
    return all;
  }

  std::span<const std::uint8_t> rest_;
  std::array<SourceCounters, kStreamKinds> counters_{};
};

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_FUZZ_HOSTILE_RING_H_
