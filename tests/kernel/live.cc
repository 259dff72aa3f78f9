// SPDX-License-Identifier: Apache-2.0
#include "live.h"

#include <poll.h>

#include <algorithm>

#include "bpf/live_source.h"

namespace masflow::kernel_test {
namespace {

constexpr std::size_t kRecordsPerTurn = 256;

std::chrono::milliseconds Left(std::chrono::steady_clock::time_point end) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

}  // namespace

absl::StatusOr<Session> CreateSession(const LiveOptions& options) {
  SessionOptions session{.latency = options.latency, .record_to = options.record_to};
  internal::ForcedMechanisms forced = options.forced;
  forced.merge(ForcedFromOutside());  // the test's own wins
  if (!forced.empty()) {
    auto source = internal::MakeLiveSource({.latency = options.latency, .forced = forced});
    if (!source.ok()) {
      return source.status();
    }
    session.source = CustomSource{*std::move(source)};
  }
  return Session::Create(std::move(session));
}

std::unique_ptr<Live> Live::Open(const LiveOptions& options) {
  absl::StatusOr<Session> session = CreateSession(options);
  if (!session.ok()) {
    ADD_FAILURE() << session.status();
    return nullptr;
  }
  absl::StatusOr<ProcessStream> stream = ProcessStream::Open(*session, options.process);
  if (!stream.ok()) {
    ADD_FAILURE() << stream.status();
    return nullptr;
  }
  ExpectForced(*session, options.forced);
  return std::unique_ptr<Live>(new Live(*std::move(session), *std::move(stream)));
}

Driven::Driven(Session session) : session_(std::move(session)) {
  session_.OnLoss([this](const Loss& loss) { losses_.push_back(loss); });
}

Live::Live(Session session, ProcessStream stream)
    : Driven(std::move(session)), stream_(std::move(stream)) {
  const auto keep = [this](const auto& view) { events_.emplace_back(Own(view)); };
  stream_->OnExec(keep);
  stream_->OnExit(keep);
  stream_->OnFork(keep);
  stream_->OnExecFailure(keep);
}

bool Driven::Readable(std::chrono::milliseconds timeout) const {
  pollfd waited{.fd = session_.poll_fd(), .events = POLLIN, .revents = 0};
  return poll(&waited, 1, static_cast<int>(timeout.count())) == 1;
}

bool Driven::Turn(std::chrono::steady_clock::time_point end) {
  if (!Readable(Left(end))) {
    return false;
  }
  session_.Drain(kRecordsPerTurn);
  return true;
}

void Driven::FallAsleep() {
  // A turn that finds nothing sets no timer.
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  for (DrainResult result{.more = true}; result.records > 0 || result.more;) {
    result = session_.Drain(kRecordsPerTurn);
    if (std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << "events never cease";
      return;
    }
  }
}

bool Driven::Settle(StreamKind stream) {
  // Read while events still come, the counts may be those of different moments.
  return Until([&] { return AddsUp(session_.stats()[stream]); });
}

bool AddsUp(const StreamStats& stats) {
  return stats.produced == stats.delivered + stats.unheard + stats.merged + stats.malformed +
                               stats.filtered + stats.lost_total();
}

std::string Describe(const StreamStats& stats) {
  return "produced " + std::to_string(stats.produced) + ", delivered " +
         std::to_string(stats.delivered) + ", unheard " + std::to_string(stats.unheard) +
         ", merged " + std::to_string(stats.merged) + ", malformed " +
         std::to_string(stats.malformed) + ", filtered " + std::to_string(stats.filtered) +
         ", lost " + std::to_string(stats.lost_total());
}

HookSupport FindHook(const Session& session, std::string_view hook) {
  for (const HookSupport& entry : session.support().hooks) {
    if (entry.hook == hook) {
      return entry;
    }
  }
  ADD_FAILURE() << "no hook \"" << hook << "\" in the support report";
  return {};
}

}  // namespace masflow::kernel_test
