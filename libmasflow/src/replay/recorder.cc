// SPDX-License-Identifier: Apache-2.0
#include "replay/recorder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>
#include <variant>

#include "core/unique_fd.h"
#include "replay/credential_mask.h"
#include "replay/file_error.h"
#include "replay/recording_writer.h"

namespace masflow::internal {
namespace {

constexpr mode_t kMode = 0600;  // arguments of processes hold secrets, and so do bodies

absl::Status Occupied(const std::string& path, const std::string& why) {
  return absl::AlreadyExistsError("cannot record to " + path + ": " + why +
                                  ": remove it or choose another name");
}

// Recordings are made as root, often in a directory that others may write to: what was
// put there by someone else is left alone, and nothing is truncated before it is known.
absl::Status CheckOurs(int fd, const std::string& path, struct stat* file) {
  if (fstat(fd, file) != 0) {
    return FileError(errno, "cannot record to", path);
  }
  if (!S_ISREG(file->st_mode)) {
    return Occupied(path, "it exists and is not a regular file");
  }
  if (file->st_uid != geteuid()) {
    return Occupied(path, "it exists and belongs to user " + std::to_string(file->st_uid) +
                              ", not to " + std::to_string(geteuid()));
  }
  if (file->st_nlink > 1) {
    return Occupied(path, "it exists and has other names (hard links)");
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenForRecording(const std::string& path) {
  // O_NONBLOCK: a FIFO without a reader is to fail, not to wait.
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, kMode));
  if (!fd.valid()) {
    return errno == ELOOP    ? Occupied(path, "it is a symbolic link")
           : errno == EISDIR ? Occupied(path, "it is a directory")
           : errno == ENXIO  ? Occupied(path, "it exists and is not a regular file")
                             : FileError(errno, "cannot record to", path);
  }
  struct stat file {};
  if (absl::Status status = CheckOurs(fd.get(), path, &file); !status.ok()) {
    return status;
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return absl::FailedPreconditionError(
        "cannot record to " + path +
        ": it is being recorded to or replayed from: choose another name");
  }
  if ((file.st_mode & 07777) != kMode && fchmod(fd.get(), kMode) != 0) {
    return FileError(errno, "cannot make private (mode 0600)", path,
                     "choose a file system that keeps file modes");
  }
  if (ftruncate(fd.get(), 0) != 0) {
    return FileError(errno, "cannot empty", path);
  }
  return fd;
}

class RecordingSource final : public RecordSource {
 public:
  RecordingSource(std::shared_ptr<RecordSource> inner, UniqueFd fd, const std::string& path)
      : inner_(std::move(inner)), writer_(std::move(fd), path) {
    writer_.AddHeader(inner_->Support(), inner_->Clock());
    writer_.Flush();
  }
  ~RecordingSource() override { Finish(); }

  absl::Status Open(const StreamConfig& config) override {
    absl::Status status = inner_->Open(config);
    if (status.ok()) {
      if (const auto* http = std::get_if<HttpOptions>(&config)) {
        mask_.MaskQueries(http->query);
      }
      open_[static_cast<std::size_t>(KindOf(config))] = true;
    }
    return status;
  }
  void Close(StreamKind stream) override {
    inner_->Close(stream);
    open_[static_cast<std::size_t>(stream)] = false;
    if (open_ == decltype(open_){}) {
      Finish();
    }
  }
  DrainResult Drain(std::size_t max, RecordSink& sink) override {
    Tee tee(*this, sink);
    const DrainResult result = inner_->Drain(max, tee);
    writer_.Flush();
    return result;
  }
  absl::Status EndStatus() const override {
    absl::Status status = inner_->EndStatus();
    return status.ok() ? writer_.status() : status;
  }

  void SetPaused(StreamKind stream, bool paused) override { inner_->SetPaused(stream, paused); }
  void SetMuted(std::uint64_t cgroup_id, bool muted) override {
    inner_->SetMuted(cgroup_id, muted);
  }
  int poll_fd() const override { return inner_->poll_fd(); }
  void Wake() override { inner_->Wake(); }
  SourceCounters Counters(StreamKind stream) const override { return inner_->Counters(stream); }
  std::uint64_t NameFailures() const override { return inner_->NameFailures(); }
  std::vector<ProgramCost> Costs() const override { return inner_->Costs(); }
  ClockMapping Clock() const override { return inner_->Clock(); }
  MemoryStats Memory() const override { return inner_->Memory(); }
  SupportReport Support() const override { return inner_->Support(); }

  absl::Status writer_status() const { return writer_.status(); }

 private:
  class Tee final : public RecordSink {
   public:
    Tee(RecordingSource& source, RecordSink& sink) : source_(source), sink_(sink) {}

    Verdict OnRecord(StreamKind stream, RecordBytes record) override {
      NoteClock();
      source_.writer_.AddRecord(stream,
                                stream == StreamKind::kHttp ? source_.mask_.Mask(record) : record);
      return sink_.OnRecord(stream, record);
    }
    void OnLoss(const Loss& loss) override {
      NoteClock();
      source_.writer_.AddLoss(loss);
      sink_.OnLoss(loss);
    }
    Verdict OnCaughtUp(StreamKind stream) override {
      source_.writer_.AddCaughtUp(stream);
      return sink_.OnCaughtUp(stream);
    }
    void OnWorkload(RecordBytes news) override {
      source_.writer_.AddWorkload(news);
      sink_.OnWorkload(news);
    }

   private:
    // Once a turn, and not before inner's Drain has begun: there a source may look at
    // the clocks, and a replay shall give each record the date that it had.
    void NoteClock() {
      if (!std::exchange(noted_clock_, true)) {
        source_.writer_.AddClock(source_.inner_->Clock());
      }
    }

    RecordingSource& source_;
    RecordSink& sink_;
    bool noted_clock_ = false;
  };

  void Finish() {
    writer_.AddEnd();
    writer_.Flush();
  }

  const std::shared_ptr<RecordSource> inner_;
  RecordingWriter writer_;
  CredentialMask mask_;
  std::array<bool, kStreamKinds> open_{};
};

}  // namespace

absl::StatusOr<std::shared_ptr<RecordSource>> MakeRecordingSource(
    std::shared_ptr<RecordSource> inner, const std::string& path) {
  absl::StatusOr<UniqueFd> fd = OpenForRecording(path);
  if (!fd.ok()) {
    return fd.status();
  }
  auto source = std::make_shared<RecordingSource>(std::move(inner), *std::move(fd), path);
  if (absl::Status status = source->writer_status(); !status.ok()) {
    return status;
  }
  return source;
}

}  // namespace masflow::internal
