// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_POD_LOG_DIRECTORY_H_
#define MASFLOW_WORKLOAD_POD_LOG_DIRECTORY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/statusor.h>

#include "core/unique_fd.h"
#include "masflow/workload.h"

namespace masflow::internal {

// Names of pods from the kubelet's log directories, watched by inotify: that of pods, which it
// fills before a pod's first container starts, and that of containers, which it fills as they
// start. Only names of entries are read; nothing in them is opened, no link of theirs followed.
class PodLogDirectory {
 public:
  // Those beyond are not taken, which the state says.
  static constexpr std::size_t kMaxPods = 100'000;

  // A directory that is not there yet is waited for. `containers` may be empty. Errors: no
  // inotify descriptor.
  static absl::StatusOr<std::unique_ptr<PodLogDirectory>> Open(std::string pods,
                                                               std::string containers,
                                                               std::size_t max_pods = kMaxPods);

  // Readable when Update() has something to tell.
  int fd() const { return inotify_.get(); }

  // How it stood when it was opened or last looked at.
  const absl::Status& state() const { return state_; }

  // Tells what has changed, the first time all that is there. Does not block.
  void Update(NameSink& sink);

 private:
  PodLogDirectory(UniqueFd inotify, std::string pods, std::string containers, std::size_t max_pods);

  // A directory that is watched, or the nearest one above it that there is.
  struct Watched {
    std::string path;
    int watch = -1;
    bool there = false;
  };

  void ReadEvents(NameSink& sink);
  void TakeEvent(int watch, unsigned mask, std::string_view name, NameSink& sink);
  // Watches first and looks then, so that nothing slips through between.
  void Rescan(NameSink& sink);
  absl::Status Watch(Watched* directory);
  absl::Status ScanPods(NameSink& sink);
  void ScanContainers(NameSink& sink);
  void AddPod(std::string_view entry, NameSink& sink);
  void RemovePod(std::string_view entry, NameSink& sink);
  void AddContainer(std::string_view entry, NameSink& sink);
  void SetState(absl::Status state, NameSink& sink);

  const UniqueFd inotify_;
  const std::size_t max_pods_;
  Watched pods_directory_;
  Watched containers_directory_;
  bool rescan_ = true;
  bool full_ = false;

  absl::flat_hash_map<std::string, PodNames> pods_;     // by UID
  absl::flat_hash_map<std::string, std::string> uids_;  // by "namespace/pod"
  // Of pods that were not seen yet, by "namespace/pod".
  absl::flat_hash_map<std::string, std::vector<PodNames::Container>> early_containers_;
  absl::Status state_;
  bool state_told_ = false;
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_POD_LOG_DIRECTORY_H_
