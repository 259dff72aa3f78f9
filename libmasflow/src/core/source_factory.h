// SPDX-License-Identifier: Apache-2.0
//
// The one place that knows which sources there are.
#ifndef MASFLOW_CORE_SOURCE_FACTORY_H_
#define MASFLOW_CORE_SOURCE_FACTORY_H_

#include <memory>

#include <absl/status/statusor.h>

#include "core/record_source.h"
#include "masflow/session.h"

namespace masflow::internal {

absl::StatusOr<std::shared_ptr<RecordSource>> MakeSource(const SessionOptions& options);

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_SOURCE_FACTORY_H_
