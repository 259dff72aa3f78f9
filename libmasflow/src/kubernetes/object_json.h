// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_OBJECT_JSON_H_
#define MASFLOW_KUBERNETES_OBJECT_JSON_H_

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "masflow/workload.h"

namespace masflow::internal {

// The resources of the API that are read.
enum class Resource { kPods, kServices };

using KubeObject = std::variant<PodNames, ServiceNames>;

struct ObjectList {
  std::string version{};  // from which on a watch misses nothing
  std::string rest{};     // what the next page is asked for by; empty: this was the last one
  std::vector<KubeObject> objects{};
};

struct WatchEvent {
  enum class Kind { kChanged, kGone, kBookmark, kError };
  Kind kind{};
  std::string version{};  // up to which this watch has told all
  KubeObject object{};    // of kGone its identity at least
  absl::Status error{};   // OUT_OF_RANGE: the version is too old, all must be listed anew
};

// Of bodies of the API of the kubelet and of the API server ("v1"). Only what is needed is kept
// while it is read: a pod of 10 KB takes about 1 KB. `from`: who sent it. A pod without UID or
// name is left out. Errors: DATA_LOSS, this is no such JSON.
absl::StatusOr<ObjectList> ParseList(Resource resource, NamesFrom from, std::string_view body);
absl::StatusOr<WatchEvent> ParseWatchEvent(Resource resource, NamesFrom from,
                                           std::string_view line);

// What the body of a reply that is an error says in "message"; empty: nothing.
std::string ErrorMessage(std::string_view body);

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_OBJECT_JSON_H_
