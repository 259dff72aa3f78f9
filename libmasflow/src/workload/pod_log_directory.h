// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_POD_LOG_DIRECTORY_H_
#define MASFLOW_WORKLOAD_POD_LOG_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/statusor.h>

#include "core/unique_fd.h"
#include "masflow/workload.h"
#include "workload/directory_scan.h"
#include "workload/directory_watch.h"
#include "workload/pod_log_names.h"

namespace masflow::internal {

// Names of pods from the kubelet's log directories, watched by inotify: that of pods, which it
// fills before a pod's first container starts, and that of containers, which it fills as they
// start. Either may itself be a link. Only names of entries are read; nothing in them is opened,
// no link of theirs followed.
class PodLogDirectory {
 public:
  // Those beyond are not taken, which the state says.
  static constexpr std::size_t kMaxPods = 100'000;

  // A directory that is not there yet is waited for. `containers` may be empty. Errors: no
  // inotify descriptor.
  static absl::StatusOr<std::unique_ptr<PodLogDirectory>> Open(std::string pods,
                                                               std::string containers,
                                                               std::size_t max_pods = kMaxPods);

  // Readable when Update() has something to tell of what was not there before.
  int fd() const { return watch_.fd(); }

  // How it stood when it was opened or last looked through.
  const absl::Status& state() const { return state_; }

  // Tells what has changed, the first time all that is there; no more than some hundred entries
  // at once. True: there is more, for the next call. Does not block.
  bool Update(NameSink& sink);

 private:
  using Containers = std::vector<PodNames::Container>;
  struct Pod {
    std::string pod_namespace;
    std::string name;
    Containers containers;
    std::uint64_t seen = 0;  // in which look through the directory
  };
  class Changes;

  PodLogDirectory(UniqueFd inotify, std::string pods, std::string containers, std::size_t max_pods);

  void LookAnew(std::size_t directory);
  void Begin(std::size_t directory, DirectoryScan* scan) const;
  // A portion of what is to be looked through; how many entries.
  std::size_t Look(NameSink& sink);
  void EndLookAtPods();
  bool looking() const;
  void PodCame(const PodDirectoryName& name, NameSink& sink);
  void PodWent(const PodDirectoryName& name, NameSink& sink);
  void AddPod(const PodDirectoryName& name, NameSink& sink);
  void ForgetPod(const std::string& uid, NameSink& sink);
  void AddContainer(const ContainerLogName& log, NameSink& sink);
  void RemoveContainer(const ContainerLogName& log);
  void Tell(const std::string& uid, NameSink& sink) const;
  absl::Status Judge() const;
  void SetState(absl::Status state, NameSink& sink);

  const std::size_t max_pods_;
  DirectoryWatch watch_;
  DirectoryScan pod_scan_;
  DirectoryScan container_scan_;
  std::uint64_t look_ = 0;           // counts those through the pods
  std::vector<std::string> unseen_;  // UIDs that the last one did not find, still to be told
  // UIDs of those that went during a look: a file system can list what it no longer has.
  absl::flat_hash_set<std::string> went_;
  bool full_ = false;  // so there are more than are known

  absl::flat_hash_map<std::string, Pod> pods_;          // by UID
  absl::flat_hash_map<std::string, std::string> uids_;  // by "namespace/pod"
  // Of pods that were not seen yet, by "namespace/pod".
  absl::flat_hash_map<std::string, Containers> early_containers_;
  absl::Status state_;
  bool state_told_ = false;
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_POD_LOG_DIRECTORY_H_
