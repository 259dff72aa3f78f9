// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_HTTP_FILTER_H_
#define MASFLOW_REPLAY_HTTP_FILTER_H_

#include <memory>

#include <absl/status/statusor.h>

#include "masflow/http_stream.h"
#include "replay/record_filter.h"

namespace masflow::internal {

// For the records of HttpStream. As in the kernel, a connection is judged once: here by the
// first record that says whose it is, and the others go its way. Without such a record, which
// can have been lost, they pass only where nothing is filtered.
//   INVALID_ARGUMENT   an address is none
absl::StatusOr<std::unique_ptr<RecordFilter>> MakeHttpFilter(const HttpOptions& options);

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_HTTP_FILTER_H_
