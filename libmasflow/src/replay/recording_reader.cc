// SPDX-License-Identifier: Apache-2.0
#include "replay/recording_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <numeric>
#include <system_error>
#include <utility>

#include "masflow_bpf/wire.h"
#include "replay/file_error.h"
#include "wire/workload_record.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kBufferBytes = 2 * kMaxFrameBytes;

template <class Body>
bool Read(RecordBytes bytes, Body* body) {
  if (bytes.size() != sizeof(Body)) {
    return false;
  }
  std::memcpy(body, bytes.data(), sizeof(Body));
  return true;
}

KernelTime Time(std::int64_t ns) {
  return KernelTime(std::chrono::nanoseconds(ns));
}

std::string Number(std::uint64_t n) {
  return std::to_string(n);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordingReader>> RecordingReader::Create(UniqueFd fd,
                                                                         std::string path) {
  std::unique_ptr<RecordingReader> reader(new RecordingReader(std::move(fd), std::move(path)));
  if (absl::Status status = reader->ReadHeader(); !status.ok()) {
    return status;
  }
  return reader;
}

absl::StatusOr<std::unique_ptr<RecordingReader>> RecordingReader::FromStart() const {
  UniqueFd fd(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd.valid()) {
    return FileError(errno, "cannot read", path_);
  }
  return Create(std::move(fd), path_);
}

RecordingReader::RecordingReader(UniqueFd fd, std::string path)
    : fd_(std::move(fd)), path_(std::move(path)), buffer_(kBufferBytes) {}

absl::Status RecordingReader::ReadHeader() {
  RecordingHeader header;
  const std::size_t got = Fill(sizeof(header));
  std::memcpy(&header, buffer_.data(), got);
  if (read_error_ != 0) {
    return absl::InvalidArgumentError("cannot read " + path_ + ": " +
                                      std::generic_category().message(read_error_));
  }
  if (got < sizeof(header.magic) || header.magic != kRecordingMagic) {
    return absl::InvalidArgumentError(path_ + (got == 0 ? " is empty" : "") +
                                      (got == 0 ? ", so no" : " is not a") + " MasFlow recording");
  }
  const std::string cut = path_ + " is a MasFlow recording that ends within its header, so it " +
                          "holds no event: record again";
  if (got < sizeof(header)) {
    return absl::InvalidArgumentError(cut);
  }
  if (absl::Status status = CheckHeader(header); !status.ok()) {
    return status;
  }
  if (Fill(header.header_bytes) < header.header_bytes) {
    return absl::InvalidArgumentError(cut);
  }
  const char* text = reinterpret_cast<const char*>(buffer_.data()) + sizeof(header);
  for (const auto& [to, size] :
       {std::pair{&kernel_, header.kernel_len}, std::pair{&architecture_, header.architecture_len},
        std::pair{&cgroup_hierarchy_, header.cgroup_hierarchy_len}}) {
    to->assign(text, size);
    text += size;
  }
  clock_ = {.monotonic_ns = header.monotonic_ns, .realtime_ns = header.realtime_ns};
  Skip(header.header_bytes);
  return absl::OkStatus();
}

absl::Status RecordingReader::CheckHeader(const RecordingHeader& header) const {
  if (header.byte_order == kRecordingByteOrderSwapped) {
    return absl::FailedPreconditionError("recording " + path_ +
                                         " was made on a machine of the other byte order: replay "
                                         "it on one of the same");
  }
  const bool newer_format = header.format_version > kRecordingFormatVersion;
  if (newer_format || header.wire_version != MF_WIRE_VERSION) {
    const bool newer = newer_format || header.wire_version > MF_WIRE_VERSION;
    return absl::FailedPreconditionError(
        "recording " + path_ + " has format version " + Number(header.format_version) +
        ", wire version " + Number(header.wire_version) + "; this library reads " +
        Number(kRecordingFormatVersion) + ", " + Number(MF_WIRE_VERSION) +
        ": replay it with the MasFlow version that made it" +
        (newer ? ", which is newer" : " (an older one), or record again"));
  }
  const std::size_t texts =
      std::size_t{header.kernel_len} + header.architecture_len + header.cgroup_hierarchy_len;
  if (header.byte_order != kRecordingByteOrder || header.format_version == 0 ||
      header.header_bytes > kMaxRecordingHeaderBytes ||
      header.header_bytes != PaddedFrameBytes(sizeof(header) + texts)) {
    return absl::InvalidArgumentError(path_ + " is a MasFlow recording with a damaged header");
  }
  return absl::OkStatus();
}

const Frame* RecordingReader::Peek() {
  while (!has_frame_ && !at_end_) {
    ReadFrame();
  }
  return has_frame_ ? &frame_ : nullptr;
}

void RecordingReader::Pop() {
  if (Peek() == nullptr) {
    return;
  }
  if (const auto* record = std::get_if<RecordFrame>(&frame_)) {
    totals_[static_cast<std::size_t>(record->stream)].records += 1;
  } else if (const auto* loss = std::get_if<Loss>(&frame_)) {
    totals_[static_cast<std::size_t>(loss->stream)].lost += loss->count;
  }
  has_frame_ = false;
  Skip(frame_bytes_);
}

void RecordingReader::ReadFrame() {
  FrameHeader header;
  const std::size_t got = Fill(sizeof(header));
  if (got == 0 && read_error_ == 0) {
    Finish();
    return;
  }
  if (got == sizeof(header)) {
    std::memcpy(&header, buffer_.data() + begin_, sizeof(header));
    if (header.size < sizeof(header) || header.size > kMaxFrameBytes) {
      Damaged("a frame of " + Number(header.size) + " bytes");
      return;
    }
    frame_bytes_ = PaddedFrameBytes(header.size);
  }
  if (got < sizeof(header) || Fill(frame_bytes_) < frame_bytes_) {
    EndAs(absl::DataLossError("recording " + path_ + " ends in the middle of a frame, " + Where() +
                              (read_error_ == 0
                                   ? ": the recorder was killed or the file was cut"
                                   : ": " + std::generic_category().message(read_error_))));
    return;
  }
  const RecordBytes body(buffer_.data() + begin_ + sizeof(header), header.size - sizeof(header));
  ended_properly_ = false;
  switch (FrameType{header.type}) {
    case FrameType::kRecord:
      return TakeRecord(header.stream, body);
    case FrameType::kLoss:
      return TakeLoss(header.stream, body);
    case FrameType::kCaughtUp:
      return TakeCaughtUp(header.stream, body);
    case FrameType::kClock:
      return TakeClock(body);
    case FrameType::kEnd:
      return TakeEnd(body);
    case FrameType::kWorkload:
      return TakeWorkload(body);
  }
  Damaged("a frame of unknown type " + Number(header.type));
}

void RecordingReader::TakeRecord(std::uint16_t stream, RecordBytes body) {
  if (stream >= kStreamKinds) {
    Damaged("a record of unknown stream " + Number(stream));
    return;
  }
  frame_ = RecordFrame{.stream = StreamKind{static_cast<std::uint8_t>(stream)}, .bytes = body};
  has_frame_ = true;
}

void RecordingReader::TakeLoss(std::uint16_t stream, RecordBytes body) {
  LossBody loss;
  if (stream >= kStreamKinds || !Read(body, &loss) || loss.reason >= kLossReasons ||
      loss.count == 0) {
    Damaged("a loss frame that makes no sense");
    return;
  }
  frame_ = Loss{.stream = StreamKind{static_cast<std::uint8_t>(stream)},
                .reason = LossReason{static_cast<std::uint8_t>(loss.reason)},
                .count = loss.count,
                .since = Time(loss.since_ns),
                .until = Time(loss.until_ns)};
  has_frame_ = true;
}

void RecordingReader::TakeCaughtUp(std::uint16_t stream, RecordBytes body) {
  if (stream >= kStreamKinds || !body.empty()) {
    Damaged("a caught-up frame that makes no sense");
    return;
  }
  frame_ = CaughtUpFrame{.stream = StreamKind{static_cast<std::uint8_t>(stream)}};
  has_frame_ = true;
}

void RecordingReader::TakeClock(RecordBytes body) {
  ClockBody clock;
  if (!Read(body, &clock)) {
    Damaged("a clock frame that makes no sense");
    return;
  }
  frame_ = ClockMapping{.monotonic_ns = clock.monotonic_ns, .realtime_ns = clock.realtime_ns};
  has_frame_ = true;
}

void RecordingReader::TakeWorkload(RecordBytes body) {
  if (!DecodeWorkload(body).has_value()) {
    Damaged("a workload frame that makes no sense");
    return;
  }
  frame_ = WorkloadFrame{.news = body};
  has_frame_ = true;
}

void RecordingReader::TakeEnd(RecordBytes body) {
  // An older recording knows fewer streams.
  std::array<EndTotals, kStreamKinds> totals{};
  if (body.size() > sizeof(totals) || body.size() % sizeof(EndTotals) != 0) {
    Damaged("an end frame that makes no sense");
    return;
  }
  std::memcpy(totals.data(), body.data(), body.size());
  if (totals != totals_) {
    Damaged("its end frame counts other records or losses than it holds");
    return;
  }
  ended_properly_ = true;
  Skip(frame_bytes_);
}

std::size_t RecordingReader::Fill(std::size_t size) {
  if (buffer_.size() - begin_ < size) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= std::exchange(begin_, 0);
  }
  while (end_ - begin_ < size) {
    const ssize_t n = pread(fd_.get(), buffer_.data() + end_, buffer_.size() - end_,
                            static_cast<off_t>(offset_ + (end_ - begin_)));
    if (n > 0) {
      end_ += static_cast<std::size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      read_error_ = n == 0 ? 0 : errno;
      break;
    }
  }
  return std::min(size, end_ - begin_);
}

void RecordingReader::Skip(std::size_t size) {
  begin_ += size;
  offset_ += size;
}

void RecordingReader::Finish() {
  EndAs(ended_properly_ ? absl::OkStatus()
                        : absl::DataLossError("recording " + path_ + " was not ended properly, " +
                                              Where() + ": the recorder was killed, or the file " +
                                              "is still being written or was cut"));
}

void RecordingReader::Damaged(std::string_view what) {
  EndAs(absl::DataLossError("recording " + path_ + " is damaged " + Where() + ": " +
                            std::string(what)));
}

void RecordingReader::EndAs(absl::Status status) {
  at_end_ = true;
  end_status_ = std::move(status);
}

std::string RecordingReader::Where() const {
  const std::uint64_t records =
      std::accumulate(totals_.begin(), totals_.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const EndTotals& t) { return sum + t.records; });
  return "after " + Number(records) + " records, at byte " + Number(offset_);
}

}  // namespace masflow::internal
