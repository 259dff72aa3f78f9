// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_RECORDING_WRITER_H_
#define MASFLOW_REPLAY_RECORDING_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "core/record_source.h"
#include "core/unique_fd.h"
#include "replay/recording_format.h"

namespace masflow::internal {

// Writes a recording to a file descriptor: collects frames in memory, Flush() hands
// them to the kernel. After the first failure it does nothing more; status() tells
// why. All but status() by one thread at a time.
class RecordingWriter {
 public:
  // `fd` is at the beginning of an empty file, `path` is for messages.
  RecordingWriter(UniqueFd fd, std::string path);

  // First of all, once.
  void AddHeader(const SupportReport& report, const ClockMapping& clock);

  void AddRecord(StreamKind stream, RecordBytes record);
  void AddLoss(const Loss& loss);
  void AddWorkload(RecordBytes news);
  // Nothing is written where it would say nothing new: no record since the last one,
  // the same offset between the clocks, an end already.
  void AddCaughtUp(StreamKind stream);
  void AddClock(const ClockMapping& clock);
  void AddEnd();

  void Flush();

  bool failed() const { return failed_; }
  // Any thread.
  absl::Status status() const;

 private:
  void Append(const void* bytes, std::size_t size);
  void AddFrame(FrameType type, std::size_t stream, const void* body, std::size_t size);
  void Fail(absl::Status why);

  const UniqueFd fd_;
  const std::string path_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
  bool failed_ = false;

  std::array<EndTotals, kStreamKinds> totals_{};
  std::array<bool, kStreamKinds> uncaught_{};  // records since the last kCaughtUp
  std::int64_t clock_offset_ns_ = 0;
  bool ended_ = false;  // the last frame is an end

  mutable std::mutex status_lock_;
  absl::Status status_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_RECORDING_WRITER_H_
