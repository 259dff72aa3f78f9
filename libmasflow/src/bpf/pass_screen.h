// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_PASS_SCREEN_H_
#define MASFLOW_BPF_PASS_SCREEN_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/record_source.h"
#include "masflow/tcp_events.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

// Stands between the ring and the sink while a connection's last record of data
// (MF_DATA_LAST) can tell of bytes that the pass before it has told of too.
//
// The pass runs beside the hooks, and programs of the kernel side cannot lock. So the
// close of a connection may look at what was reported just before the pass adds to it. Both
// records hold the totals; here the second one is cut down to the difference.
class PassScreen final : public RecordSink {
 public:
  // What the pass yielded, which is copied, and when it was over.
  void NotePass(RecordBytes records, KernelTime end);

  // `sink`, or this in front of it. Until the next call.
  RecordSink& Before(RecordSink& sink);
  // Records taken out: all of their bytes had been told of. Since the last call.
  std::size_t TakeDropped();

  Verdict OnRecord(StreamKind stream, RecordBytes record) override;
  void OnLoss(const Loss& loss) override { sink_->OnLoss(loss); }
  Verdict OnCaughtUp(StreamKind stream) override { return sink_->OnCaughtUp(stream); }
  void OnWorkload(RecordBytes news) override { sink_->OnWorkload(news); }

 private:
  struct Totals {
    std::uint64_t tx = 0;
    std::uint64_t rx = 0;
  };

  Verdict Cut(StreamKind stream, mf_tcp_data record, const Totals& told);

  std::vector<std::byte> pass_;  // its records, until they are indexed or nobody asks any more
  std::unordered_map<ConnectionId, Totals> told_;
  bool active_ = false;
  KernelTime until_{};
  RecordSink* sink_ = nullptr;
  std::size_t dropped_ = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_PASS_SCREEN_H_
