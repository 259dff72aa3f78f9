// SPDX-License-Identifier: Apache-2.0
#include "replay/replay_source.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

#include "replay/file_error.h"
#include "replay/record_filter.h"
#include "replay/recording_reader.h"

namespace masflow::internal {
namespace {

// Frames that a turn may pass over beyond those it hands out: they cost the host time too.
constexpr std::size_t kMaxSkipsPerTurn = 4096;
// Where the snapshot of a recording has to be over for the trees of a filter.
constexpr std::size_t kMaxSnapshotFrames = 1 << 18;

class ReplaySource final : public RecordSource {
 public:
  ReplaySource(std::unique_ptr<RecordingReader> reader, UniqueFd wake)
      : reader_(std::move(reader)), wake_(std::move(wake)), clock_(reader_->clock()) {}

  absl::Status Open(const StreamConfig& config) override;
  void Close(StreamKind stream) override;
  void SetPaused(StreamKind stream, bool paused) override;
  int poll_fd() const override { return wake_.get(); }
  void Wake() override { eventfd_write(wake_.get(), 1); }
  DrainResult Drain(std::size_t max, RecordSink& sink) override;
  SourceCounters Counters(StreamKind stream) const override;
  ClockMapping Clock() const override;
  std::uint64_t NameFailures() const override { return 0; }  // none is asked
  std::vector<ProgramCost> Costs() const override { return {}; }
  MemoryStats Memory() const override { return {}; }
  SupportReport Support() const override;
  absl::Status EndStatus() const override;

 private:
  struct Stream {
    std::unique_ptr<RecordFilter> filter;  // there is one if the stream is open
    bool paused = false;
    bool caught_up = false;  // told so, and no record since
    std::atomic<std::uint64_t> produced{0};
    std::array<std::atomic<std::uint64_t>, kLossReasons> lost{};

    bool open() const { return filter != nullptr; }
    void Close();
  };

  // One Drain.
  struct Turn {
    const std::size_t max;
    RecordSink& sink;
    std::size_t records = 0;
    std::size_t skipped = 0;
    bool lost = false;  // a loss was reported, which is to be the last of a turn
  };
  enum class Step {
    kNext,
    kBlocked,   // by a stream that is paused or holds records back
    kTurnOver,  // there is more
    kEnded,
  };

  Stream& at(StreamKind stream) { return streams_[static_cast<std::size_t>(stream)]; }
  bool AnyOpen() const;
  // Once for each record, right before it leaves the reader.
  bool Passes(const RecordFrame& frame);
  void FollowSnapshot(ProcessMatch* processes) const;

  Step DoStep(Turn& turn);
  // Each handles reader_'s frame and pops it, or leaves it for later.
  Step Handle(const RecordFrame& frame, Turn& turn);
  Step Handle(const Loss& loss, Turn& turn);
  Step Handle(const CaughtUpFrame& frame, Turn& turn);
  Step Handle(const ClockMapping& clock, Turn& turn);
  Step Handle(const WorkloadFrame& frame, Turn& turn);
  Step PassOver(Turn& turn);
  // False: the stream holds records back, so what follows has to wait.
  bool TellCaughtUp(StreamKind kind, RecordSink& sink);
  Step ReachEnd(Turn& turn);

  const std::unique_ptr<RecordingReader> reader_;
  const UniqueFd wake_;
  std::array<Stream, kStreamKinds> streams_;
  bool ended_ = false;

  mutable std::mutex lock_;  // of what other threads may ask for
  ClockMapping clock_;
  absl::Status end_status_;
};

void ReplaySource::Stream::Close() {
  filter.reset();
  paused = false;
  caught_up = false;
  produced = 0;
  std::fill(lost.begin(), lost.end(), 0);
}

absl::Status ReplaySource::Open(const StreamConfig& config) {
  absl::StatusOr<std::unique_ptr<RecordFilter>> filter = MakeRecordFilter(config);
  if (!filter.ok()) {
    return filter.status();
  }
  if ((*filter)->processes().follows_trees()) {
    FollowSnapshot(&(*filter)->processes());
  }
  at(KindOf(config)).filter = *std::move(filter);
  Wake();
  return absl::OkStatus();
}

// The live source knows the descendants that run as it opens; here the snapshot tells.
void ReplaySource::FollowSnapshot(ProcessMatch* processes) const {
  absl::StatusOr<std::unique_ptr<RecordingReader>> reader = reader_->FromStart();
  if (!reader.ok()) {
    return;  // then records join by their order, which is nearly always the same
  }
  for (std::size_t i = 0; i < kMaxSnapshotFrames; ++i) {
    const Frame* const frame = (*reader)->Peek();
    if (frame == nullptr) {
      break;
    }
    if (const auto* end = std::get_if<CaughtUpFrame>(frame);
        end != nullptr && end->stream == StreamKind::kProcess) {
      break;
    }
    if (const auto* record = std::get_if<RecordFrame>(frame);
        record != nullptr && record->stream == StreamKind::kProcess) {
      processes->NoteRunning(record->bytes);
    }
    (*reader)->Pop();
  }
  processes->JoinRunning();
}

void ReplaySource::Close(StreamKind stream) {
  at(stream).Close();
  if (AnyOpen()) {
    Wake();  // the others may have waited for it
  }
}

void ReplaySource::SetPaused(StreamKind stream, bool paused) {
  if (std::exchange(at(stream).paused, paused) && !paused) {
    Wake();
  }
}

DrainResult ReplaySource::Drain(std::size_t max, RecordSink& sink) {
  eventfd_t ignored = 0;
  eventfd_read(wake_.get(), &ignored);
  if (ended_ || !AnyOpen()) {
    return {.ended = ended_};
  }
  Turn turn{.max = max, .sink = sink};
  Step step = Step::kNext;
  while (step == Step::kNext) {
    step = DoStep(turn);
  }
  ended_ = step == Step::kEnded;
  if (step == Step::kTurnOver) {
    Wake();
  }
  return {.records = turn.records, .more = step == Step::kTurnOver, .ended = ended_};
}

ReplaySource::Step ReplaySource::DoStep(Turn& turn) {
  const Frame* const frame = reader_->Peek();
  if (frame == nullptr) {
    return ReachEnd(turn);
  }
  return std::visit([&](const auto& f) { return Handle(f, turn); }, *frame);
}

ReplaySource::Step ReplaySource::Handle(const RecordFrame& frame, Turn& turn) {
  Stream& stream = at(frame.stream);
  if (stream.open() && stream.paused) {
    return Step::kBlocked;
  }
  if (stream.open() && (turn.records >= turn.max || turn.lost)) {
    return Step::kTurnOver;
  }
  if (!Passes(frame)) {
    return PassOver(turn);
  }
  stream.caught_up = false;
  stream.produced.fetch_add(1, std::memory_order_relaxed);
  turn.records += 1;
  const RecordSink::Verdict verdict = turn.sink.OnRecord(frame.stream, frame.bytes);
  reader_->Pop();
  stream.paused = stream.paused || verdict == RecordSink::Verdict::kPause;
  return verdict == RecordSink::Verdict::kStop ? Step::kTurnOver : Step::kNext;
}

bool ReplaySource::Passes(const RecordFrame& frame) {
  if (frame.stream == StreamKind::kProcess) {
    for (const StreamKind kind : {StreamKind::kTcp, StreamKind::kHttp}) {
      if (at(kind).open()) {
        at(kind).filter->FollowProcess(frame.bytes);
      }
    }
  }
  Stream& stream = at(frame.stream);
  return stream.open() && stream.filter->Passes(frame.bytes);
}

ReplaySource::Step ReplaySource::Handle(const Loss& loss, Turn& turn) {
  Stream& stream = at(loss.stream);
  if (!stream.open()) {
    return PassOver(turn);
  }
  if (stream.paused) {
    return Step::kBlocked;
  }
  stream.produced.fetch_add(loss.count, std::memory_order_relaxed);
  stream.lost[static_cast<std::size_t>(loss.reason)].fetch_add(loss.count,
                                                               std::memory_order_relaxed);
  turn.lost = true;
  turn.sink.OnLoss(loss);
  reader_->Pop();
  return Step::kNext;
}

ReplaySource::Step ReplaySource::Handle(const CaughtUpFrame& frame, Turn& turn) {
  Stream& stream = at(frame.stream);
  if (!stream.open() || stream.caught_up) {
    return PassOver(turn);
  }
  if (stream.paused) {
    return Step::kBlocked;
  }
  return TellCaughtUp(frame.stream, turn.sink) ? PassOver(turn) : Step::kBlocked;
}

bool ReplaySource::TellCaughtUp(StreamKind kind, RecordSink& sink) {
  const RecordSink::Verdict verdict = sink.OnCaughtUp(kind);
  at(kind).caught_up = verdict == RecordSink::Verdict::kContinue;
  at(kind).paused = verdict == RecordSink::Verdict::kPause;
  return at(kind).caught_up;
}

ReplaySource::Step ReplaySource::Handle(const ClockMapping& clock, Turn& turn) {
  {
    std::lock_guard lock(lock_);
    clock_ = clock;
  }
  return PassOver(turn);
}

ReplaySource::Step ReplaySource::Handle(const WorkloadFrame& frame, Turn& turn) {
  turn.sink.OnWorkload(frame.news);
  return PassOver(turn);
}

ReplaySource::Step ReplaySource::PassOver(Turn& turn) {
  reader_->Pop();
  return ++turn.skipped < kMaxSkipsPerTurn ? Step::kNext : Step::kTurnOver;
}

// Also after a recording that was cut within its snapshot the streams are to hand out
// what they hold, so each one is told that nothing more comes.
ReplaySource::Step ReplaySource::ReachEnd(Turn& turn) {
  for (std::size_t i = 0; i < kStreamKinds; ++i) {
    Stream& stream = streams_[i];
    if (!stream.open() || stream.caught_up) {
      continue;
    }
    if (stream.paused || !TellCaughtUp(static_cast<StreamKind>(i), turn.sink)) {
      return Step::kBlocked;
    }
  }
  std::lock_guard lock(lock_);
  end_status_ = reader_->end_status();
  return Step::kEnded;
}

bool ReplaySource::AnyOpen() const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const Stream& stream) { return stream.open(); });
}

SourceCounters ReplaySource::Counters(StreamKind kind) const {
  const Stream& stream = streams_[static_cast<std::size_t>(kind)];
  SourceCounters counters;
  counters.produced = stream.produced.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < kLossReasons; ++i) {
    counters.lost[i] = stream.lost[i].load(std::memory_order_relaxed);
  }
  return counters;
}

ClockMapping ReplaySource::Clock() const {
  std::lock_guard lock(lock_);
  return clock_;
}

SupportReport ReplaySource::Support() const {
  SupportReport report;
  report.source = "recording " + reader_->path();
  report.kernel = reader_->kernel();
  report.architecture = reader_->architecture();
  report.cgroup_hierarchy = reader_->cgroup_hierarchy();
  return report;
}

absl::Status ReplaySource::EndStatus() const {
  std::lock_guard lock(lock_);
  return end_status_;
}

}  // namespace

absl::StatusOr<std::shared_ptr<RecordSource>> MakeReplaySource(const Replay& replay) {
  // O_NONBLOCK: a FIFO without a writer is to be refused, not to be waited for.
  UniqueFd fd(open(replay.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return FileError(errno, "cannot open recording", replay.path);
  }
  struct stat file {};
  if (fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode)) {
    return absl::InvalidArgumentError(replay.path +
                                      " is not a regular file, so no MasFlow recording");
  }
  // Keeps a recorder off this file, above all one of the same session. Where there is one
  // already, or the file system has no locks, replay goes on without.
  static_cast<void>(flock(fd.get(), LOCK_SH | LOCK_NB));
  return MakeReplaySource(std::move(fd), replay.path);
}

absl::StatusOr<std::shared_ptr<RecordSource>> MakeReplaySource(UniqueFd fd,
                                                               const std::string& name) {
  absl::StatusOr<std::unique_ptr<RecordingReader>> reader =
      RecordingReader::Create(std::move(fd), name);
  if (!reader.ok()) {
    return reader.status();
  }
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) {
    return FileError(errno, "cannot make an event counter (eventfd) for", name);
  }
  return std::make_shared<ReplaySource>(*std::move(reader), std::move(wake));
}

}  // namespace masflow::internal
