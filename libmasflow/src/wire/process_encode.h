// SPDX-License-Identifier: Apache-2.0
//
// Process records, from events to bytes: the reverse of wire/process_record, for the
// fake source and for tests. What the kernel could not have sent is cut to what it
// could, and flagged as it would: texts that are too long, path components beyond the
// 48th, bytes after a NUL where none can be.
#ifndef MASFLOW_WIRE_PROCESS_ENCODE_H_
#define MASFLOW_WIRE_PROCESS_ENCODE_H_

#include <cstddef>
#include <vector>

#include "masflow/events.h"

namespace masflow::internal {

std::vector<std::byte> EncodeRecord(const ProcessExec& event);
std::vector<std::byte> EncodeRecord(const ProcessExit& event);
std::vector<std::byte> EncodeRecord(const ProcessFork& event);
std::vector<std::byte> EncodeRecord(const ProcessExecFailure& event);

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_PROCESS_ENCODE_H_
