// SPDX-License-Identifier: Apache-2.0
#include "workload/cgroup_path.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace masflow::internal {
namespace {

constexpr std::size_t kIdDigits = 64;
constexpr std::size_t kStaticUidDigits = 32;
constexpr std::size_t kUuidBytes = 36;

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsUuid(std::string_view text) {
  constexpr std::array<std::size_t, 5> kGroups = {8, 4, 4, 4, 12};
  if (text.size() != kUuidBytes) {
    return false;
  }
  std::size_t at = 0;
  for (const std::size_t group : kGroups) {
    if (at > 0 && text[at++] != '-') {
      return false;
    }
    if (!IsHex(text.substr(at, group))) {
      return false;
    }
    at += group;
  }
  return true;
}

bool TakePrefix(std::string_view* text, std::string_view prefix) {
  const bool has = text->starts_with(prefix);
  text->remove_prefix(has ? prefix.size() : 0);
  return has;
}

bool TakeSuffix(std::string_view* text, std::string_view suffix) {
  const bool has = text->ends_with(suffix);
  text->remove_suffix(has ? suffix.size() : 0);
  return has;
}

struct Container {
  std::string_view id{};  // empty: it is none
  ContainerRuntime runtime{};
};

constexpr std::array<std::pair<std::string_view, ContainerRuntime>, 5> kRuntimes{{
    {"cri-containerd", ContainerRuntime::kContainerd},
    {"nerdctl", ContainerRuntime::kContainerd},
    {"crio", ContainerRuntime::kCrio},
    {"docker", ContainerRuntime::kDocker},
    {"libpod", ContainerRuntime::kPodman},
}};

// "docker-<id>.scope" by systemd; "crio-<id>", "libpod-<id>" without it. What only watches over a
// container ("crio-conmon-<id>") has no id in that place.
Container PrefixedContainer(std::string_view name) {
  TakeSuffix(&name, ".scope");
  for (const auto& [prefix, runtime] : kRuntimes) {
    std::string_view id = name;
    if (TakePrefix(&id, prefix) && TakePrefix(&id, "-")) {
      static_cast<void>(runtime == ContainerRuntime::kPodman && TakePrefix(&id, "payload-"));
      return IsContainerId(id) ? Container{id, runtime} : Container{};
    }
  }
  return {};
}

// "<slice>:cri-containerd:<id>": a runtime set up for systemd, but started without it.
Container SeparatedContainer(std::string_view name) {
  const std::size_t last = name.rfind(':');
  if (last == std::string_view::npos || !IsContainerId(name.substr(last + 1))) {
    return {};
  }
  const std::string_view before = name.substr(0, last);
  for (const auto& [prefix, runtime] : kRuntimes) {
    std::string_view rest = before;
    if (TakeSuffix(&rest, prefix) && rest.ends_with(':')) {
      return {name.substr(last + 1), runtime};
    }
  }
  return {};
}

// One pass over the components, from the root to the leaf.
class Walk {
 public:
  explicit Walk(std::string_view path) : path_(path) {}

  // A path that no kernel writes (empty components, none in front of the first slash) says nothing.
  CgroupIdentity Run() {
    if (!path_.starts_with('/')) {
      return {};
    }
    for (std::size_t at = 1; at <= path_.size();) {
      const std::size_t end = std::min(path_.find('/', at), path_.size());
      if (end == at) {
        return {};
      }
      Take(path_.substr(at, end - at), end);
      at = end + 1;
    }
    return std::move(identity_);
  }

 private:
  void Take(std::string_view name, std::size_t end) {
    if (!TakePod(name)) {
      TakeContainer(name, end);
    }
    before_last_ = std::exchange(last_, name);
  }

  // "kubepods", "burstable", "pod<uid>" by cgroupfs; by systemd each slice repeats the names of
  // those above it: "kubepods-burstable-pod<uid, with _ for ->.slice".
  bool TakePod(std::string_view name) {
    if (TakeSuffix(&name, ".slice")) {
      return TakePodSlice(name);
    }
    std::string_view pod = name;
    if (name == "kubepods") {
      in_kubepods_ = true;
      qos_ = PodQos::kUnknown;
      return false;
    }
    if (!in_kubepods_) {
      return false;
    }
    if (TakeQos(&pod, "") && pod.empty()) {
      return false;
    }
    return TakePrefix(&pod, "pod") && SetPod(pod);
  }

  bool TakePodSlice(std::string_view name) {
    constexpr std::string_view kKubepods = "kubepods";
    const std::size_t kubepods = name.find(kKubepods);
    if (kubepods == std::string_view::npos) {
      return false;
    }
    in_kubepods_ = true;
    qos_ = PodQos::kUnknown;
    name.remove_prefix(kubepods + kKubepods.size());
    TakeQos(&name, "-");
    return TakePrefix(&name, "-pod") && SetPod(name);
  }

  bool TakeQos(std::string_view* name, std::string_view before) {
    for (const auto& [text, qos] : {std::pair{"burstable", PodQos::kBurstable},
                                    std::pair{"besteffort", PodQos::kBestEffort}}) {
      std::string_view rest = *name;
      if (TakePrefix(&rest, before) && TakePrefix(&rest, text)) {
        *name = rest;
        qos_ = qos;
        return true;
      }
    }
    return false;
  }

  bool SetPod(std::string_view text) {
    std::string uid(text.substr(0, kUuidBytes + 1));
    std::replace(uid.begin(), uid.end(), '_', '-');
    if (!IsPodUid(uid)) {
      return false;
    }
    const std::string_view outer = container_path_;
    identity_ = {.pod_uid = std::move(uid),
                 .qos = qos_ == PodQos::kUnknown ? PodQos::kGuaranteed : qos_,
                 .outer_path = outer};
    return true;
  }

  void TakeContainer(std::string_view name, std::size_t end) {
    Container container = PrefixedContainer(name);
    if (container.id.empty()) {
      container = SeparatedContainer(name);
      std::string_view slice = name.substr(0, name.find(':'));
      if (!container.id.empty() && TakeSuffix(&slice, ".slice")) {
        TakePodSlice(slice);
      }
    }
    if (container.id.empty() && IsContainerId(name)) {
      container = BareContainer(name);
    }
    if (container.id.empty() || container.id == identity_.container_id) {
      return;
    }
    if (!identity_.container_id.empty()) {
      identity_.outer_path = container_path_;  // it is still in the pod of the outer one
    }
    identity_.container_id = container.id;
    identity_.runtime = container.runtime;
    container_path_ = path_.substr(0, end);
    in_kubepods_ = false;
  }

  // An id alone says something only where it is: below a pod, or below what Docker names so.
  Container BareContainer(std::string_view name) const {
    const bool in_pod = !identity_.pod_uid.empty() && identity_.container_id.empty();
    if (last_ == "docker" || before_last_ == "ecs") {
      return {name, ContainerRuntime::kDocker};
    }
    return in_pod ? Container{name, ContainerRuntime::kUnknown} : Container{};
  }

  const std::string_view path_;
  std::string_view last_;
  std::string_view before_last_;
  std::string_view container_path_;  // of the innermost container so far
  bool in_kubepods_ = false;
  PodQos qos_{};
  CgroupIdentity identity_;
};

}  // namespace

bool IsPodUid(std::string_view text) {
  return IsUuid(text) || (text.size() == kStaticUidDigits && IsHex(text));
}

bool IsContainerId(std::string_view text) {
  return text.size() == kIdDigits && IsHex(text);
}

CgroupIdentity IdentifyCgroup(std::string_view path) {
  return Walk(path).Run();
}

}  // namespace masflow::internal
