// SPDX-License-Identifier: Apache-2.0
#include "masflow/testing/fake_source.h"

#include <sys/eventfd.h>

#include <array>
#include <deque>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "core/record_source.h"
#include "core/unique_fd.h"
#include "wire/http_encode.h"
#include "wire/process_encode.h"
#include "wire/tcp_encode.h"
#include "wire/workload_record.h"

namespace masflow::testing {

using internal::ClockMapping;
using internal::RecordSink;
using internal::SourceCounters;

// The sink is always called without the lock, so that callbacks may push.
class FakeSource::Source final : public internal::RecordSource {
 public:
  Source() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  void Push(StreamKind stream, std::vector<std::byte> record);
  void PushWorkload(std::vector<std::byte> news);
  void PushLoss(const Loss& loss);
  void End();

  absl::Status Open(const internal::StreamConfig& config) override;
  void Close(StreamKind stream) override;
  void SetPaused(StreamKind stream, bool paused) override;
  int poll_fd() const override { return wake_.get(); }
  void Wake() override { eventfd_write(wake_.get(), 1); }
  DrainResult Drain(std::size_t max, RecordSink& sink) override;
  SourceCounters Counters(StreamKind stream) const override;
  // Fixed, so that what a test prints is the same each time: the machine booted with the year.
  ClockMapping Clock() const override { return {.realtime_ns = 1'767'225'600'000'000'000}; }
  std::uint64_t NameFailures() const override { return 0; }
  std::vector<ProgramCost> Costs() const override { return {}; }
  MemoryStats Memory() const override { return {}; }
  SupportReport Support() const override;
  absl::Status EndStatus() const override { return absl::OkStatus(); }

 private:
  struct Stream {
    std::deque<std::vector<std::byte>> records;
    std::vector<Loss> losses;  // not reported yet
    SourceCounters counters;
    bool open = false;
    bool paused = false;
    bool caught_up = false;   // told so, and no record since
    bool holds_back = false;  // answered that it was not ready for it

    bool drainable() const { return open && !paused && (!records.empty() || !caught_up); }
    // Without the sink's doing.
    bool has_work() const {
      return (drainable() && !(records.empty() && holds_back)) || (open && !losses.empty());
    }
    bool empty() const { return records.empty() && losses.empty(); }
  };
  using Lock = std::unique_lock<std::mutex>;

  Stream& at(StreamKind stream) { return streams_[static_cast<std::size_t>(stream)]; }
  void WakeIfWork(const Stream& stream);
  // False: stop.
  bool DrainStream(StreamKind kind, std::size_t max, RecordSink& sink, Lock& lock,
                   DrainResult* result);
  void ReportLosses(RecordSink& sink, Lock& lock);
  bool AllDrained() const;

  void HandOutWorkloads(RecordSink& sink, Lock& lock);

  const internal::UniqueFd wake_;
  mutable std::mutex lock_;
  std::array<Stream, kStreamKinds> streams_;
  std::vector<std::vector<std::byte>> workloads_;
  bool ending_ = false;
};

void FakeSource::Source::Push(StreamKind stream, std::vector<std::byte> record) {
  Lock lock(lock_);
  at(stream).records.push_back(std::move(record));
  at(stream).counters.produced += 1;
  WakeIfWork(at(stream));
}

void FakeSource::Source::PushWorkload(std::vector<std::byte> news) {
  Lock lock(lock_);
  workloads_.push_back(std::move(news));
}

void FakeSource::Source::HandOutWorkloads(RecordSink& sink, Lock& lock) {
  const std::vector<std::vector<std::byte>> news = std::exchange(workloads_, {});
  lock.unlock();
  for (const std::vector<std::byte>& told : news) {
    sink.OnWorkload(told);
  }
  lock.lock();
}

void FakeSource::Source::PushLoss(const Loss& loss) {
  Lock lock(lock_);
  Stream& stream = at(loss.stream);
  stream.losses.push_back(loss);
  stream.counters.produced += loss.count;
  stream.counters.lost[static_cast<std::size_t>(loss.reason)] += loss.count;
  WakeIfWork(stream);
}

void FakeSource::Source::End() {
  Lock lock(lock_);
  ending_ = true;
  Wake();
}

absl::Status FakeSource::Source::Open(const internal::StreamConfig& config) {
  if (!wake_.valid()) {
    return absl::ResourceExhaustedError(
        "the fake source has no event counter (eventfd): close file descriptors or raise the limit "
        "(ulimit -n)");
  }
  Lock lock(lock_);
  at(internal::KindOf(config)).open = true;
  Wake();
  return absl::OkStatus();
}

void FakeSource::Source::Close(StreamKind stream) {
  Lock lock(lock_);
  at(stream) = {};
}

void FakeSource::Source::SetPaused(StreamKind stream, bool paused) {
  Lock lock(lock_);
  at(stream).paused = paused;
  WakeIfWork(at(stream));
}

DrainResult FakeSource::Source::Drain(std::size_t max, RecordSink& sink) {
  Lock lock(lock_);
  eventfd_t ignored = 0;
  eventfd_read(wake_.get(), &ignored);
  HandOutWorkloads(sink, lock);
  DrainResult result;
  for (std::size_t i = 0; i < kStreamKinds; ++i) {
    if (!DrainStream(static_cast<StreamKind>(i), max, sink, lock, &result)) {
      break;
    }
  }
  ReportLosses(sink, lock);
  for (const Stream& stream : streams_) {
    result.more = result.more || stream.has_work();
  }
  result.ended = ending_ && !result.more && AllDrained();
  if (result.more) {
    Wake();
  }
  return result;
}

bool FakeSource::Source::DrainStream(StreamKind kind, std::size_t max, RecordSink& sink, Lock& lock,
                                     DrainResult* result) {
  Stream& stream = at(kind);
  while (stream.drainable()) {
    RecordSink::Verdict verdict = RecordSink::Verdict::kContinue;
    if (stream.records.empty()) {
      lock.unlock();
      verdict = sink.OnCaughtUp(kind);
      lock.lock();
      stream.holds_back = verdict != RecordSink::Verdict::kContinue;
      stream.caught_up = !stream.holds_back && stream.records.empty();
    } else if (result->records < max) {
      const std::vector<std::byte> record = std::move(stream.records.front());
      stream.records.pop_front();
      stream.caught_up = false;
      result->records += 1;
      lock.unlock();
      verdict = sink.OnRecord(kind, record);
      lock.lock();
    } else {
      return false;
    }
    stream.paused = stream.paused || verdict == RecordSink::Verdict::kPause;
    if (verdict == RecordSink::Verdict::kStop) {
      return false;
    }
  }
  return true;
}

void FakeSource::Source::ReportLosses(RecordSink& sink, Lock& lock) {
  std::vector<Loss> losses;
  for (Stream& stream : streams_) {
    if (stream.open) {
      losses.insert(losses.end(), stream.losses.begin(), stream.losses.end());
      stream.losses.clear();
    }
  }
  lock.unlock();
  for (const Loss& loss : losses) {
    sink.OnLoss(loss);
  }
  lock.lock();
}

bool FakeSource::Source::AllDrained() const {
  bool any_open = false;
  bool open_drained = true;
  bool all_empty = true;
  for (const Stream& stream : streams_) {
    any_open = any_open || stream.open;
    all_empty = all_empty && stream.empty();
    open_drained = open_drained && (!stream.open || (stream.empty() && stream.caught_up));
  }
  return open_drained && (any_open || all_empty);
}

SourceCounters FakeSource::Source::Counters(StreamKind kind) const {
  Lock lock(lock_);
  const Stream& stream = streams_[static_cast<std::size_t>(kind)];
  return stream.open ? stream.counters : SourceCounters{};
}

SupportReport FakeSource::Source::Support() const {
  SupportReport report;
  report.source = "fake";
  return report;
}

void FakeSource::Source::WakeIfWork(const Stream& stream) {
  if (stream.has_work()) {
    Wake();
  }
}

FakeSource::FakeSource() : source_(std::make_shared<Source>()) {}
FakeSource::~FakeSource() = default;

CustomSource FakeSource::source() const {
  return {.source = source_};
}

void FakeSource::Push(const ProcessExec& event) {
  source_->Push(StreamKind::kProcess, internal::EncodeRecord(event));
}
void FakeSource::Push(const ProcessExit& event) {
  source_->Push(StreamKind::kProcess, internal::EncodeRecord(event));
}
void FakeSource::Push(const ProcessFork& event) {
  source_->Push(StreamKind::kProcess, internal::EncodeRecord(event));
}
void FakeSource::Push(const ProcessExecFailure& event) {
  source_->Push(StreamKind::kProcess, internal::EncodeRecord(event));
}
void FakeSource::Push(const TcpConnect& event) {
  source_->Push(StreamKind::kTcp, internal::EncodeRecord(event));
}
void FakeSource::Push(const TcpAccept& event) {
  source_->Push(StreamKind::kTcp, internal::EncodeRecord(event));
}
void FakeSource::Push(const TcpData& event) {
  source_->Push(StreamKind::kTcp, internal::EncodeRecord(event));
}
void FakeSource::Push(const TcpClose& event) {
  source_->Push(StreamKind::kTcp, internal::EncodeRecord(event));
}
void FakeSource::Push(const TcpOpen& event) {
  source_->Push(StreamKind::kTcp, internal::EncodeRecord(event));
}
void FakeSource::Push(const TcpListen& event) {
  source_->Push(StreamKind::kTcp, internal::EncodeRecord(event));
}
void FakeSource::Push(const HttpExchange& event) {
  for (std::vector<std::byte>& record : internal::EncodeRecords(event)) {
    source_->Push(StreamKind::kHttp, std::move(record));
  }
}

void FakeSource::PushCgroup(std::uint64_t cgroup_id, std::string_view path) {
  source_->PushWorkload(
      internal::EncodeWorkload(internal::CgroupMade{.id = cgroup_id, .path = path}));
}
void FakeSource::PushCgroupGone(std::uint64_t cgroup_id) {
  source_->PushWorkload(internal::EncodeWorkload(internal::CgroupGone{.id = cgroup_id}));
}
void FakeSource::Push(const PodNames& pod) {
  source_->PushWorkload(internal::EncodeWorkload(pod));
}
void FakeSource::Push(const ServiceNames& service) {
  source_->PushWorkload(internal::EncodeWorkload(service));
}

void FakeSource::PushRecord(StreamKind stream, std::span<const std::byte> record) {
  source_->Push(stream, {record.begin(), record.end()});
}

void FakeSource::PushLoss(const Loss& loss) {
  source_->PushLoss(loss);
}

void FakeSource::End() {
  source_->End();
}

}  // namespace masflow::testing
