// SPDX-License-Identifier: Apache-2.0
//
// The seam: where records come from. Three sources stand behind it (the live kernel,
// src/bpf; a recorded file, src/replay; the fake for tests, src/testing) and one sink
// in front of it (SessionCore). Records are the bytes of masflow_bpf/wire.h.
#ifndef MASFLOW_CORE_RECORD_SOURCE_H_
#define MASFLOW_CORE_RECORD_SOURCE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include <absl/status/status.h>

#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/stats.h"
#include "masflow/support.h"
#include "masflow/tcp_stream.h"

namespace masflow::internal {

using RecordBytes = std::span<const std::byte>;

// What a stream asks of its source; one alternative per StreamKind, in that order.
using StreamConfig = std::variant<ProcessOptions, TcpOptions, HttpOptions>;
inline StreamKind KindOf(const StreamConfig& config) {
  return static_cast<StreamKind>(config.index());
}

// Two readings of the clocks at one moment.
struct ClockMapping {
  std::int64_t monotonic_ns = 0;
  std::int64_t realtime_ns = 0;
};

struct SourceCounters {
  std::uint64_t produced = 0;
  std::array<std::uint64_t, kLossReasons> lost{};
};

class RecordSink {
 public:
  enum class Verdict {
    kContinue,  // next record, please
    kPause,     // this one was taken; no more of this stream until SetPaused(stream, false)
    kStop,      // this one was taken; return from Drain
  };

  virtual ~RecordSink() = default;
  virtual Verdict OnRecord(StreamKind stream, RecordBytes record) = 0;
  virtual void OnLoss(const Loss& loss) = 0;
  // The stream has been handed all that was produced before this Drain began. Comes at
  // least once after Open, unless records never cease. Anything but kContinue: the stream
  // still holds records back. Then it is asked again in the next Drain, for which the sink
  // cares; a source that ends asks until it gets kContinue, and ends only then.
  virtual Verdict OnCaughtUp(StreamKind stream) = 0;
  // Of cgroups and names (wire/workload_record.h), before the first record that rests on it. Not
  // of a stream: no record, and not counted.
  virtual void OnWorkload(RecordBytes news) = 0;
};

// Unless said otherwise all methods are called by one thread at a time. Open and
// SetPaused may be called from within Drain (by a callback), Close never. None throws,
// and the sink throws nothing into it.
class RecordSource {
 public:
  virtual ~RecordSource() = default;

  virtual absl::Status Open(const StreamConfig& config) = 0;
  virtual void Close(StreamKind stream) = 0;

  // A paused stream's records stay where they are and do not make poll_fd readable.
  virtual void SetPaused(StreamKind stream, bool paused) = 0;

  virtual int poll_fd() const = 0;
  // Makes poll_fd readable until the next Drain. Any thread.
  virtual void Wake() = 0;

  // Hands at most `max` records to the sink. Never blocks. If `more` is returned,
  // poll_fd stays readable.
  virtual DrainResult Drain(std::size_t max, RecordSink& sink) = 0;

  // The kernel side may leave out the events of this cgroup, or not any more. May be called from
  // within Drain. A hint: not every source can.
  virtual void SetMuted(std::uint64_t cgroup_id, bool muted) {
    static_cast<void>(cgroup_id);
    static_cast<void>(muted);
  }

  // Of sources of names, so far. Any thread.
  virtual std::uint64_t NameFailures() const = 0;
  // Of the programs in the kernel, if there are any. Any thread, but not while Open or Close runs.
  virtual std::vector<ProgramCost> Costs() const = 0;
  // Of the kernel side and of the source itself; nothing where there is none. Any thread, but not
  // while Open or Close runs.
  virtual MemoryStats Memory() const = 0;
  // Any thread, but not while Open or Close runs. Zeros for a closed stream.
  virtual SourceCounters Counters(StreamKind stream) const = 0;
  // Any thread.
  virtual ClockMapping Clock() const = 0;
  // Not while Open or Close runs.
  virtual SupportReport Support() const = 0;
  // Why the source ended before its time; OK otherwise. Any thread.
  virtual absl::Status EndStatus() const = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_RECORD_SOURCE_H_
