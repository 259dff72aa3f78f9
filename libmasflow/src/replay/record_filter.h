// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_RECORD_FILTER_H_
#define MASFLOW_REPLAY_RECORD_FILTER_H_

#include <memory>

#include <absl/status/statusor.h>

#include "core/record_source.h"
#include "replay/process_match.h"

namespace masflow::internal {

// What the kernel side makes of the options of one stream, done to recorded records.
class RecordFilter {
 public:
  virtual ~RecordFilter() = default;

  // Each record of the stream once, in order. One that is too short or of unknown kind
  // passes: it is for the decoder to count.
  virtual bool Passes(RecordBytes record) = 0;

  // Each process record, in order, where Passes is for those of another stream.
  void FollowProcess(RecordBytes record);

  ProcessMatch& processes() { return processes_; }

 protected:
  explicit RecordFilter(const ProcessFilter& filter) : processes_(filter) {}

 private:
  ProcessMatch processes_;
};

// All options but what only the kernel can tell or is about it: the rings, the tables, the
// intervals, the limit of the arguments.
//   UNIMPLEMENTED   a filter on cgroups
absl::StatusOr<std::unique_ptr<RecordFilter>> MakeRecordFilter(const StreamConfig& config);

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_RECORD_FILTER_H_
