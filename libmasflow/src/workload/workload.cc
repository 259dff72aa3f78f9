// SPDX-License-Identifier: Apache-2.0
#include "masflow/workload.h"

namespace masflow {
inline namespace v0 {

std::string_view Name(ContainerRuntime runtime) {
  switch (runtime) {
    case ContainerRuntime::kUnknown:
      return "";
    case ContainerRuntime::kContainerd:
      return "containerd";
    case ContainerRuntime::kCrio:
      return "cri-o";
    case ContainerRuntime::kDocker:
      return "docker";
    case ContainerRuntime::kPodman:
      return "podman";
  }
  return "unknown runtime";
}

std::string_view Name(PodQos qos) {
  switch (qos) {
    case PodQos::kUnknown:
      return "";
    case PodQos::kGuaranteed:
      return "Guaranteed";
    case PodQos::kBurstable:
      return "Burstable";
    case PodQos::kBestEffort:
      return "BestEffort";
  }
  return "unknown class";
}

std::string_view Name(NamesFrom from) {
  switch (from) {
    case NamesFrom::kNobody:
      return "";
    case NamesFrom::kPodLogs:
      return "pod logs";
    case NamesFrom::kKubelet:
      return "kubelet";
    case NamesFrom::kApiServer:
      return "api server";
    case NamesFrom::kHost:
      return "host";
  }
  return "unknown source";
}

}  // namespace v0
}  // namespace masflow
