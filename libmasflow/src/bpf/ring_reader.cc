// SPDX-License-Identifier: Apache-2.0
#include "bpf/ring_reader.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include <bpf/libbpf.h>

#include "bpf/environment.h"

namespace masflow::internal {

namespace {

// What a record takes in the ring (kernel/bpf/ringbuf.c): with a header, and in steps of 8.
constexpr unsigned long SlotBytes(std::size_t size) {
  constexpr std::size_t kHeader = 8;
  return (size + kHeader + 7) / 8 * 8;
}

}  // namespace

// kernel/bpf/ringbuf.c: page 0 holds the consumer's position, page 1 the producers'.
struct RingReader::Positions {
  explicit Positions(int map_fd)
      : page(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))),
        memory(mmap(nullptr, 2 * page, PROT_READ, MAP_SHARED, map_fd, 0)) {}
  ~Positions() {
    if (valid()) {
      munmap(memory, 2 * page);
    }
  }
  Positions(const Positions&) = delete;
  Positions& operator=(const Positions&) = delete;

  bool valid() const { return memory != MAP_FAILED; }
  unsigned long At(std::size_t index) const {
    auto* position =
        reinterpret_cast<unsigned long*>(static_cast<std::byte*>(memory) + index * page);
    return __atomic_load_n(position, __ATOMIC_ACQUIRE);
  }

  const std::size_t page;
  void* const memory;
};

RingReader::RingReader(StreamKind stream, std::size_t bytes, mf_ring_state* state)
    : stream_(stream), bytes_(bytes), state_(state) {}

absl::StatusOr<std::unique_ptr<RingReader>> RingReader::Create(StreamKind stream, int map_fd,
                                                               std::size_t bytes,
                                                               mf_ring_state* state) {
  std::unique_ptr<RingReader> reader(new RingReader(stream, bytes, state));
  reader->ring_ = ring_buffer__new(map_fd, &RingReader::OnSample, reader.get(), nullptr);
  if (reader->ring_ == nullptr) {
    return ErrnoStatus(errno, "cannot map the ring buffer");
  }
  reader->positions_ = std::make_unique<Positions>(map_fd);
  if (!reader->positions_->valid()) {
    return ErrnoStatus(errno, "cannot map the positions of the ring buffer");
  }
  reader->reported_at_ =
      std::chrono::time_point_cast<KernelTime::duration>(KernelTime::clock::now());
  return reader;
}

RingReader::~RingReader() {
  ring_buffer__free(ring_);
}

int RingReader::epoll_fd() const {
  return ring_buffer__epoll_fd(ring_);
}

void RingReader::MarkEnd() {
  end_ = positions_->At(1);
}

RingReader::Turn RingReader::Drain(std::size_t max, RecordSink& sink,
                                   const std::function<void()>& late) {
  sink_ = &sink;
  late_ = &late;
  left_ = max;
  turn_ = {};
  if (positions_->At(0) < end_) {
    // libbpf 1.1 takes no count; a negative return from OnSample ends the batch, after the
    // sample has been taken off the ring.
    turn_.emptied = ring_buffer__consume(ring_) >= 0;
  }
  turn_.emptied = turn_.emptied || positions_->At(0) >= end_;
  return turn_;
}

int RingReader::OnSample(void* self, void* data, std::size_t size) {
  auto* reader = static_cast<RingReader*>(self);
  Turn& turn = reader->turn_;
  // While a sample is handled libbpf shows the position before it.
  const unsigned long begin = reader->positions_->At(0);
  if (begin >= reader->end_) {
    (*reader->late_)();  // what lay before the mark was empty: libbpf passes over that by itself
  }
  ++turn.records;
  turn.verdict = reader->sink_->OnRecord(reader->stream_,
                                         RecordBytes(static_cast<const std::byte*>(data), size));
  const bool go_on = turn.verdict == RecordSink::Verdict::kContinue && --reader->left_ > 0 &&
                     begin + SlotBytes(size) < reader->end_;
  return go_on ? 0 : -ECANCELED;
}

bool RingReader::Empty() const {
  return positions_->At(0) == positions_->At(1);
}

void RingReader::WakeAtHighWater() {
  __atomic_store_n(&state_->wake_at, bytes_ / 4, __ATOMIC_RELAXED);
}

void RingReader::WakeAtNextRecord() {
  __atomic_store_n(&state_->wake_at, 0, __ATOMIC_RELAXED);
  // Pairs with the commit in send_record(): either it sees the 0 or our next look at
  // the ring sees its record.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void RingReader::WakeNever() {
  __atomic_store_n(&state_->wake_at, MF_WAKE_SENT, __ATOMIC_RELAXED);
}

std::uint64_t RingReader::produced() const {
  std::uint64_t sum = 0;
  for (const mf_ring_counts& cpu : state_->counts) {
    sum += __atomic_load_n(&cpu.produced, __ATOMIC_RELAXED);
  }
  return sum;
}

std::uint64_t RingReader::lost(int wire_reason) const {
  std::uint64_t sum = 0;
  for (const mf_ring_counts& cpu : state_->counts) {
    sum += __atomic_load_n(&cpu.lost[wire_reason], __ATOMIC_RELAXED);
  }
  return sum;
}

std::uint64_t RingReader::taken_over(int hook) const {
  return __atomic_load_n(&state_->taken_over[hook], __ATOMIC_ACQUIRE);
}

void RingReader::ReportLoss(std::uint64_t missed, KernelTime now, RecordSink& sink) {
  const std::array<std::uint64_t, kLossReasons> counts{
      lost(MF_LOST_RING_FULL), lost(MF_LOST_TABLE_FULL), lost(MF_LOST_HOOK_MISSED) + missed,
      lost(MF_LOST_UNREAD)};
  for (std::size_t reason = 0; reason < counts.size(); ++reason) {
    if (counts[reason] > reported_[reason]) {
      sink.OnLoss({.stream = stream_,
                   .reason = static_cast<LossReason>(reason),
                   .count = counts[reason] - reported_[reason],
                   .since = reported_at_,
                   .until = now});
      reported_[reason] = counts[reason];
    }
  }
  reported_at_ = now;
}

}  // namespace masflow::internal
