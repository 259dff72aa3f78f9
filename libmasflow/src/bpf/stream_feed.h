// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_STREAM_FEED_H_
#define MASFLOW_BPF_STREAM_FEED_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bpf/hook_plan.h"
#include "bpf/map_memory.h"
#include "bpf/record_batch.h"
#include "bpf/ring_reader.h"

namespace masflow::internal {

// One stream's object at work: loaded, attached, and its ring mapped. LiveSource drains it.
class StreamFeed {
 public:
  virtual ~StreamFeed();
  StreamFeed(const StreamFeed&) = delete;
  StreamFeed& operator=(const StreamFeed&) = delete;

  RingReader& ring() { return *ring_; }
  const RingReader& ring() const { return *ring_; }
  // What iterators found, to be handed out before anything of the ring.
  RecordBatch& backlog() { return backlog_; }

  // Records that were produced beside the ring, less those of it that were taken out (so it
  // wraps around: to be added to what the ring produced). Any thread.
  std::uint64_t produced_beside() const { return produced_beside_.load(); }
  // Runs of the hooks that the kernel skipped because the same program was already running
  // on that CPU (counted from 5.12), and that no other program made up for. Some of them might
  // not have passed the filter.
  std::uint64_t MissedRuns() const;
  std::vector<HookSupport> Report() const { return plan_->Report(); }
  // Of what is attached.
  void AddCosts(std::vector<ProgramCost>* costs) const;
  const std::vector<MapMemory>& maps() const { return maps_; }
  // What the feed itself holds at most in this process, in bytes.
  virtual std::uint64_t MostBytes() const { return 0; }

  // A timer of the feed's own, which makes the session's descriptor readable; -1: none.
  virtual int timer_fd() const { return -1; }
  // At the beginning of each turn, and while the stream is paused too.
  virtual void BeginTurn() {}
  // Something has come up since BeginTurn() that the session may not fall asleep over.
  virtual bool WantsTurn() const { return false; }
  // All that was produced up to `time` has been taken off the ring, and the backlog is empty:
  // it may be filled.
  virtual void OnRingEmptied(KernelTime time) { static_cast<void>(time); }
  // Where records of the ring go: `sink`, or something in front of it.
  virtual RecordSink& Screened(RecordSink& sink) { return sink; }

 protected:
  StreamFeed() = default;

  // Loads and attaches. `uncounted`: programs of which a skipped run says nothing.
  absl::Status Begin(std::unique_ptr<HookPlan> plan, const HookPlan::OpenObject& open,
                     const HookPlan::FillMaps& fill, const std::vector<std::string>& uncounted);
  absl::Status MapRing(StreamKind stream, int map_fd, std::size_t bytes, mf_ring_state* state);
  // Links and mappings have to go before the object, which is the derived class's.
  void End();

  void SetBacklog(RecordBatch batch);
  // Records of the ring that told nothing new and were taken out.
  void NoteDropped(std::uint64_t records) { produced_beside_ -= records; }

 private:
  // Whose skipped runs count, by descriptor.
  struct Counted {
    int program = -1;
    int twin = -1;  // -1: has none
    int hook = 0;
  };

  struct Attached {
    std::string name;
    int program = -1;
  };

  void NoteAttached(bpf_object* object, const HookCandidate& chosen);
  void CountMissed(bpf_object* object, const HookCandidate& chosen,
                   const std::vector<std::string>& uncounted);

  std::unique_ptr<HookPlan> plan_;
  std::unique_ptr<RingReader> ring_;
  std::vector<MapMemory> maps_;
  RecordBatch backlog_;
  std::atomic<std::uint64_t> produced_beside_{0};
  std::vector<Counted> counted_;
  std::vector<Attached> attached_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_STREAM_FEED_H_
