// SPDX-License-Identifier: Apache-2.0
//
// What the options of every stream must fulfil.
#ifndef MASFLOW_CORE_OPTIONS_CHECK_H_
#define MASFLOW_CORE_OPTIONS_CHECK_H_

#include <cstddef>

#include <absl/status/status.h>

#include "masflow/process_stream.h"

namespace masflow::internal {

inline constexpr std::size_t kMaxFilterValues = 1024;  // a list

absl::Status CheckProcessFilter(const ProcessFilter& filter);
absl::Status CheckRingBytes(std::size_t bytes);

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_OPTIONS_CHECK_H_
