// SPDX-License-Identifier: Apache-2.0
#include "bpf/process_feed.h"

#include <cerrno>
#include <string>
#include <utility>

#include <bpf/libbpf.h>

#include "bpf/libbpf_log.h"
#include "bpf/skeleton.h"
#include "bpf/task_iterator.h"
#include "bpf/twins.h"
#include "masflow_bpf/wire.h"
#include "process.skel.h"
#include "process_plain.skel.h"

namespace masflow::internal {
namespace {

constexpr char kFailedExecProgram[] = "mf_execfail_sx";  // most of its runs concern no exec

#if defined(__x86_64__)
constexpr char kExecFunction[] = "__x64_sys_execve";
#elif defined(__aarch64__)
constexpr char kExecFunction[] = "__arm64_sys_execve";
#endif

HookPoint ExitPoint(const Environment& environment) {
  // A raw tracepoint program loads whatever it reads of its arguments, so the number of
  // arguments has to be asked for.
  const bool says_group_dead = environment.TracepointArguments("sched_process_exit") >= 2;
  return {
      .name = "process exit",
      .candidates = {
          {.mechanism = "raw_tp sched_process_exit (group_dead)",
           .programs = {"mf_exit_group"},
           .unfit = says_group_dead ? "" : "the tracepoint has no argument group_dead (Linux 6.16)",
           .twins =
               TwinsWhereNeeded(environment, {{"mf_exit_group", "mf_exit_twin", MF_TWIN_EXIT}})},
          {.mechanism = "raw_tp sched_process_exit (signal->live)",
           .programs = {"mf_exit_live"},
           .maps = {"ended"}}}};
}

HookPoint FailedExecPoint(const Environment& environment) {
  return {.name = "exec failure",
          .required = false,
          .candidates = {{.mechanism = std::string("fexit ") + kExecFunction,
                          .programs = {"mf_execve_fx", "mf_execveat_fx"},
                          .maps = {"failed_scratch"},
                          .unfit = environment.WhyNoFexit(kExecFunction)},
                         {.mechanism = "raw_tp sys_exit",
                          .programs = {kFailedExecProgram},
                          .maps = {"failed_scratch"},
                          .limits = "every system call of the machine pays some 20 ns"}}};
}

std::vector<HookPoint> Points(const Environment& environment, const ProcessOptions& options,
                              const FilterMaps& filter) {
  std::vector<HookPoint> points{
      {.name = "process exec",
       .candidates = {{.mechanism = "raw_tp sched_process_exec",
                       .programs = {"mf_exec"},
                       .maps = {"exec_scratch"},
                       .twins = TwinsWhereNeeded(environment,
                                                 {{"mf_exec", "mf_exec_twin", MF_TWIN_EXEC}})}}},
      ExitPoint(environment)};
  if (options.forks || filter.by_tree()) {
    points.push_back(
        {.name = "process fork",
         .candidates = {{.mechanism = "raw_tp sched_process_fork",
                         .programs = {"mf_fork"},
                         .twins = TwinsWhereNeeded(environment,
                                                   {{"mf_fork", "mf_fork_twin", MF_TWIN_FORK}})}}});
  }
  if (options.failed_execs) {
    points.push_back(FailedExecPoint(environment));
  }
  return points;
}

}  // namespace

void ProcessFeed::SkeletonDestroy::operator()(masflow_process_bpf* skeleton) const {
  masflow_process_bpf__destroy(skeleton);
}

ProcessFeed::ProcessFeed(const ProcessOptions& options, FilterMaps filter)
    : options_(options), filter_(std::move(filter)) {}

ProcessFeed::~ProcessFeed() {
  End();
}

absl::StatusOr<std::unique_ptr<StreamFeed>> ProcessFeed::Open(const Environment& environment,
                                                              const ProcessOptions& options,
                                                              const ForcedMechanisms& forced,
                                                              int muted_cgroups) {
  absl::StatusOr<FilterMaps> filter =
      FilterMaps::Create(environment, options.filter, muted_cgroups);
  if (!filter.ok()) {
    return filter.status();
  }
  std::unique_ptr<ProcessFeed> feed(new ProcessFeed(options, *std::move(filter)));
  if (absl::Status status = feed->Start(environment, forced); !status.ok()) {
    return status;
  }
  return feed;
}

absl::StatusOr<bpf_object_skeleton*> ProcessFeed::OpenObject(const Environment& environment) {
  LibbpfLog log;
  skeleton_.reset(
      OpenSkeleton<masflow_process_plain_bpf>(environment, masflow_process_bpf__create_skeleton));
  if (skeleton_ == nullptr) {
    return log.Attach(ErrnoStatus(errno, "cannot open the process object"));
  }
  bpf_object* const object = skeleton_->obj;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    bpf_program__set_autoload(program, false);
  }
  filter_.Configure(environment, skeleton_->rodata);
  ConfigureTwins(environment, skeleton_.get());
  bpf_map__set_autocreate(skeleton_->maps.exec_scratch_2, environment.PreemptsPrograms());
  skeleton_->rodata->args_limit = options_.args_limit;
  skeleton_->rodata->emit_forks = options_.forks;
  if (absl::Status status = filter_.Size(object); !status.ok()) {
    return status;
  }
  bpf_map__set_max_entries(skeleton_->maps.process_ring, static_cast<__u32>(options_.ring_bytes));
  skeleton_->bss->process_state.bytes = options_.ring_bytes;
  bpf_map__set_autocreate(skeleton_->maps.snapshot_scratch, options_.snapshot);
  return skeleton_->skeleton;
}

absl::Status ProcessFeed::Start(const Environment& environment, const ForcedMechanisms& forced) {
  auto plan = std::make_unique<HookPlan>(StreamKind::kProcess,
                                         Points(environment, options_, filter_), forced);
  if (options_.snapshot) {
    plan->AlwaysLoad("mf_snapshot");
  }
  if (filter_.by_tree()) {
    plan->AlwaysLoad("mf_family");
  }
  absl::Status status = Begin(
      std::move(plan), [&] { return OpenObject(environment); },
      [&](bpf_object* object) { return filter_.Fill(object); }, {kFailedExecProgram});
  if (status.ok()) {
    status = MapRing(StreamKind::kProcess, bpf_map__fd(skeleton_->maps.process_ring),
                     options_.ring_bytes, &skeleton_->bss->process_state);
  }
  if (status.ok() && filter_.by_tree()) {
    status = filter_.SeedTrees(skeleton_->obj, skeleton_->progs.mf_family);
  }
  return status.ok() && options_.snapshot ? TakeBacklog() : status;
}

absl::Status ProcessFeed::TakeBacklog() {
  absl::StatusOr<RecordBatch> records =
      TakeSnapshot(skeleton_->progs.mf_snapshot, options_.args_limit);
  if (!records.ok()) {
    return records.status();
  }
  SetBacklog(*std::move(records));
  return absl::OkStatus();
}

}  // namespace masflow::internal
