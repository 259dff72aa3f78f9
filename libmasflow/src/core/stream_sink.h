// SPDX-License-Identifier: Apache-2.0
//
// What SessionCore knows of a stream: where its records go, and what it still owes.
#ifndef MASFLOW_CORE_STREAM_SINK_H_
#define MASFLOW_CORE_STREAM_SINK_H_

#include <cstddef>

#include "core/record_source.h"
#include "masflow/stats.h"

namespace masflow::internal {

// Called by one thread at a time. What the host's callbacks throw passes through.
class StreamSink {
 public:
  using Verdict = RecordSink::Verdict;

  virtual ~StreamSink() = default;

  virtual Verdict OnRecord(RecordBytes record) = 0;
  // See RecordSink.
  virtual Verdict OnCaughtUp() = 0;
  // A stream may hold records back (to join the snapshot); these come before any new
  // one. Delivers the first of them. Only if CanDeliverPending().
  virtual void DeliverPending() = 0;
  virtual bool CanDeliverPending() const = 0;
  // Comes before OnEnd and the last AddCounts: what is still held will not be delivered.
  virtual void SettleCounts() {}
  // Nothing will come any more. `aborted`: by the host, in the middle.
  virtual void OnEnd(bool aborted) = 0;

  // Adds the counts that the stream keeps: all but the records that its source produced
  // and lost. Any thread.
  virtual void AddCounts(StreamStats* stats) const = 0;
  // What the stream holds at most, in bytes. Any thread.
  virtual std::uint64_t MostBytes() const { return 0; }
};

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_STREAM_SINK_H_
