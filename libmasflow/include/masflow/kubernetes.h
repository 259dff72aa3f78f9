// SPDX-License-Identifier: Apache-2.0
//
// Component kubernetes: names of pods from the kubelet and from the API server, with labels,
// owner and addresses, for WorkloadOptions::sources. Each source works in a thread of its own,
// which blocks all signals; events never wait for it. What goes wrong is told by
// SupportReport::names, is tried again with growing pauses (1 to 60 s), and what was known
// before stays.
#ifndef MASFLOW_KUBERNETES_H_
#define MASFLOW_KUBERNETES_H_

#include <chrono>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "masflow/workload.h"

namespace masflow {
inline namespace v0 {

// Where Kubernetes puts what a pod needs for the API server.
inline constexpr char kServiceAccountToken[] =
    "/var/run/secrets/kubernetes.io/serviceaccount/token";
inline constexpr char kServiceAccountCa[] = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

// The pods of this node, by GET /pods.
struct KubeletOptions {
  // Or the port without protection, "http://127.0.0.1:10255", where the kubelet has it on.
  std::string url = "https://127.0.0.1:10250";
  // PEM. Who is not signed by these gets no token.
  std::string ca_file = kServiceAccountCa;
  // Most kubelets sign for themselves. Without verification whoever listens at `url` is given the
  // token: leave it on unless that is this very node.
  bool verify = true;
  // Read anew for each request, as it is renewed on disk. Empty: none is sent. Never sent
  // without TLS.
  std::string token_file = kServiceAccountToken;
  std::chrono::milliseconds interval = std::chrono::seconds(10);  // between two questions
};

// Pods and services, by list and watch. Needs the rights to list and watch pods, and services.
struct ApiServerOptions {
  // Empty: of the cluster that this process runs in, by KUBERNETES_SERVICE_HOST and _PORT.
  std::string url{};
  std::string ca_file = kServiceAccountCa;
  std::string token_file = kServiceAccountToken;  // as that of the kubelet
  // Only the pods of this node, which is what a large cluster should be asked for. Empty: all; then
  // the other end of a connection has a name too if it is a pod of another node.
  std::string node{};
  bool services = true;  // names for the addresses of services
};

// Errors: INVALID_ARGUMENT with a sentence for the user. Nothing is asked before the session is
// created. May be made by any thread; used by one session.
absl::StatusOr<std::shared_ptr<NameSource>> MakeKubeletSource(KubeletOptions options = {});
// FAILED_PRECONDITION: no url is given and this is not in a pod.
absl::StatusOr<std::shared_ptr<NameSource>> MakeApiServerSource(ApiServerOptions options = {});

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_KUBERNETES_H_
