// SPDX-License-Identifier: Apache-2.0
//
// Names of pods from servers of Kubernetes.
#ifndef MASFLOW_CLI_KUBERNETES_H_
#define MASFLOW_CLI_KUBERNETES_H_

#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

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

  bool any() const { return !api_server.empty() || !kubelet.empty(); }
};

// INVALID_ARGUMENT: one of them has no server that it is about.
absl::Status CheckKubernetes(const KubernetesFlags& flags);

class SpeakingSource;

// The servers that are asked for names. Each says on stderr when it fails and when it works again.
class NameServers {
 public:
  // Errors: those of masflow/kubernetes.h; UNIMPLEMENTED, the command was built without.
  static absl::StatusOr<NameServers> Make(const KubernetesFlags& flags);

  void AddTo(masflow::WorkloadOptions* workloads) const;
  // Once there is a session with them: threads that begin now have the rights that are left now.
  absl::Status Begin() const;

 private:
  std::vector<std::shared_ptr<SpeakingSource>> sources_;
};

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_KUBERNETES_H_
