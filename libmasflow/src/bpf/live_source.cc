// SPDX-License-Identifier: Apache-2.0
#include "bpf/live_source.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>
#include <utility>
#include <variant>

#include "bpf/environment.h"
#include "bpf/http_feed.h"
#include "bpf/process_feed.h"
#include "bpf/stream_feed.h"
#include "bpf/tcp_feed.h"
#include "bpf/workload_feed.h"
#include "core/unique_fd.h"

namespace masflow::internal {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kNow{1};
constexpr std::chrono::seconds kClockPeriod{1};
constexpr std::chrono::milliseconds kMissedPeriod{100};  // reading them takes a system call each

std::int64_t Read(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

KernelTime Now() {
  return std::chrono::time_point_cast<nanoseconds>(KernelTime::clock::now());
}

// One epoll descriptor over the rings, a timer and what timers the feeds have.
//
// Asleep, a ring becomes readable at its first record. From then on we are awake: the
// kernel sends no wake-up below the high-water mark, and the timer makes us look every
// `latency`. A look that finds nothing sends us to sleep again, and stops the timer.
class LiveSource : public RecordSource {
 public:
  LiveSource(LiveSourceOptions options, Environment environment,
             std::unique_ptr<WorkloadFeed> workloads, UniqueFd epoll, UniqueFd timer)
      : options_(std::move(options)),
        environment_(std::move(environment)),
        workloads_(std::move(workloads)),
        epoll_(std::move(epoll)),
        timer_(std::move(timer)) {
    ReadClocks();
  }

  absl::Status Open(const StreamConfig& config) override;
  void Close(StreamKind stream) override;
  void SetPaused(StreamKind stream, bool paused) override;
  int poll_fd() const override { return epoll_.get(); }
  void Wake() override { SetTimer(kNow); }
  DrainResult Drain(std::size_t max, RecordSink& sink) override;
  void SetMuted(std::uint64_t cgroup_id, bool muted) override {
    workloads_->SetMuted(cgroup_id, muted);
  }
  SourceCounters Counters(StreamKind stream) const override;
  ClockMapping Clock() const override;
  std::uint64_t NameFailures() const override;
  std::vector<ProgramCost> Costs() const override;
  MemoryStats Memory() const override;
  SupportReport Support() const override;
  absl::Status EndStatus() const override { return absl::OkStatus(); }

 private:
  struct Slot {
    std::unique_ptr<StreamFeed> feed;
    bool paused = false;
    bool watched = false;    // in epoll_
    bool caught_up = false;  // said so
    bool emptied = false;    // in this turn: what came since waits for the next one
    KernelTime marked{};     // what was produced until then is before the mark of this turn
  };

  absl::StatusOr<std::unique_ptr<StreamFeed>> OpenFeed(const StreamConfig& config) const;
  Slot& slot(StreamKind stream) { return slots_[static_cast<std::size_t>(stream)]; }
  const Slot& slot(StreamKind stream) const { return slots_[static_cast<std::size_t>(stream)]; }
  void LeaveWorkloads();
  // True: more names are to be taken in the next one.
  bool BeginTurn(RecordSink& sink);
  std::size_t KeptForLater(std::size_t index, std::size_t max) const;
  RecordSink::Verdict DrainSlot(StreamKind stream, std::size_t max, RecordSink& sink,
                                std::size_t* records);
  RecordSink::Verdict DrainBacklog(StreamKind stream, std::size_t* left, RecordSink& sink);
  void ReportLoss(RecordSink& sink, bool all);
  bool AnythingLeft() const;
  bool AnythingCame() const;
  void AwaitMore(bool more, std::size_t records);
  void Watch(Slot& slot, bool watched);
  void SetTimer(nanoseconds delay);
  void ReadClocks();

  const LiveSourceOptions options_;
  const Environment environment_;
  const std::unique_ptr<WorkloadFeed> workloads_;
  const UniqueFd epoll_;
  const UniqueFd timer_;
  std::mutex timer_mutex_;
  nanoseconds timer_delay_{0};  // what the timer was set to: it is read by nobody
  std::array<Slot, kStreamKinds> slots_;
  KernelTime missed_read_{};

  mutable std::mutex clock_mutex_;
  ClockMapping clock_;
};

absl::StatusOr<std::unique_ptr<StreamFeed>> LiveSource::OpenFeed(const StreamConfig& config) const {
  const int muted = workloads_->muted_cgroups();
  if (const auto* process = std::get_if<ProcessOptions>(&config)) {
    return ProcessFeed::Open(environment_, *process, options_.forced, muted);
  }
  if (const auto* tcp = std::get_if<TcpOptions>(&config)) {
    return TcpFeed::Open(environment_, *tcp, options_.forced, muted);
  }
  const auto* const tcp_feed = static_cast<const TcpFeed*>(slot(StreamKind::kTcp).feed.get());
  return HttpFeed::Open(environment_, std::get<HttpOptions>(config), options_.forced, muted,
                        tcp_feed == nullptr ? -1 : tcp_feed->connections());
}

absl::Status LiveSource::Open(const StreamConfig& config) {
  workloads_->Attach(environment_);
  absl::StatusOr<std::unique_ptr<StreamFeed>> feed = OpenFeed(config);
  if (!feed.ok()) {
    LeaveWorkloads();
    return feed.status();
  }
  Slot& opened = slot(KindOf(config));
  opened = {.feed = *std::move(feed)};
  Watch(opened, true);
  SetTimer(kNow);  // records may have been sent before the ring was watched
  return absl::OkStatus();
}

void LiveSource::Close(StreamKind stream) {
  Slot& closed = slot(stream);
  if (closed.feed == nullptr) {
    return;
  }
  Watch(closed, false);
  closed = {};
  if (auto& http = slot(StreamKind::kHttp).feed; stream == StreamKind::kTcp && http != nullptr) {
    static_cast<HttpFeed&>(*http).LeaveTcp();
  }
  LeaveWorkloads();
}

// With the last stream.
void LiveSource::LeaveWorkloads() {
  if (std::all_of(slots_.begin(), slots_.end(),
                  [](const Slot& other) { return other.feed == nullptr; })) {
    workloads_->Detach();
  }
}

void LiveSource::SetPaused(StreamKind stream, bool paused) {
  slot(stream).paused = paused;
  if (!paused) {
    SetTimer(kNow);
  }
}

DrainResult LiveSource::Drain(std::size_t max, RecordSink& sink) {
  ReadClocks();
  const bool more_names = BeginTurn(sink);
  DrainResult result;
  RecordSink::Verdict verdict = RecordSink::Verdict::kContinue;
  for (std::size_t i = 0; i < kStreamKinds && result.records < max; ++i) {
    if (slots_[i].feed != nullptr && !slots_[i].paused) {
      const std::size_t share = max - result.records - KeptForLater(i, max);
      verdict = DrainSlot(static_cast<StreamKind>(i), share, sink, &result.records);
      if (verdict == RecordSink::Verdict::kStop) {
        break;
      }
    }
  }
  result.more = more_names || AnythingLeft();
  ReportLoss(sink, /*all=*/result.records == 0);
  AwaitMore(result.more, result.records);
  return result;
}

// The order makes every record find its workload: first the marks, then the news, then the records
// before the marks.
bool LiveSource::BeginTurn(RecordSink& sink) {
  for (Slot& open : slots_) {
    if (open.feed != nullptr) {
      open.feed->BeginTurn();
      open.emptied = false;
      open.marked = Now();
      open.feed->ring().MarkEnd();
    }
  }
  return workloads_->Update(sink);
}

// Processes come first, so that one is known before its connections; but a flood of one
// stream leaves a part of each turn to the others.
std::size_t LiveSource::KeptForLater(std::size_t index, std::size_t max) const {
  constexpr std::size_t kPart = 4;
  const bool later =
      std::any_of(slots_.begin() + static_cast<std::ptrdiff_t>(index) + 1, slots_.end(),
                  [](const Slot& open) { return open.feed != nullptr && !open.paused; });
  return later ? max / kPart : 0;
}

RecordSink::Verdict LiveSource::DrainSlot(StreamKind stream, std::size_t max, RecordSink& sink,
                                          std::size_t* records) {
  using Verdict = RecordSink::Verdict;
  Slot& drained = slot(stream);
  StreamFeed& feed = *drained.feed;
  std::size_t left = max;
  Verdict verdict = DrainBacklog(stream, &left, sink);
  if (left > 0 && verdict == Verdict::kContinue) {
    const RingReader::Turn turn =
        feed.ring().Drain(left, feed.Screened(sink), [&] { workloads_->Update(sink); });
    left -= turn.records;
    verdict = turn.verdict;
    drained.emptied = turn.emptied;
    if (turn.emptied && verdict == Verdict::kContinue) {
      if (!drained.caught_up) {
        drained.caught_up = true;
        verdict = sink.OnCaughtUp(stream);
      }
      feed.OnRingEmptied(drained.marked);
    }
  }
  if (verdict == Verdict::kContinue) {
    verdict = DrainBacklog(stream, &left, sink);
  }
  drained.paused = drained.paused || verdict == Verdict::kPause;
  *records += max - left;
  return verdict;
}

RecordSink::Verdict LiveSource::DrainBacklog(StreamKind stream, std::size_t* left,
                                             RecordSink& sink) {
  using Verdict = RecordSink::Verdict;
  RecordBatch& backlog = slot(stream).feed->backlog();
  Verdict verdict = Verdict::kContinue;
  while (!backlog.empty() && *left > 0 && verdict == Verdict::kContinue) {
    const RecordBytes record = backlog.front();
    backlog.Pop();
    --*left;
    verdict = sink.OnRecord(stream, record);
  }
  return verdict;
}

// Not what came since a ring was seen empty: under load that is never nothing, and to go after
// it at once would be to spin.
bool LiveSource::AnythingLeft() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& open) {
    return open.feed != nullptr && !open.paused &&
           (!open.feed->backlog().empty() || open.feed->WantsTurn() ||
            (!open.emptied && !open.feed->ring().Empty()));
  });
}

bool LiveSource::AnythingCame() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& open) {
    return open.feed != nullptr && !open.paused && !open.feed->ring().Empty();
  });
}

void LiveSource::ReportLoss(RecordSink& sink, bool all) {
  const KernelTime now = Now();
  const bool read_missed = all || now - missed_read_ > kMissedPeriod;
  for (Slot& open : slots_) {
    if (open.feed != nullptr) {
      open.feed->ring().ReportLoss(read_missed ? open.feed->MissedRuns() : 0, now, sink);
    }
  }
  if (read_missed) {
    missed_read_ = now;
  }
}

void LiveSource::AwaitMore(bool more, std::size_t records) {
  for (Slot& open : slots_) {
    if (open.feed == nullptr) {
      continue;
    }
    // A paused ring must neither wake us nor keep poll_fd readable.
    Watch(open, !open.paused);
    if (open.paused) {
      open.feed->ring().WakeNever();
    } else if (more || records > 0) {
      open.feed->ring().WakeAtHighWater();
    } else {
      open.feed->ring().WakeAtNextRecord();
    }
  }
  if (!more && records == 0 && AnythingCame()) {
    return AwaitMore(/*more=*/true, records);  // a record came as we went to sleep
  }
  SetTimer(more ? kNow : records > 0 ? nanoseconds(options_.latency) : nanoseconds(0));
}

void LiveSource::Watch(Slot& watched, bool on) {
  if (watched.watched == on) {
    return;
  }
  epoll_event event{.events = EPOLLIN, .data = {}};
  const int change = on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;
  epoll_ctl(epoll_.get(), change, watched.feed->ring().epoll_fd(), &event);
  if (watched.feed->timer_fd() >= 0) {
    epoll_ctl(epoll_.get(), change, watched.feed->timer_fd(), &event);
  }
  watched.watched = on;
}

// 0 disarms. The timer is not read: to set it anew makes it unreadable. While there is work it
// stays due, for a system call and an interrupt a turn would cost more than the turn.
void LiveSource::SetTimer(nanoseconds delay) {
  std::lock_guard lock(timer_mutex_);
  if (delay == timer_delay_ && (delay == kNow || delay == nanoseconds(0))) {
    return;
  }
  timer_delay_ = delay;
  const itimerspec once{.it_interval = {},
                        .it_value = {.tv_sec = delay / std::chrono::seconds(1),
                                     .tv_nsec = (delay % std::chrono::seconds(1)).count()}};
  timerfd_settime(timer_.get(), 0, &once, nullptr);
}

SourceCounters LiveSource::Counters(StreamKind stream) const {
  const Slot& counted = slot(stream);
  if (counted.feed == nullptr) {
    return {};
  }
  const RingReader& ring = counted.feed->ring();
  SourceCounters counters;
  const std::uint64_t missed = counted.feed->MissedRuns();
  counters.lost = {ring.lost(MF_LOST_RING_FULL), ring.lost(MF_LOST_TABLE_FULL),
                   ring.lost(MF_LOST_HOOK_MISSED) + missed, ring.lost(MF_LOST_UNREAD)};
  counters.produced = ring.produced() + missed + counted.feed->produced_beside();
  return counters;
}

// Wall time may be set, and passes during a suspend, while monotonic time does not.
void LiveSource::ReadClocks() {
  const ClockMapping now{.monotonic_ns = Read(CLOCK_MONOTONIC),
                         .realtime_ns = Read(CLOCK_REALTIME)};
  std::lock_guard lock(clock_mutex_);
  if (now.monotonic_ns - clock_.monotonic_ns >= nanoseconds(kClockPeriod).count() ||
      clock_.monotonic_ns == 0) {
    clock_ = now;
  }
}

ClockMapping LiveSource::Clock() const {
  std::lock_guard lock(clock_mutex_);
  return clock_;
}

std::uint64_t LiveSource::NameFailures() const {
  return workloads_->NameFailures();
}

std::vector<ProgramCost> LiveSource::Costs() const {
  std::vector<ProgramCost> costs;
  for (const Slot& open : slots_) {
    if (open.feed != nullptr) {
      open.feed->AddCosts(&costs);
    }
  }
  return costs;
}

MemoryStats LiveSource::Memory() const {
  std::vector<MapMemory> maps = workloads_->Maps();
  MemoryStats memory;
  for (const Slot& open : slots_) {
    if (open.feed != nullptr) {
      maps.insert(maps.end(), open.feed->maps().begin(), open.feed->maps().end());
      memory.host_most += open.feed->MostBytes();
    }
  }
  std::set<std::uint32_t> counted;
  for (const MapMemory& map : maps) {
    if (counted.insert(map.id).second) {
      (map.is_ring ? memory.rings : memory.tables) += map.bytes;
    }
  }
  return memory;
}

SupportReport LiveSource::Support() const {
  SupportReport report{.source = "live kernel",
                       .kernel = environment_.kernel(),
                       .architecture = environment_.architecture(),
                       .cgroup_hierarchy = environment_.cgroups().name,
                       .cgroup_mount = environment_.cgroups().mount,
                       .hooks = {},
                       .names = workloads_->Report()};
  for (const Slot& open : slots_) {
    if (open.feed != nullptr) {
      const std::vector<HookSupport> hooks = open.feed->Report();
      report.hooks.insert(report.hooks.end(), hooks.begin(), hooks.end());
    }
  }
  return report;
}

}  // namespace

absl::StatusOr<std::shared_ptr<RecordSource>> MakeLiveSource(LiveSourceOptions options) {
  absl::StatusOr<Environment> environment = Environment::Probe();
  if (!environment.ok()) {
    return environment.status();
  }
  absl::StatusOr<std::unique_ptr<WorkloadFeed>> workloads =
      WorkloadFeed::Create(std::move(options.workloads));
  if (!workloads.ok()) {
    return workloads.status();
  }
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (!epoll.valid() || !timer.valid() ||
      epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0 ||
      ((*workloads)->fd() >= 0 &&
       epoll_ctl(epoll.get(), EPOLL_CTL_ADD, (*workloads)->fd(), &event) != 0)) {
    return ErrnoStatus(errno, "cannot create the descriptors of the session");
  }
  return std::make_shared<LiveSource>(std::move(options), *std::move(environment),
                                      *std::move(workloads), std::move(epoll), std::move(timer));
}

}  // namespace masflow::internal
