// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_PROCESS_FILTER_H_
#define MASFLOW_REPLAY_PROCESS_FILTER_H_

#include <memory>

#include "masflow/process_stream.h"
#include "replay/record_filter.h"

namespace masflow::internal {

// For the records of ProcessStream.
std::unique_ptr<RecordFilter> MakeProcessFilter(const ProcessOptions& options);

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_PROCESS_FILTER_H_
