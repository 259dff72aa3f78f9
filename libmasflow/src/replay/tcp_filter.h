// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_TCP_FILTER_H_
#define MASFLOW_REPLAY_TCP_FILTER_H_

#include <memory>

#include <absl/status/statusor.h>

#include "masflow/tcp_stream.h"
#include "replay/record_filter.h"

namespace masflow::internal {

// For the records of TcpStream. The kernel judges a connection when it gets its owner; here
// each record is judged by itself, by what it tells of its connection.
//   INVALID_ARGUMENT   an address is none
absl::StatusOr<std::unique_ptr<RecordFilter>> MakeTcpFilter(const TcpOptions& options);

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_TCP_FILTER_H_
