// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/object_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

namespace masflow::internal {
namespace {

using nlohmann::json;

// Of static pods: by what the kubelet knows and names them, in the mirror that the API shows.
constexpr std::string_view kConfigHash = "kubernetes.io/config.hash";
constexpr int kGoneStatus = 410;

// The members that are read, at whatever place. Of labels all are kept.
constexpr auto kWanted = std::to_array<std::string_view>({"annotations",
                                                          "clusterIP",
                                                          "clusterIPs",
                                                          "code",
                                                          "containerID",
                                                          "containerStatuses",
                                                          "continue",
                                                          "controller",
                                                          "ephemeralContainerStatuses",
                                                          "hostIP",
                                                          "hostNetwork",
                                                          "initContainerStatuses",
                                                          "ip",
                                                          "items",
                                                          "kind",
                                                          "labels",
                                                          "message",
                                                          "metadata",
                                                          "name",
                                                          "namespace",
                                                          "object",
                                                          "ownerReferences",
                                                          "phase",
                                                          "podIP",
                                                          "podIPs",
                                                          "resourceVersion",
                                                          "spec",
                                                          "status",
                                                          "type",
                                                          "uid"});
static_assert(std::is_sorted(kWanted.begin(), kWanted.end()));

// Leaves out of the tree, while the text is read, what nobody asks for.
class KeepWanted {
 public:
  bool operator()(int depth, json::parse_event_t event, json& parsed) {
    if (event != json::parse_event_t::key) {
      return true;
    }
    const auto& key = parsed.get_ref<const std::string&>();
    if (depth > labels_depth_) {
      return true;
    }
    labels_depth_ = kNone;
    if (depth > annotations_depth_) {
      return key == kConfigHash;
    }
    annotations_depth_ = kNone;
    if (key == "labels") {
      labels_depth_ = depth;
    } else if (key == "annotations") {
      annotations_depth_ = depth;
    }
    return std::binary_search(kWanted.begin(), kWanted.end(), key);
  }

 private:
  static constexpr int kNone = std::numeric_limits<int>::max();
  int labels_depth_ = kNone;  // of the member "labels" that is being read
  int annotations_depth_ = kNone;
};

std::optional<json> Parse(std::string_view text) {
  json parsed = json::parse(text.begin(), text.end(), KeepWanted(), /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return std::nullopt;
  }
  return parsed;
}

const json& Member(const json& object, const char* name) {
  static const json nothing;
  const auto member = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && member != object.end() ? *member : nothing;
}

std::string Text(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string Text(const json& object, const char* name) {
  return Text(Member(object, name));
}

bool IsTrue(const json& value) {
  return value.is_boolean() && value.get<bool>();
}

// "containerd://8b1e…"
std::string ContainerId(const json& status) {
  std::string id = Text(status, "containerID");
  const std::size_t scheme = id.find("://");
  return scheme == std::string::npos ? id : id.substr(scheme + 3);
}

void AddContainers(const json& statuses, PodNames* pod) {
  for (const json& status : statuses.is_array() ? statuses : json::array()) {
    PodNames::Container container{.id = ContainerId(status), .name = Text(status, "name")};
    if (!container.id.empty() && !container.name.empty()) {
      pod->containers.push_back(std::move(container));
    }
  }
}

// What controls the pod. A ReplicaSet of a Deployment is named after it and the hash that its
// pods carry as a label: so no further request is needed.
void SetOwner(const json& metadata, PodNames* pod) {
  const json& owners = Member(metadata, "ownerReferences");
  for (const json& owner : owners.is_array() ? owners : json::array()) {
    if (!IsTrue(Member(owner, "controller"))) {
      continue;
    }
    pod->owner_kind = Text(owner, "kind");
    pod->owner_name = Text(owner, "name");
  }
  const std::string hash = Text(Member(metadata, "labels"), "pod-template-hash");
  const std::string suffix = "-" + hash;
  if (pod->owner_kind == "ReplicaSet" && !hash.empty() && pod->owner_name.ends_with(suffix)) {
    pod->owner_kind = "Deployment";
    pod->owner_name.resize(pod->owner_name.size() - suffix.size());
  }
}

// A pod in the network of its node has no address of its own, and that of one that has ended
// may be another's by now.
std::vector<std::string> PodIps(const json& spec, const json& status) {
  const std::string phase = Text(status, "phase");
  std::vector<std::string> ips;
  if (IsTrue(Member(spec, "hostNetwork")) || phase == "Succeeded" || phase == "Failed") {
    return ips;
  }
  const json& all = Member(status, "podIPs");
  for (const json& ip : all.is_array() ? all : json::array()) {
    ips.push_back(Text(ip, "ip"));
  }
  if (ips.empty()) {
    ips.push_back(Text(status, "podIP"));
  }
  std::erase(ips, "");
  return ips;
}

std::optional<KubeObject> ReadPod(const json& object, NamesFrom from) {
  const json& metadata = Member(object, "metadata");
  const json& status = Member(object, "status");
  PodNames pod{.uid = Text(metadata, "uid"),
               .pod_namespace = Text(metadata, "namespace"),
               .name = Text(metadata, "name"),
               .from = from};
  if (pod.uid.empty() || pod.name.empty()) {
    return std::nullopt;
  }
  const std::string config_hash = Text(Member(metadata, "annotations"), kConfigHash.data());
  pod.cgroup_uid = config_hash == pod.uid ? std::string() : config_hash;
  for (const char* statuses :
       {"initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"}) {
    AddContainers(Member(status, statuses), &pod);
  }
  const json& labels = Member(metadata, "labels");
  if (labels.is_object()) {
    for (const auto& [name, value] : labels.items()) {
      pod.labels.emplace_back(name, Text(value));
    }
  }
  SetOwner(metadata, &pod);
  pod.pod_ips = PodIps(Member(object, "spec"), status);
  pod.node_ip = Text(status, "hostIP");
  return pod;
}

std::optional<KubeObject> ReadService(const json& object) {
  const json& metadata = Member(object, "metadata");
  const json& spec = Member(object, "spec");
  ServiceNames service{.service_namespace = Text(metadata, "namespace"),
                       .name = Text(metadata, "name")};
  if (service.name.empty()) {
    return std::nullopt;
  }
  const json& all = Member(spec, "clusterIPs");
  for (const json& ip : all.is_array() ? all : json::array()) {
    service.cluster_ips.push_back(Text(ip));
  }
  if (service.cluster_ips.empty()) {
    service.cluster_ips.push_back(Text(spec, "clusterIP"));
  }
  std::erase_if(service.cluster_ips, [](const std::string& ip) {
    return ip.empty() || ip == "None";  // headless
  });
  return service;
}

std::optional<KubeObject> ReadObject(Resource resource, NamesFrom from, const json& object) {
  return resource == Resource::kPods ? ReadPod(object, from) : ReadService(object);
}

absl::Status ReadError(const json& object) {
  const json& code = Member(object, "code");
  std::string message = "the API server ended the watch: " + Text(object, "message");
  return code.is_number_integer() && code.get<std::int64_t>() == kGoneStatus
             ? absl::OutOfRangeError(message)
             : absl::UnavailableError(message);
}

absl::Status NoEvent() {
  return absl::DataLossError("the API server sent a watch event that is none");
}

}  // namespace

absl::StatusOr<ObjectList> ParseList(Resource resource, NamesFrom from, std::string_view body) {
  const std::optional<json> parsed = Parse(body);
  const json& items = parsed.has_value() ? Member(*parsed, "items") : Member(json(), "items");
  const bool empty = items.is_null() && parsed.has_value() &&  // Go writes no list as null
                     Text(*parsed, "kind").ends_with("List");
  if (!items.is_array() && !empty) {
    return absl::DataLossError("the reply is no whole list of Kubernetes objects");
  }
  const json& metadata = Member(*parsed, "metadata");
  ObjectList list{.version = Text(metadata, "resourceVersion"), .rest = Text(metadata, "continue")};
  for (const json& item : items) {
    if (std::optional<KubeObject> object = ReadObject(resource, from, item)) {
      list.objects.push_back(*std::move(object));
    }
  }
  return list;
}

absl::StatusOr<WatchEvent> ParseWatchEvent(Resource resource, NamesFrom from,
                                           std::string_view line) {
  const std::optional<json> parsed = Parse(line);
  if (!parsed.has_value()) {
    return NoEvent();
  }
  const std::string type = Text(*parsed, "type");
  const json& object = Member(*parsed, "object");
  if (type == "ERROR") {
    return WatchEvent{.kind = WatchEvent::Kind::kError, .error = ReadError(object)};
  }
  WatchEvent event{.version = Text(Member(object, "metadata"), "resourceVersion")};
  if (event.version.empty()) {
    return NoEvent();
  }
  if (type == "BOOKMARK") {
    event.kind = WatchEvent::Kind::kBookmark;
    return event;
  }
  event.kind = type == "DELETED" ? WatchEvent::Kind::kGone : WatchEvent::Kind::kChanged;
  std::optional<KubeObject> read = ReadObject(resource, from, object);
  if (!read.has_value() || (type != "ADDED" && type != "MODIFIED" && type != "DELETED")) {
    return NoEvent();
  }
  event.object = *std::move(read);
  return event;
}

std::string ErrorMessage(std::string_view body) {
  const std::optional<json> parsed = Parse(body);
  return parsed.has_value() ? Text(*parsed, "message") : std::string();
}

}  // namespace masflow::internal
