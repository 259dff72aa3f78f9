// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_REPLAY_SOURCE_H_
#define MASFLOW_REPLAY_REPLAY_SOURCE_H_

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "core/record_source.h"
#include "core/unique_fd.h"
#include "masflow/session.h"

namespace masflow::internal {

// A recording as a source: hands out what the recorder's session was handed, in the
// same order, as fast as it is drained. Waits at its beginning until a stream is open.
// Ends at the end of the file; one that is cut or damaged ends where that shows, and
// EndStatus() is DATA_LOSS. Records of streams that are not open are passed over.
//   NOT_FOUND, PERMISSION_DENIED …   from open(2)
//   INVALID_ARGUMENT                 no recording, or cut or damaged within its header
//   FAILED_PRECONDITION              of another version or byte order
absl::StatusOr<std::shared_ptr<RecordSource>> MakeReplaySource(const Replay& replay);

// The same from an open file, which is to allow pread(2); `name` is for messages.
absl::StatusOr<std::shared_ptr<RecordSource>> MakeReplaySource(UniqueFd fd,
                                                               const std::string& name);

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_REPLAY_SOURCE_H_
