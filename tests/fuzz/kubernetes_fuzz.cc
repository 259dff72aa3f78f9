// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a reply of the kubelet or the API server, and as an address of one.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "kubernetes/endpoint.h"
#include "kubernetes/object_json.h"
#include "record_fuzz.h"

namespace masflow::internal {
namespace {

void CheckObject(Resource resource, const KubeObject& object) {
  if (resource == Resource::kServices) {
    Require(!std::get<ServiceNames>(object).name.empty(), "a service without a name");
    return;
  }
  const auto& pod = std::get<PodNames>(object);
  Require(!pod.uid.empty() && !pod.name.empty(), "a pod without UID or name");
  for (const PodNames::Container& container : pod.containers) {
    Require(!container.id.empty() && !container.name.empty(), "a container without id or name");
  }
  for (const auto& ip : pod.pod_ips) {
    Require(!ip.empty(), "an empty address");
  }
}

void CheckBody(Resource resource, std::string_view body) {
  if (const auto list = ParseList(resource, NamesFrom::kKubelet, body); list.ok()) {
    for (const KubeObject& object : list->objects) {
      CheckObject(resource, object);
    }
  }
  const auto event = ParseWatchEvent(resource, NamesFrom::kApiServer, body);
  if (!event.ok()) {
    return;
  }
  if (event->kind == WatchEvent::Kind::kError) {
    Require(!event->error.ok(), "an error that is none");
  } else {
    Require(!event->version.empty(), "an event without version");
  }
  if (event->kind == WatchEvent::Kind::kChanged || event->kind == WatchEvent::Kind::kGone) {
    CheckObject(resource, event->object);
  }
}

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace masflow::internal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckBody(Resource::kPods, text);
  CheckBody(Resource::kServices, text);
  if (const auto endpoint = ParseUrl(text); endpoint.ok()) {
    Require(!endpoint->host.empty() && !endpoint->port.empty(), "a server nowhere");
  }
  return 0;
}
