// SPDX-License-Identifier: Apache-2.0
#include "bpf/shared_hooks.h"

#include <utility>

#include "bpf/twins.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

HookPoint TablePassPoint(const Environment& environment, std::string name,
                         const std::string& iterator, std::vector<std::string> run_maps) {
  return {.name = std::move(name),
          .candidates = {
              {.mechanism = "run bpf_for_each_map_elem",
               .programs = {iterator + "_run"},
               .maps = std::move(run_maps),
               .unfit = environment.WhyNoProgramRun(),
               .run_by_reader = true},
              {.mechanism = "iter bpf_map_elem", .programs = {iterator}, .run_by_reader = true}}};
}

HookPoint TreePoint(const Environment& environment, const std::string& prefix) {
  const std::string fork = prefix + "_fork";
  const std::string exit = prefix + "_exit";
  return {.name = "process fork and exit",
          .candidates = {
              {.mechanism = "raw_tp sched_process_fork, sched_process_exit",
               .programs = {fork, exit},
               .twins = TwinsWhereNeeded(environment, {{fork, fork + "_tw", MF_TWIN_FORK},
                                                       {exit, exit + "_tw", MF_TWIN_EXIT}})}}};
}

}  // namespace masflow::internal
