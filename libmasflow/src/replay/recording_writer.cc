// SPDX-License-Identifier: Apache-2.0
#include "replay/recording_writer.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "masflow_bpf/wire.h"
#include "replay/file_error.h"

namespace masflow::internal {
namespace {

// A turn of Drain is expected to stay below it: one write a turn.
constexpr std::size_t kFlushAt = std::size_t{256} << 10;

std::size_t Index(StreamKind stream) {
  return static_cast<std::size_t>(stream);
}

// How many bytes may follow the first `written`. Beyond this limit the kernel would
// send SIGXFSZ, which ends a host that does not expect it.
std::uint64_t RoomInSizeLimit(std::uint64_t written) {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return ~std::uint64_t{0};
  }
  return limit.rlim_cur > written ? limit.rlim_cur - written : 0;
}

}  // namespace

RecordingWriter::RecordingWriter(UniqueFd fd, std::string path)
    : fd_(std::move(fd)), path_(std::move(path)) {}

void RecordingWriter::AddHeader(const SupportReport& report, const ClockMapping& clock) {
  const auto text = [](const std::string& whole) {
    return std::string_view(whole).substr(0, kMaxRecordingTextBytes);
  };
  const std::string_view kernel = text(report.kernel);
  const std::string_view architecture = text(report.architecture);
  const std::string_view hierarchy = text(report.cgroup_hierarchy);
  const std::size_t size = PaddedFrameBytes(sizeof(RecordingHeader) + kernel.size() +
                                            architecture.size() + hierarchy.size());
  const RecordingHeader header = {
      .magic = kRecordingMagic,
      .byte_order = kRecordingByteOrder,
      .header_bytes = static_cast<std::uint32_t>(size),
      .format_version = kRecordingFormatVersion,
      .wire_version = MF_WIRE_VERSION,
      .monotonic_ns = clock.monotonic_ns,
      .realtime_ns = clock.realtime_ns,
      .kernel_len = static_cast<std::uint16_t>(kernel.size()),
      .architecture_len = static_cast<std::uint16_t>(architecture.size()),
      .cgroup_hierarchy_len = static_cast<std::uint16_t>(hierarchy.size()),
  };
  Append(&header, sizeof(header));
  for (const std::string_view part : {kernel, architecture, hierarchy}) {
    Append(part.data(), part.size());
  }
  buffer_.resize(size);
  clock_offset_ns_ = clock.realtime_ns - clock.monotonic_ns;
}

void RecordingWriter::AddRecord(StreamKind stream, RecordBytes record) {
  if (record.size() > kMaxFrameBytes - sizeof(FrameHeader)) {
    Fail(absl::OutOfRangeError("recording to " + path_ + " ended: a record of " +
                               std::to_string(record.size()) + " bytes is larger than a frame"));
    return;
  }
  AddFrame(FrameType::kRecord, Index(stream), record.data(), record.size());
  totals_[Index(stream)].records += 1;
  uncaught_[Index(stream)] = true;
}

void RecordingWriter::AddLoss(const Loss& loss) {
  const LossBody body = {
      .reason = static_cast<std::uint32_t>(loss.reason),
      .count = loss.count,
      .since_ns = loss.since.time_since_epoch().count(),
      .until_ns = loss.until.time_since_epoch().count(),
  };
  AddFrame(FrameType::kLoss, Index(loss.stream), &body, sizeof(body));
  totals_[Index(loss.stream)].lost += loss.count;
}

void RecordingWriter::AddWorkload(RecordBytes news) {
  AddFrame(FrameType::kWorkload, 0, news.data(), news.size());
}

void RecordingWriter::AddCaughtUp(StreamKind stream) {
  if (std::exchange(uncaught_[Index(stream)], false)) {
    AddFrame(FrameType::kCaughtUp, Index(stream), nullptr, 0);
  }
}

void RecordingWriter::AddClock(const ClockMapping& clock) {
  const std::int64_t offset = clock.realtime_ns - clock.monotonic_ns;
  if (offset == std::exchange(clock_offset_ns_, offset)) {
    return;
  }
  const ClockBody body = {.monotonic_ns = clock.monotonic_ns, .realtime_ns = clock.realtime_ns};
  AddFrame(FrameType::kClock, 0, &body, sizeof(body));
}

void RecordingWriter::AddEnd() {
  if (!ended_) {
    AddFrame(FrameType::kEnd, 0, totals_.data(), sizeof(totals_));
    ended_ = true;
  }
}

void RecordingWriter::AddFrame(FrameType type, std::size_t stream, const void* body,
                               std::size_t size) {
  if (failed_) {
    return;
  }
  const FrameHeader header = {.size = static_cast<std::uint32_t>(sizeof(FrameHeader) + size),
                              .type = static_cast<std::uint16_t>(type),
                              .stream = static_cast<std::uint16_t>(stream)};
  Append(&header, sizeof(header));
  Append(body, size);
  buffer_.resize(buffer_.size() + PaddedFrameBytes(size) - size);
  ended_ = false;
  if (buffer_.size() >= kFlushAt) {
    Flush();
  }
}

void RecordingWriter::Append(const void* bytes, std::size_t size) {
  const auto* const begin = static_cast<const std::byte*>(bytes);
  buffer_.insert(buffer_.end(), begin, begin + size);
}

void RecordingWriter::Flush() {
  RecordBytes rest = buffer_;
  while (!rest.empty() && !failed_) {
    const std::size_t room = std::min<std::uint64_t>(rest.size(), RoomInSizeLimit(written_));
    const ssize_t n = room == 0 ? -1 : write(fd_.get(), rest.data(), room);
    if (n > 0) {
      written_ += static_cast<std::uint64_t>(n);
      rest = rest.subspan(static_cast<std::size_t>(n));
    } else if (room == 0 || n == 0 || errno != EINTR) {
      Fail(FileError(room == 0 ? EFBIG
                     : n == 0  ? EIO
                               : errno,
                     "recording ended: cannot write to", path_,
                     "what was written before can be replayed; make room and record again"));
    }
  }
  buffer_.clear();
}

void RecordingWriter::Fail(absl::Status why) {
  if (std::exchange(failed_, true)) {
    return;
  }
  std::lock_guard lock(status_lock_);
  status_ = std::move(why);
}

absl::Status RecordingWriter::status() const {
  std::lock_guard lock(status_lock_);
  return status_;
}

}  // namespace masflow::internal
