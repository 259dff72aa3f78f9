// SPDX-License-Identifier: Apache-2.0
//
// Which container and which Kubernetes pod a process belongs to. The cgroup id comes from the
// kernel with the event, the container and the pod's UID from the cgroup's path, names from the
// kubelet's log directory and from what further sources the host adds (SessionOptions). An
// event is never held back for a name: what is known goes out, what is not is empty.
#ifndef MASFLOW_WORKLOAD_H_
#define MASFLOW_WORKLOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "masflow/export.h"

namespace masflow {
inline namespace v0 {

class NameSource;

enum class ContainerRuntime : std::uint8_t {
  kUnknown,  // a container, but its path does not say of which runtime
  kContainerd,
  kCrio,
  kDocker,
  kPodman,
};
// "containerd", "cri-o", "docker", "podman"; empty for kUnknown.
MASFLOW_EXPORT std::string_view Name(ContainerRuntime runtime);

// The quality of service class of a pod, by its cgroup.
enum class PodQos : std::uint8_t { kUnknown, kGuaranteed, kBurstable, kBestEffort };
// "Guaranteed", "Burstable", "BestEffort"; empty for kUnknown.
MASFLOW_EXPORT std::string_view Name(PodQos qos);

// Who told the names of a workload.
enum class NamesFrom : std::uint8_t { kNobody, kPodLogs, kKubelet, kApiServer, kHost };
// "pod logs", "kubelet", "api server", "host"; empty for kNobody.
MASFLOW_EXPORT std::string_view Name(NamesFrom from);

// How a source of names fares.
struct NameSourceState {
  std::string source{};  // "pod logs /var/log/pods", "api server", …
  // UNKNOWN: it has had no answer yet. Else not OK: what is wrong, and what to do.
  absl::Status state{};
};

// A container or pod as it was known when an event was delivered. Never changes: what is learned
// later makes another one. Texts are raw bytes, as those of events, and empty if not known.
struct Workload : std::enable_shared_from_this<Workload> {
  std::uint64_t cgroup_id = 0;  // of the process; 0 for a peer that is known by its address
  std::string cgroup_path{};    // in the hierarchy that SupportReport names, from its root
  ContainerRuntime runtime{};
  std::string container_id{};  // mostly 64 hexadecimal digits
  std::string pod_uid{};       // with dashes, but that of a static pod (32 hexadecimal digits)
  PodQos qos{};
  // Of a container inside of a container (kind, Docker in Docker): the cgroup of the outer one.
  std::string outer_path{};

  std::string pod_namespace{};
  std::string pod_name{};
  std::string container_name{};
  NamesFrom names_from{};

  // From the kubelet or the API server only.
  std::vector<std::pair<std::string, std::string>> labels{};
  std::string owner_kind{};  // what the pod belongs to: of a ReplicaSet its Deployment
  std::string owner_name{};
  std::string pod_ip{};  // the first one
  std::string node_ip{};
  std::string service_name{};  // of a peer that is a service: that in pod_namespace
};

// Whose events are delivered. The lists are joined by "and", the values of one list by "or"; an
// empty list lets all pass. A process passes by its own workload, a connection and an exchange by
// that of the owner; what has no workload, or none whose names are known yet, does not pass. As
// soon as a cgroup is known not to pass, the kernel sends nothing of it any more.
struct WorkloadFilter {
  std::vector<std::string> pods{};        // names
  std::vector<std::string> namespaces{};  // names
  std::vector<std::string> containers{};  // names, or the first 12 or more digits of ids

  bool empty() const { return pods.empty() && namespaces.empty() && containers.empty(); }
};

// Where workloads get their names from, besides their cgroups; of the live kernel only: a
// recording holds the names that were known.
struct WorkloadOptions {
  WorkloadFilter filter{};
  // The log directories of the kubelet: of names of pods, and of those of containers. In a
  // container: where the node's are mounted. Empty: not used. They need not exist yet.
  std::string pod_logs = "/var/log/pods";
  std::string container_logs = "/var/log/containers";
  // Further ones. The session starts and stops them; each may be of one session only.
  std::vector<std::shared_ptr<NameSource>> sources{};
};

// What a source of names knows of a pod. `uid` is what pods are known by.
struct PodNames {
  struct Container {
    std::string id{};  // without "containerd://"
    std::string name{};
  };
  std::string uid{};
  // The UID that its cgroup carries, where that is another one: of static pods the annotation
  // kubernetes.io/config.hash.
  std::string cgroup_uid{};
  std::string pod_namespace{};
  std::string name{};
  NamesFrom from = NamesFrom::kHost;
  std::vector<Container> containers{};
  std::vector<std::pair<std::string, std::string>> labels{};
  std::string owner_kind{};
  std::string owner_name{};
  std::vector<std::string> pod_ips{};  // empty for one in the network of its node
  std::string node_ip{};
};

struct ServiceNames {
  std::string service_namespace{};
  std::string name{};
  std::vector<std::string> cluster_ips{};
};

// Where a source puts what it learns. Any thread; never blocks on events.
class NameSink {
 public:
  virtual ~NameSink() = default;
  // New, or in place of what the same source told of the same pod or service.
  virtual void OnPod(PodNames pod) = 0;
  virtual void OnPodGone(const std::string& uid) = 0;
  virtual void OnService(ServiceNames service) = 0;
  virtual void OnServiceGone(const std::string& service_namespace, const std::string& name) = 0;
  // How the source fares, for SupportReport and SessionStats: OK, UNKNOWN before its first answer,
  // or what is wrong and what to do.
  virtual void OnState(const absl::Status& state) = 0;
};

// A source of names besides the log directory: masflow/kubernetes.h has two, a host may have
// its own.
class NameSource {
 public:
  virtual ~NameSource() = default;
  // "kubelet", "api server", …, for SupportReport.
  virtual std::string name() const = 0;
  // Called once, when the session is created. Does not wait for answers. The sink is valid
  // until Stop() has returned.
  virtual absl::Status Start(NameSink* sink) = 0;
  // Ends all that Start() began. Idempotent; the destructor does it too.
  virtual void Stop() = 0;
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_WORKLOAD_H_
