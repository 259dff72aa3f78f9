// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_NAME_QUEUE_H_
#define MASFLOW_BPF_NAME_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "core/record_source.h"
#include "masflow/workload.h"
#include "wire/workload_record.h"

namespace masflow::internal {

// From the threads of a source of names to the thread that delivers events. Bounded: a host that
// never drains loses names, not memory.
class NameQueue final : public NameSink {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

  // Any thread.
  void OnPod(PodNames pod) override;
  void OnPodGone(const std::string& uid) override;
  void OnService(ServiceNames service) override { Add(std::move(service)); }
  void OnServiceGone(const std::string& service_namespace, const std::string& name) override {
    Add(ServiceGone{.service_namespace = service_namespace, .name = name});
  }
  void OnState(const absl::Status& state) override;
  absl::Status state() const;
  std::uint64_t failures() const;

  void HandOut(RecordSink& sink);

 private:
  void Add(WorkloadNews news);

  mutable std::mutex lock_;
  std::vector<std::vector<std::byte>> records_;
  std::size_t bytes_ = 0;
  bool overflowed_ = false;
  absl::Status state_;
  std::uint64_t failures_ = 0;         // states told that were not good
  NamesFrom from_ = NamesFrom::kHost;  // what the source called itself last
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_NAME_QUEUE_H_
