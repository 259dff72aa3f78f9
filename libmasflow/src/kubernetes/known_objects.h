// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_KNOWN_OBJECTS_H_
#define MASFLOW_KUBERNETES_KNOWN_OBJECTS_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "kubernetes/object_json.h"
#include "masflow/workload.h"

namespace masflow::internal {

// What a server has told so far, so that a sink hears of changes only: a kubelet repeats all each
// time, and a new list says by silence what is gone. Keeps a digest of each object, some 150 bytes.
class KnownObjects {
 public:
  explicit KnownObjects(NameSink* sink) : sink_(sink) {}

  // One object that there is.
  void Put(KubeObject object);
  void Gone(const KubeObject& object);

  // Between these two all that there is is put; what is not is gone. A list that broke off is
  // begun again.
  void BeginList() { ++list_; }
  void EndList();

  std::size_t size() const { return known_.size(); }

 private:
  struct Entry {
    std::uint64_t digest = 0;
    std::uint32_t list = 0;  // the last one that it was in
  };

  void TellGone(const std::string& key);

  NameSink* const sink_;
  std::uint32_t list_ = 0;
  absl::flat_hash_map<std::string, Entry> known_;  // by UID of pods, "namespace/name" of services
};

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_KNOWN_OBJECTS_H_
