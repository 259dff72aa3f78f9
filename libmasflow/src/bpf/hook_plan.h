// SPDX-License-Identifier: Apache-2.0
//
// Choosing, for each hook point, the best mechanism that this kernel really lets us load
// and attach. Asking the kernel what it supports is not enough: probes of program types
// and of symbols lie in both directions, and some refusals come only at the attach.
#ifndef MASFLOW_BPF_HOOK_PLAN_H_
#define MASFLOW_BPF_HOOK_PLAN_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "bpf/twins.h"
#include "masflow/support.h"

struct bpf_link;
struct bpf_object;
struct bpf_object_skeleton;

namespace masflow::internal {

struct HookCandidate {
  std::string mechanism;              // as in HookSupport
  std::vector<std::string> programs;  // all of them must load and attach
  std::vector<std::string> maps{};    // that only this candidate needs
  std::string limits{};               // as in HookSupport
  std::string unfit{};                // known beforehand why not; empty: try it
  bool run_by_reader = false;         // not attached: the feed runs it when it is due
  std::vector<HookTwin> twins{};      // their seconds are attached after all of `programs`

  // Those that this kernel has to load and attach, in this order.
  std::vector<std::string> AllPrograms() const;
};

struct HookPoint {
  std::string name;
  bool required = true;
  std::vector<HookCandidate> candidates;  // best first
};

// For tests: hook point -> the one mechanism that may be tried.
using ForcedMechanisms = std::map<std::string, std::string>;

class HookPlan {
 public:
  // Opens a fresh, configured object, all of its programs off; the former one is closed.
  // An object cannot be loaded twice, so each change of a choice takes another one.
  // The skeleton, because only its loader maps the data sections of the loaded object.
  using OpenObject = std::function<absl::StatusOr<bpf_object_skeleton*>()>;
  // Prepares the maps of a loaded object, before its hooks run.
  using FillMaps = std::function<absl::Status(bpf_object*)>;

  HookPlan(StreamKind stream, std::vector<HookPoint> points, const ForcedMechanisms& forced);
  ~HookPlan();

  // Programs (literals) loaded with every choice but attached by the caller (iterators).
  void AlwaysLoad(const char* program) { always_.push_back(program); }

  // Until every point has a candidate that works, or a required one has none left.
  absl::Status LoadAndAttach(const OpenObject& open, const FillMaps& fill);

  StreamKind stream() const { return stream_; }
  // What was chosen and refused, one entry a point.
  std::vector<HookSupport> Report() const;
  // What was chosen, also those that the reader runs.
  std::vector<const HookCandidate*> Chosen() const;

 private:
  struct Choice {
    HookPoint point;
    std::size_t index = 0;  // of the candidate in hand; past the end: none works
    std::vector<HookSupport::Refusal> refused{};

    const HookCandidate* candidate() const {
      return index < point.candidates.size() ? &point.candidates[index] : nullptr;
    }
  };
  struct LinkDestroy {
    void operator()(bpf_link* link) const;
  };

  // Passes over the candidates in hand that are known not to fit.
  absl::Status RefuseUnfit();
  // Goes on to the next candidate; the sum of all refusals if a required point has none.
  absl::Status Refuse(Choice& choice, const absl::Status& why);
  void Enable(bpf_object* object, const std::vector<const HookCandidate*>& candidates);
  // Loads an object with `candidates` only.
  absl::Status TryLoad(const OpenObject& open, const std::vector<const HookCandidate*>& candidates,
                       bpf_object** object);
  absl::Status FindCulprit(const OpenObject& open, const absl::Status& failure);
  // The choice whose program did not attach and why, or null.
  Choice* Attach(bpf_object* object, absl::Status* why);

  const StreamKind stream_;
  std::vector<Choice> choices_;
  std::vector<const char*> always_;
  std::vector<std::string> managed_maps_;
  std::vector<std::unique_ptr<bpf_link, LinkDestroy>> links_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_HOOK_PLAN_H_
