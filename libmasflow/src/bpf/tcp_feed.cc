// SPDX-License-Identifier: Apache-2.0
#include "bpf/tcp_feed.h"

#include <chrono>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/iterator.h"
#include "bpf/libbpf_log.h"
#include "bpf/map_memory.h"
#include "bpf/skeleton.h"
#include "bpf/tcp_filter_maps.h"
#include "bpf/tcp_hooks.h"
#include "bpf/twins.h"
#include "tcp.skel.h"
#include "tcp_plain.skel.h"

namespace masflow::internal {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t kPassesASweep = 10;

}  // namespace

void TcpFeed::SkeletonDestroy::operator()(masflow_tcp_bpf* skeleton) const {
  masflow_tcp_bpf__destroy(skeleton);
}

TcpFeed::TcpFeed(const TcpOptions& options, FilterMaps filter)
    : options_(options), filter_(std::move(filter)) {}

TcpFeed::~TcpFeed() {
  pass_.reset();
  End();
}

absl::StatusOr<std::unique_ptr<StreamFeed>> TcpFeed::Open(const Environment& environment,
                                                          const TcpOptions& options,
                                                          const ForcedMechanisms& forced,
                                                          int muted_cgroups) {
  absl::StatusOr<FilterMaps> filter =
      FilterMaps::Create(environment, options.filter.process, muted_cgroups);
  if (!filter.ok()) {
    return filter.status();
  }
  std::unique_ptr<TcpFeed> feed(new TcpFeed(options, *std::move(filter)));
  if (absl::Status status = feed->Start(environment, forced); !status.ok()) {
    return status;
  }
  return feed;
}

absl::StatusOr<bpf_object_skeleton*> TcpFeed::OpenObject(const Environment& environment) {
  LibbpfLog log;
  skeleton_.reset(
      OpenSkeleton<masflow_tcp_plain_bpf>(environment, masflow_tcp_bpf__create_skeleton));
  if (skeleton_ == nullptr) {
    return log.Attach(ErrnoStatus(errno, "cannot open the TCP object"));
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    bpf_program__set_autoload(program, false);
  }
  auto* const rodata = skeleton_->rodata;
  rodata->tag_secret = RandomTagSecret();
  rodata->emit_listeners = options_.listeners;
  rodata->emit_last_data = by_interval();
  rodata->filter_by_process = filter_.any();
  filter_.Configure(environment, rodata);
  ConfigureTwins(environment, skeleton_.get());
  if (absl::Status status = filter_.Size(skeleton_->obj); !status.ok()) {
    return status;
  }
  ConfigureTcpFilter(options_.filter, rodata);
  SizeTcpFilter(options_.filter, skeleton_->obj);
  bpf_map__set_max_entries(skeleton_->maps.connections, options_.max_connections);
  AllocateByEntry(environment, skeleton_->maps.connections);
  AllocateByEntry(environment, skeleton_->maps.listening);
  bpf_map__set_max_entries(skeleton_->maps.tcp_ring, static_cast<__u32>(options_.ring_bytes));
  skeleton_->bss->tcp_state.bytes = options_.ring_bytes;
  if (!options_.pre_existing) {
    bpf_map__set_max_entries(skeleton_->maps.listening, 1);
  }
  return skeleton_->skeleton;
}

absl::Status TcpFeed::Start(const Environment& environment, const ForcedMechanisms& forced) {
  auto plan = std::make_unique<HookPlan>(StreamKind::kTcp, TcpHooks(environment, options_), forced);
  if (options_.pre_existing || options_.listeners) {
    plan->AlwaysLoad("mf_tcp_listeners");
  }
  if (options_.pre_existing) {
    plan->AlwaysLoad("mf_tcp_adopt");
  }
  if (filter_.by_tree()) {
    plan->AlwaysLoad("mf_family");
  }
  absl::Status status = Begin(
      std::move(plan), [&] { return OpenObject(environment); },
      [&](bpf_object* object) {
        absl::Status filled = filter_.Fill(object);
        filled.Update(FillTcpFilter(options_.filter, object));
        return filled;
      },
      TcpUncountedPrograms());
  if (status.ok()) {
    status = MapRing(StreamKind::kTcp, bpf_map__fd(skeleton_->maps.tcp_ring), options_.ring_bytes,
                     &skeleton_->bss->tcp_state);
  }
  if (status.ok() && filter_.by_tree()) {
    status = filter_.SeedTrees(skeleton_->obj, skeleton_->progs.mf_family);
  }
  if (status.ok()) {
    status = Adopt();
  }
  return status.ok() && by_interval() ? StartTimer() : status;
}

// Listeners first: by them the roles of the connections are known.
absl::Status TcpFeed::Adopt() {
  if (!options_.pre_existing && !options_.listeners) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::byte>> found = RunIterator(skeleton_->progs.mf_tcp_listeners);
  if (!found.ok()) {
    return found.status();
  }
  if (options_.pre_existing) {
    const absl::StatusOr<std::vector<std::byte>> open = RunIterator(skeleton_->progs.mf_tcp_adopt);
    if (!open.ok()) {
      return open.status();
    }
    found->insert(found->end(), open->begin(), open->end());
  }
  SetBacklog(RecordBatch(*std::move(found)));
  return absl::OkStatus();
}

absl::Status TcpFeed::StartTimer() {
  absl::StatusOr<TablePass> pass =
      TablePass::Create({.run = skeleton_->progs.mf_tcp_pass_run,
                         .iterator = skeleton_->progs.mf_tcp_pass,
                         .table = connections(),
                         .records = bpf_map__fd(skeleton_->maps.pass_records),
                         .record_size = sizeof(mf_tcp_data),
                         .max_records = MF_TCP_PASS_RECORDS,
                         .used = &skeleton_->bss->pass_used});
  if (!pass.ok()) {
    return pass.status();
  }
  pass_.emplace(*std::move(pass));
  absl::StatusOr<PassTimer> timer = PassTimer::Create(options_.data_interval);
  if (!timer.ok()) {
    return timer.status();
  }
  timer_ = *std::move(timer);
  timer_.Start();
  return absl::OkStatus();
}

int TcpFeed::connections() const {
  return bpf_map__fd(skeleton_->maps.connections);
}

// What a pass yields of each connection, whose memory grows by doubling, a copy of it, and its
// place in the index of the screen.
std::uint64_t TcpFeed::MostBytes() const {
  constexpr std::uint64_t kIndexEntry = 96;
  return std::uint64_t{options_.max_connections} * (3 * sizeof(mf_tcp_data) + kIndexEntry);
}

void TcpFeed::BeginTurn() {
  if (!by_interval()) {
    return;
  }
  pass_due_ = timer_.TakeDue() || pass_due_;
  // On an idle machine there is no timer: it starts again with the next connection.
  if (!timer_.on() && ring().produced() != produced_at_pass_) {
    timer_.Start();
  }
}

void TcpFeed::OnRingEmptied(KernelTime time) {
  NoteDropped(screen_.TakeDropped());
  if (pass_due_ && backlog().empty()) {
    pass_due_ = false;
    MakePass(time);
  }
}

RecordSink& TcpFeed::Screened(RecordSink& sink) {
  return screen_.Before(sink);
}

// `before`: what was announced until then has been taken off the ring, so that no connection
// moves bytes before it is known. A pass that fails (for lack of memory) is made up for by
// the next one: the counters go on.
void TcpFeed::MakePass(KernelTime before) {
  produced_at_pass_ = ring().produced();
  skeleton_->bss->pass_before_ns = static_cast<__u64>(before.time_since_epoch().count());
  skeleton_->bss->pass_seen = 0;
  skeleton_->bss->pass_sweeps = ++passes_ % kPassesASweep == 0;
  absl::StatusOr<std::vector<std::byte>> records = pass_->Run();
  if (!records.ok()) {
    return;
  }
  if (skeleton_->bss->pass_seen == 0) {
    timer_.Stop();
  }
  const auto end = std::chrono::time_point_cast<nanoseconds>(KernelTime::clock::now());
  screen_.NotePass(*records, end);
  SetBacklog(RecordBatch(*std::move(records)));
}

}  // namespace masflow::internal
