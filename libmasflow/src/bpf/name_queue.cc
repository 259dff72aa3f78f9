// SPDX-License-Identifier: Apache-2.0
#include "bpf/name_queue.h"

#include <utility>

namespace masflow::internal {

void NameQueue::OnPod(PodNames pod) {
  {
    std::lock_guard lock(lock_);
    from_ = pod.from;
  }
  Add(std::move(pod));
}

// A source tells of the end of what it told of before.
void NameQueue::OnPodGone(const std::string& uid) {
  NamesFrom from{};
  {
    std::lock_guard lock(lock_);
    from = from_;
  }
  Add(PodGone{.from = from, .uid = uid});
}

void NameQueue::OnState(const absl::Status& state) {
  std::lock_guard lock(lock_);
  state_ = state;
  failures_ += state.ok() || absl::IsUnknown(state) ? 0 : 1;
}

std::uint64_t NameQueue::failures() const {
  std::lock_guard lock(lock_);
  return failures_;
}

absl::Status NameQueue::state() const {
  std::lock_guard lock(lock_);
  return overflowed_ ? absl::ResourceExhaustedError(
                           "names were dropped: the session was not drained for too long")
                     : state_;
}

void NameQueue::Add(WorkloadNews news) {
  std::vector<std::byte> record = EncodeWorkload(news);
  std::lock_guard lock(lock_);
  if (bytes_ + record.size() > kMaxBytes) {
    overflowed_ = true;
    return;
  }
  bytes_ += record.size();
  records_.push_back(std::move(record));
}

void NameQueue::HandOut(RecordSink& sink) {
  std::vector<std::vector<std::byte>> records;
  {
    std::lock_guard lock(lock_);
    records = std::exchange(records_, {});
    bytes_ = 0;
  }
  for (const std::vector<std::byte>& record : records) {
    sink.OnWorkload(record);
  }
}

}  // namespace masflow::internal
