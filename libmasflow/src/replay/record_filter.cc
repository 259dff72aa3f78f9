// SPDX-License-Identifier: Apache-2.0
#include "replay/record_filter.h"

#include <variant>

#include "replay/http_filter.h"
#include "replay/process_filter.h"
#include "replay/tcp_filter.h"
#include "wire/read_record.h"

namespace masflow::internal {
namespace {

const ProcessFilter& Processes(const ProcessOptions& options) {
  return options.filter;
}
const ProcessFilter& Processes(const TcpOptions& options) {
  return options.filter.process;
}
const ProcessFilter& Processes(const HttpOptions& options) {
  return options.filter.process;
}

absl::StatusOr<std::unique_ptr<RecordFilter>> Make(const ProcessOptions& options) {
  return MakeProcessFilter(options);
}
absl::StatusOr<std::unique_ptr<RecordFilter>> Make(const TcpOptions& options) {
  return MakeTcpFilter(options);
}
absl::StatusOr<std::unique_ptr<RecordFilter>> Make(const HttpOptions& options) {
  return MakeHttpFilter(options);
}

}  // namespace

void RecordFilter::FollowProcess(RecordBytes record) {
  RecordHead head;
  if (CopyFront(record, &head)) {
    processes_.Follow(head);
  }
}

absl::StatusOr<std::unique_ptr<RecordFilter>> MakeRecordFilter(const StreamConfig& config) {
  return std::visit(
      [](const auto& options) -> absl::StatusOr<std::unique_ptr<RecordFilter>> {
        if (!Processes(options).cgroups.empty()) {
          return absl::UnimplementedError(
              "a filter on cgroups cannot be applied to a recording, which holds cgroup ids but "
              "not the tree of cgroups: apply it when recording");
        }
        return Make(options);
      },
      config);
}

}  // namespace masflow::internal
