// SPDX-License-Identifier: Apache-2.0
#include "bpf/hook_plan.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <bpf/libbpf.h>

#include "bpf/environment.h"
#include "bpf/libbpf_log.h"
#include "bpf/skeleton.h"
#include "bpf/tracepoint.h"

namespace masflow::internal {
namespace {

// The line of libbpf's or the verifier's that says most: the last one that is neither a
// frame around the log nor a statistic.
std::string LastTellingLine(std::string_view log) {
  std::string_view best;
  while (!log.empty()) {
    const std::size_t end = std::min(log.find('\n'), log.size());
    const std::string_view line = log.substr(0, end);
    log.remove_prefix(std::min(end + 1, log.size()));
    const bool noise = line.empty() || line.find("-- ") != std::string_view::npos ||
                       line.starts_with("processed ") ||
                       line.find("failed to load") != std::string_view::npos;
    if (!noise) {
      best = line;
    }
  }
  return std::string(best);
}

// `why`: what the kernel's own word does not say; or empty.
absl::Status Explain(const char* step, int error, const LibbpfLog& log, const std::string& why) {
  std::string text = std::string(step) + ": " + std::strerror(error);
  if (const std::string line = LastTellingLine(log.text()); !line.empty()) {
    text += " (" + line + ")";
  }
  if (!why.empty()) {
    text += "; " + why;
  }
  return log.Attach(absl::Status(absl::ErrnoToStatusCode(error), text));
}

}  // namespace

std::vector<std::string> HookCandidate::AllPrograms() const {
  std::vector<std::string> all = programs;
  for (const HookTwin& pair : twins) {
    all.push_back(pair.twin);
  }
  return all;
}

void HookPlan::LinkDestroy::operator()(bpf_link* link) const {
  bpf_link__destroy(link);
}

HookPlan::HookPlan(StreamKind stream, std::vector<HookPoint> points, const ForcedMechanisms& forced)
    : stream_(stream) {
  for (HookPoint& point : points) {
    const auto only = forced.find(point.name);
    for (HookCandidate& candidate : point.candidates) {
      managed_maps_.insert(managed_maps_.end(), candidate.maps.begin(), candidate.maps.end());
      if (only != forced.end() && candidate.mechanism != only->second) {
        candidate.unfit = "turned off: " + only->second + " is forced";
      }
    }
    choices_.push_back({.point = std::move(point)});
  }
}

HookPlan::~HookPlan() = default;

absl::Status HookPlan::LoadAndAttach(const OpenObject& open, const FillMaps& fill) {
  // Ends: each round either succeeds, fails, or refuses a candidate for good.
  for (;;) {
    if (absl::Status status = RefuseUnfit(); !status.ok()) {
      return status;
    }
    bpf_object* object = nullptr;
    if (absl::Status loaded = TryLoad(open, Chosen(), &object); !loaded.ok()) {
      if (absl::Status status = FindCulprit(open, loaded); !status.ok()) {
        return status;
      }
      continue;
    }
    if (absl::Status status = fill(object); !status.ok()) {
      return status;
    }
    absl::Status why;
    Choice* const unattached = Attach(object, &why);
    if (unattached == nullptr) {
      return absl::OkStatus();
    }
    links_.clear();
    if (absl::Status status = Refuse(*unattached, why); !status.ok()) {
      return status;
    }
  }
}

absl::Status HookPlan::RefuseUnfit() {
  for (Choice& choice : choices_) {
    while (choice.candidate() != nullptr && !choice.candidate()->unfit.empty()) {
      const absl::Status why = absl::UnimplementedError(choice.candidate()->unfit);
      if (absl::Status status = Refuse(choice, why); !status.ok()) {
        return status;
      }
    }
  }
  return absl::OkStatus();
}

absl::Status HookPlan::Refuse(Choice& choice, const absl::Status& why) {
  choice.refused.push_back({choice.candidate()->mechanism, std::string(why.message())});
  ++choice.index;
  if (choice.candidate() != nullptr || !choice.point.required) {
    return absl::OkStatus();
  }
  std::string text = "this kernel refuses every hook for \"" + choice.point.name + "\"";
  for (const HookSupport::Refusal& refusal : choice.refused) {
    text += "; " + refusal.mechanism + ": " + refusal.reason;
  }
  // A lack of rights or of memory is not a lack of the feature.
  const bool telling = absl::IsPermissionDenied(why) || absl::IsResourceExhausted(why);
  absl::Status status(telling ? why.code() : absl::StatusCode::kUnimplemented, text);
  why.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  return status;
}

void HookPlan::Enable(bpf_object* object, const std::vector<const HookCandidate*>& candidates) {
  for (const std::string& map : managed_maps_) {
    bpf_map__set_autocreate(bpf_object__find_map_by_name(object, map.c_str()), false);
  }
  for (const HookCandidate* candidate : candidates) {
    for (const std::string& program : candidate->AllPrograms()) {
      bpf_program__set_autoload(bpf_object__find_program_by_name(object, program.c_str()), true);
    }
    for (const std::string& map : candidate->maps) {
      bpf_map__set_autocreate(bpf_object__find_map_by_name(object, map.c_str()), true);
    }
  }
  for (const char* program : always_) {
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, program), true);
  }
}

absl::Status HookPlan::TryLoad(const OpenObject& open,
                               const std::vector<const HookCandidate*>& candidates,
                               bpf_object** object) {
  absl::StatusOr<bpf_object_skeleton*> opened = open();
  if (!opened.ok()) {
    return opened.status();
  }
  Enable(*(*opened)->obj, candidates);
  LibbpfLog log;
  const int error = -bpf_object__load_skeleton(*opened);
  if (error != 0) {
    return Explain("load", error, log, error == EPERM ? WhyNoLockedMemory() : "");
  }
  *object = *(*opened)->obj;
  return CheckData(**opened);
}

// The object did not load: each choice is tried alone, and those that fail are refused.
absl::Status HookPlan::FindCulprit(const OpenObject& open, const absl::Status& failure) {
  bool found = false;
  for (Choice& choice : choices_) {
    if (choice.candidate() == nullptr) {
      continue;
    }
    bpf_object* object = nullptr;
    const absl::Status alone = TryLoad(open, {choice.candidate()}, &object);
    if (alone.ok()) {
      continue;
    }
    found = true;
    if (absl::Status status = Refuse(choice, alone); !status.ok()) {
      return status;
    }
  }
  return found ? absl::OkStatus() : failure;
}

HookPlan::Choice* HookPlan::Attach(bpf_object* object, absl::Status* why) {
  for (Choice& choice : choices_) {
    if (choice.candidate() == nullptr || choice.candidate()->run_by_reader) {
      continue;
    }
    for (const std::string& name : choice.candidate()->AllPrograms()) {
      LibbpfLog log;
      bpf_program* program = bpf_object__find_program_by_name(object, name.c_str());
      bpf_link* const link = bpf_program__type(program) == BPF_PROG_TYPE_TRACEPOINT
                                 ? AttachTracepoint(program)
                                 : bpf_program__attach(program);
      if (link == nullptr) {
        const int error = errno;
        *why = Explain("attach", error, log, error == EACCES ? WhyNoPerfEvent() : "");
        return &choice;
      }
      links_.emplace_back(link);
    }
  }
  return nullptr;
}

std::vector<HookSupport> HookPlan::Report() const {
  std::vector<HookSupport> report;
  for (const Choice& choice : choices_) {
    const HookCandidate* const chosen = choice.candidate();
    report.push_back({.stream = stream_,
                      .hook = choice.point.name,
                      .mechanism = chosen == nullptr ? "" : chosen->mechanism,
                      .limits = chosen == nullptr ? "" : chosen->limits,
                      .refused = choice.refused});
  }
  return report;
}

std::vector<const HookCandidate*> HookPlan::Chosen() const {
  std::vector<const HookCandidate*> chosen;
  for (const Choice& choice : choices_) {
    if (choice.candidate() != nullptr) {
      chosen.push_back(choice.candidate());
    }
  }
  return chosen;
}

}  // namespace masflow::internal
