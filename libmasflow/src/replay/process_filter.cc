// SPDX-License-Identifier: Apache-2.0
#include "replay/process_filter.h"

#include "wire/read_record.h"

namespace masflow::internal {
namespace {

class ProcessRecordFilter final : public RecordFilter {
 public:
  explicit ProcessRecordFilter(const ProcessOptions& options)
      : RecordFilter(options.filter),
        forks_(options.forks),
        failed_execs_(options.failed_execs),
        snapshot_(options.snapshot) {}

  bool Passes(RecordBytes record) override;

 private:
  bool Wanted(const mf_header& header) const;

  const bool forks_;
  const bool failed_execs_;
  const bool snapshot_;
};

bool ProcessRecordFilter::Passes(RecordBytes record) {
  RecordHead head;
  if (!CopyFront(record, &head) || head.header.kind < MF_KIND_EXEC ||
      head.header.kind > MF_KIND_EXEC_FAILED) {
    return true;
  }
  processes().Follow(head);
  return Wanted(head.header) &&
         (processes().Passes(head) ||
          // A fork is of both processes.
          (head.header.kind == MF_KIND_FORK && processes().PassesByParent(head)));
}

bool ProcessRecordFilter::Wanted(const mf_header& header) const {
  switch (header.kind) {
    case MF_KIND_EXEC:
      return snapshot_ || (header.flags & MF_EXEC_SNAPSHOT) == 0;
    case MF_KIND_FORK:
      return forks_;
    case MF_KIND_EXEC_FAILED:
      return failed_execs_;
    default:
      return true;
  }
}

}  // namespace

std::unique_ptr<RecordFilter> MakeProcessFilter(const ProcessOptions& options) {
  return std::make_unique<ProcessRecordFilter>(options);
}

}  // namespace masflow::internal
