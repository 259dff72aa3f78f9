// SPDX-License-Identifier: Apache-2.0
//
// What the options of every stream must fulfil.
#ifndef MASFLOW_CORE_OPTIONS_CHECK_H_
#define MASFLOW_CORE_OPTIONS_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <absl/status/status.h>

#include "masflow/process_stream.h"
#include "masflow/tcp_stream.h"

namespace masflow::internal {

inline constexpr std::size_t kMaxFilterValues = 1024;  // a list

absl::Status CheckProcessFilter(const ProcessFilter& filter);
absl::Status CheckTcpFilter(const TcpFilter& filter);
absl::Status CheckRingBytes(std::size_t bytes);
// `option`: its name, for the error.
absl::Status CheckMaxConnections(std::string_view option, std::uint32_t count);

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_OPTIONS_CHECK_H_
