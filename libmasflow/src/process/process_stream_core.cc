// SPDX-License-Identifier: Apache-2.0
#include "process/process_stream_core.h"

#include <optional>
#include <utility>
#include <vector>

namespace masflow::internal {

ProcessStreamCore::ProcessStreamCore(std::shared_ptr<SessionCore> session, bool snapshot)
    : StreamCore(std::move(session)) {
  if (!snapshot) {
    join_.CaughtUp();  // nothing to join
  }
}

RecordSink::Verdict ProcessStreamCore::OnRecord(RecordBytes record) {
  if (join_.idle() && CanDeliver()) {
    return StreamCore::OnRecord(record);
  }
  const std::optional<ProcessRecordHead> head = PeekProcessRecord(record);
  if (!head.has_value()) {
    NoteMalformed();
    return Verdict::kContinue;
  }
  NoteMerged(join_.Add(*head, record));
  if (!join_.ready()) {
    return Verdict::kContinue;
  }
  return CanDeliver() ? Verdict::kStop : Verdict::kPause;  // first what is held
}

RecordSink::Verdict ProcessStreamCore::OnCaughtUp() {
  NoteMerged(join_.CaughtUp());
  return join_.ready() ? Verdict::kStop : Verdict::kContinue;
}

void ProcessStreamCore::DeliverPending() {
  const std::vector<std::byte> record = join_.Pop();
  Deliver(record);
}

}  // namespace masflow::internal
