// SPDX-License-Identifier: Apache-2.0
//
// Names of pods from servers of Kubernetes.
#ifndef MASFLOW_CLI_KUBERNETES_H_
#define MASFLOW_CLI_KUBERNETES_H_

#include <string>

#include <absl/status/status.h>

#include "masflow/workload.h"

namespace masflow_cli {

// Empty: not given.
struct KubernetesFlags {
  std::string api_server{};
  std::string node{};
  std::string kubelet{};
  bool kubelet_insecure = false;
  std::string ca_file{};
  std::string token_file{};
};

// INVALID_ARGUMENT: one of them has no server that it is about.
absl::Status CheckKubernetes(const KubernetesFlags& flags);

// Adds what is asked for to the session's sources. Each says on stderr when it fails and when it
// works again. Errors: those of masflow/kubernetes.h; UNIMPLEMENTED, the command was built without.
absl::Status AddSources(const KubernetesFlags& flags, masflow::WorkloadOptions* workloads);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_KUBERNETES_H_
