// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_RING_READER_H_
#define MASFLOW_BPF_RING_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include <absl/status/statusor.h>

#include "core/record_source.h"
#include "masflow_bpf/wire.h"

struct ring_buffer;

namespace masflow::internal {

// The reading end of one BPF ring buffer, and of the small state it shares with the
// kernel programs (bpf/ring.bpf.h says how the two ends agree on wake-ups).
class RingReader {
 public:
  // `state` is the mapped data section of the loaded object; both must outlive this.
  static absl::StatusOr<std::unique_ptr<RingReader>> Create(StreamKind stream, int map_fd,
                                                            std::size_t bytes,
                                                            mf_ring_state* state);
  ~RingReader();

  // Readable after a wake-up from the kernel, until the ring is empty.
  int epoll_fd() const;

  // Up to here Drain() takes. What is looked up elsewhere after this call holds for all records
  // before the mark.
  void MarkEnd();

  struct Turn {
    std::size_t records = 0;
    RecordSink::Verdict verdict = RecordSink::Verdict::kContinue;  // of the last record
    bool emptied = false;                                          // came to the mark
  };
  // `late` is called before each record behind the mark: one can slip through.
  Turn Drain(std::size_t max, RecordSink& sink, const std::function<void()>& late);

  // Nothing is in the ring, not even a record that is still being written.
  bool Empty() const;

  // From which fill level on the kernel shall wake us.
  void WakeAtHighWater();
  void WakeAtNextRecord();
  void WakeNever();

  // Reports what was lost since the last call. `missed`: runs of programs that the kernel
  // skipped so far.
  void ReportLoss(std::uint64_t missed, KernelTime now, RecordSink& sink);

  std::uint64_t produced() const;
  std::uint64_t lost(int wire_reason) const;
  // Of a hook with two programs, MF_TWIN_*.
  std::uint64_t taken_over(int hook) const;

 private:
  struct Positions;  // the ring's own control pages, mapped read-only

  RingReader(StreamKind stream, std::size_t bytes, mf_ring_state* state);
  static int OnSample(void* self, void* data, std::size_t size);

  const StreamKind stream_;
  const std::size_t bytes_;
  mf_ring_state* const state_;
  ring_buffer* ring_ = nullptr;
  std::unique_ptr<Positions> positions_;

  unsigned long end_ = 0;  // position of the mark

  // Of the Drain in progress.
  RecordSink* sink_ = nullptr;
  const std::function<void()>* late_ = nullptr;
  std::size_t left_ = 0;
  Turn turn_;

  std::array<std::uint64_t, kLossReasons> reported_{};
  KernelTime reported_at_{};
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_RING_READER_H_
