// SPDX-License-Identifier: Apache-2.0
//
// The two sources of masflow/kubernetes.h, with what only tests set.
#ifndef MASFLOW_KUBERNETES_SOURCES_H_
#define MASFLOW_KUBERNETES_SOURCES_H_

#include <memory>

#include <absl/status/statusor.h>

#include "kubernetes/timings.h"
#include "masflow/kubernetes.h"

namespace masflow::internal {

absl::StatusOr<std::shared_ptr<NameSource>> MakeKubelet(KubeletOptions options, Timings timings);
absl::StatusOr<std::shared_ptr<NameSource>> MakeApiServer(ApiServerOptions options,
                                                          Timings timings);

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_SOURCES_H_
