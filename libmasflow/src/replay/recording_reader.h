// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_RECORDING_READER_H_
#define MASFLOW_REPLAY_RECORDING_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "core/record_source.h"
#include "core/unique_fd.h"
#include "replay/recording_format.h"

namespace masflow::internal {

struct RecordFrame {
  StreamKind stream{};
  RecordBytes bytes;  // until the next Peek()
};
struct CaughtUpFrame {
  StreamKind stream{};
};
struct WorkloadFrame {
  RecordBytes news;  // until the next Peek()
};
using Frame = std::variant<RecordFrame, Loss, CaughtUpFrame, ClockMapping, WorkloadFrame>;

// Reads a recording from front to back through a buffer of fixed size. Any file is
// safe: what is not well formed ends it, with a reason. By one thread at a time. The
// file has to allow pread(2).
class RecordingReader {
 public:
  // Reads the header. `path` is for messages.
  //   INVALID_ARGUMENT     no recording, or its header is damaged
  //   FAILED_PRECONDITION  of another version or byte order
  static absl::StatusOr<std::unique_ptr<RecordingReader>> Create(UniqueFd fd, std::string path);

  // Another reader of the same file, at its beginning.
  absl::StatusOr<std::unique_ptr<RecordingReader>> FromStart() const;

  const std::string& path() const { return path_; }
  const std::string& kernel() const { return kernel_; }
  const std::string& architecture() const { return architecture_; }
  const std::string& cgroup_hierarchy() const { return cgroup_hierarchy_; }
  const ClockMapping& clock() const { return clock_; }  // of the header

  // The next frame, the same one until Pop(); null at the end.
  const Frame* Peek();
  void Pop();
  // Once Peek() gave null: OK if the recording is whole, else DATA_LOSS with a reason.
  const absl::Status& end_status() const { return end_status_; }

 private:
  RecordingReader(UniqueFd fd, std::string path);

  absl::Status ReadHeader();
  absl::Status CheckHeader(const RecordingHeader& header) const;
  // Each of these sets frame_, or ends the recording, or does neither (goes on).
  void ReadFrame();
  void TakeRecord(std::uint16_t stream, RecordBytes body);
  void TakeLoss(std::uint16_t stream, RecordBytes body);
  void TakeCaughtUp(std::uint16_t stream, RecordBytes body);
  void TakeClock(RecordBytes body);
  void TakeWorkload(RecordBytes body);
  void TakeEnd(RecordBytes body);

  // Makes up to `size` bytes readable at begin_; fewer only at the end of the file.
  std::size_t Fill(std::size_t size);
  void Skip(std::size_t size);
  void Finish();
  void Damaged(std::string_view what);
  void EndAs(absl::Status status);
  std::string Where() const;  // "after N records, at byte B"

  const UniqueFd fd_;
  const std::string path_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;  // in the file, of begin_
  int read_error_ = 0;

  std::string kernel_;
  std::string architecture_;
  std::string cgroup_hierarchy_;
  ClockMapping clock_;

  Frame frame_;
  bool has_frame_ = false;
  std::size_t frame_bytes_ = 0;
  std::array<EndTotals, kStreamKinds> totals_{};
  bool ended_properly_ = false;  // the last frame was an end
  bool at_end_ = false;
  absl::Status end_status_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_RECORDING_READER_H_
