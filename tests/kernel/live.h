// SPDX-License-Identifier: Apache-2.0
//
// A live session under test, driven until what is waited for has come.
#ifndef MASFLOW_KERNEL_LIVE_H_
#define MASFLOW_KERNEL_LIVE_H_

#include <unistd.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bpf/hook_plan.h"
#include "outside.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {

// Only a guard against waiting for ever: the machine may be busy with other things.
inline const std::chrono::seconds kDeadline{Slowness() > 1 ? 90 : 30};

class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0u) << "the kernel tests load hooks into the running kernel: run as root";
  }
};

struct LiveOptions {
  ProcessOptions process{};
  std::chrono::microseconds latency = SessionOptions().latency;
  std::string record_to{};
  internal::ForcedMechanisms forced{};
};

absl::StatusOr<Session> CreateSession(const LiveOptions& options);

// What all live sessions have in common, whatever streams they open.
class Driven {
 public:
  Session& session() { return session_; }
  const std::vector<Loss>& losses() const { return losses_; }

  // Poll and Drain until `done`; false if the deadline came first.
  template <std::predicate Done>
  bool Until(Done done, std::chrono::milliseconds deadline = kDeadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!done()) {
      if (!Turn(end)) {
        return done();
      }
    }
    return true;
  }

  // Drains until the session sleeps: nothing to do, and no timer.
  void FallAsleep();

  // Whether poll_fd() gets readable in this time.
  bool Readable(std::chrono::milliseconds timeout) const;

 protected:
  explicit Driven(Session session);
  Driven(const Driven&) = delete;
  ~Driven() = default;

  // Drives until all that was produced has been delivered or counted as lost; whether the
  // counts agree.
  bool Settle(StreamKind stream);

  Session session_;

 private:
  bool Turn(std::chrono::steady_clock::time_point end);

  std::vector<Loss> losses_;
};

class Live : public Driven {
 public:
  // Null after a failure, which is reported.
  static std::unique_ptr<Live> Open(const LiveOptions& options = {});
  // With this filter.
  static std::unique_ptr<Live> Open(ProcessFilter filter) {
    return Open({.process = {.filter = std::move(filter)}});
  }

  ProcessStream& stream() { return *stream_; }
  StreamStats stats() const { return session_.stats()[StreamKind::kProcess]; }
  bool Settle() { return Driven::Settle(StreamKind::kProcess); }

  // All that came so far. The events stay where they are.
  const std::deque<ProcessEvent>& events() const { return events_; }

  // The events of this kind and process, in order.
  template <class Event>
  std::vector<const Event*> Of(std::uint32_t pid) const {
    std::vector<const Event*> found;
    for (const ProcessEvent& event : events_) {
      const Event* const one = std::get_if<Event>(&event);
      if (one != nullptr && one->process.id.pid == pid) {
        found.push_back(one);
      }
    }
    return found;
  }

  // Drives until this many are there; the last of them. Null, with a failure, if they do
  // not come.
  template <class Event>
  const Event* Await(std::uint32_t pid, std::size_t count = 1) {
    if (!Until([&] { return Of<Event>(pid).size() >= count; })) {
      ADD_FAILURE() << "no event of this kind (the " << count << ". of process " << pid << "); "
                    << events_.size() << " others came";
      return nullptr;
    }
    return Of<Event>(pid)[count - 1];
  }

 private:
  Live(Session session, ProcessStream stream);

  std::optional<ProcessStream> stream_;
  std::deque<ProcessEvent> events_;
};

// produced == delivered + unheard + merged + malformed + filtered + lost_total().
bool AddsUp(const StreamStats& stats);
std::string Describe(const StreamStats& stats);
inline std::uint64_t LostOf(const StreamStats& stats, LossReason reason) {
  return stats.lost[static_cast<std::size_t>(reason)];
}

// The entry of the support report; an empty one, with a failure, if there is none.
HookSupport FindHook(const Session& session, std::string_view hook);

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_LIVE_H_
