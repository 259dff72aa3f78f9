// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_RECORDER_H_
#define MASFLOW_REPLAY_RECORDER_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "core/record_source.h"

namespace masflow::internal {

// A source that hands on all that `inner` does, and writes it to the file `path` just
// before. The file is whole (replays without DATA_LOSS) once the last open stream is
// closed. A failure to write ends the recording, not the events: see EndStatus().
//   ALREADY_EXISTS       something other than a file of one's own is there
//   FAILED_PRECONDITION  the file is being recorded to, or replayed from
//   and what open(2) and write(2) say
absl::StatusOr<std::shared_ptr<RecordSource>> MakeRecordingSource(
    std::shared_ptr<RecordSource> inner, const std::string& path);

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_RECORDER_H_
