// SPDX-License-Identifier: Apache-2.0
#include "bpf/http_feed.h"

#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/http_hooks.h"
#include "bpf/libbpf_log.h"
#include "bpf/map_memory.h"
#include "bpf/skeleton.h"
#include "bpf/tcp_filter_maps.h"
#include "bpf/twins.h"
#include "http.skel.h"
#include "http_plain.skel.h"

namespace masflow::internal {
namespace {

constexpr std::chrono::milliseconds kPassPeriod{100};

}  // namespace

void HttpFeed::SkeletonDestroy::operator()(masflow_http_bpf* skeleton) const {
  masflow_http_bpf__destroy(skeleton);
}

HttpFeed::HttpFeed(const HttpOptions& options, FilterMaps filter, int tcp_connections)
    : options_(options), filter_(std::move(filter)), tcp_connections_(tcp_connections) {}

HttpFeed::~HttpFeed() {
  pass_.reset();
  End();
}

absl::StatusOr<std::unique_ptr<StreamFeed>> HttpFeed::Open(const Environment& environment,
                                                           const HttpOptions& options,
                                                           const ForcedMechanisms& forced,
                                                           int muted_cgroups, int tcp_connections) {
  absl::StatusOr<FilterMaps> filter =
      FilterMaps::Create(environment, options.filter.process, muted_cgroups);
  if (!filter.ok()) {
    return filter.status();
  }
  std::unique_ptr<HttpFeed> feed(new HttpFeed(options, *std::move(filter), tcp_connections));
  if (absl::Status status = feed->Start(environment, forced); !status.ok()) {
    return status;
  }
  return feed;
}

absl::StatusOr<bpf_object_skeleton*> HttpFeed::OpenObject(const Environment& environment) {
  LibbpfLog log;
  skeleton_.reset(
      OpenSkeleton<masflow_http_plain_bpf>(environment, masflow_http_bpf__create_skeleton));
  if (skeleton_ == nullptr) {
    return log.Attach(ErrnoStatus(errno, "cannot open the HTTP object"));
  }
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    bpf_program__set_autoload(program, false);
  }
  auto* const rodata = skeleton_->rodata;
  rodata->tag_secret = RandomTagSecret();
  rodata->request_capture = options_.request_capture;
  rodata->response_capture = options_.response_capture;
  rodata->filter_by_process = filter_.any();
  filter_.Configure(environment, rodata);
  ConfigureTwins(environment, skeleton_.get());
  if (absl::Status status = filter_.Size(skeleton_->obj); !status.ok()) {
    return status;
  }
  ConfigureTcpFilter(options_.filter, rodata);
  SizeTcpFilter(options_.filter, skeleton_->obj);
  bpf_map__set_max_entries(skeleton_->maps.http_conns, options_.max_connections);
  AllocateByEntry(environment, skeleton_->maps.http_conns);
  bpf_map__set_max_entries(skeleton_->maps.http_ring, static_cast<__u32>(options_.ring_bytes));
  skeleton_->bss->http_state.bytes = options_.ring_bytes;
  if (absl::Status status = ShareConnections(); !status.ok()) {
    return status;
  }
  return skeleton_->skeleton;
}

absl::Status HttpFeed::ShareConnections() {
  if (tcp_connections_ < 0) {
    bpf_map__set_max_entries(skeleton_->maps.connections, 1);
    return absl::OkStatus();
  }
  if (const int error = bpf_map__reuse_fd(skeleton_->maps.connections, tcp_connections_);
      error != 0) {
    return ErrnoStatus(-error, "cannot share the table of connections with the TCP stream");
  }
  skeleton_->bss->tcp_followed = true;
  return absl::OkStatus();
}

absl::Status HttpFeed::Start(const Environment& environment, const ForcedMechanisms& forced) {
  auto plan =
      std::make_unique<HookPlan>(StreamKind::kHttp, HttpHooks(environment, options_), forced);
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
      HttpUncountedPrograms());
  if (status.ok()) {
    status = MapRing(StreamKind::kHttp, bpf_map__fd(skeleton_->maps.http_ring), options_.ring_bytes,
                     &skeleton_->bss->http_state);
  }
  if (status.ok() && filter_.by_tree()) {
    status = filter_.SeedTrees(skeleton_->obj, skeleton_->progs.mf_family);
  }
  return status.ok() ? StartPass() : status;
}

absl::Status HttpFeed::StartPass() {
  absl::StatusOr<TablePass> pass =
      TablePass::Create({.run = skeleton_->progs.mf_http_pass_run,
                         .iterator = skeleton_->progs.mf_http_pass,
                         .table = bpf_map__fd(skeleton_->maps.http_unread)});
  if (!pass.ok()) {
    return pass.status();
  }
  pass_.emplace(*std::move(pass));
  absl::StatusOr<PassTimer> timer = PassTimer::Create(kPassPeriod);
  if (!timer.ok()) {
    return timer.status();
  }
  timer_ = *std::move(timer);
  return absl::OkStatus();
}

std::uint64_t HttpFeed::marks() const {
  return __atomic_load_n(&skeleton_->bss->unread_marks, __ATOMIC_RELAXED);
}

void HttpFeed::BeginTurn() {
  if (timer_.TakeDue()) {
    MakePass();
  }
  if (WantsTurn()) {
    timer_.Start();
  }
}

bool HttpFeed::WantsTurn() const {
  return (!timer_.on() && marks() != marks_seen_) || ends_kept() != ends_taken_;
}

std::uint64_t HttpFeed::ends_kept() const {
  return __atomic_load_n(&skeleton_->bss->ends_kept, __ATOMIC_ACQUIRE);
}

void HttpFeed::OnRingEmptied(KernelTime time) {
  if (backlog().empty() && ends_kept() != ends_taken_) {
    TakeEnds(time);
  }
}

// Ends from the table: their keys, and the records, whose memory grows by doubling.
std::uint64_t HttpFeed::MostBytes() const {
  return bpf_map__max_entries(skeleton_->maps.http_ends) *
         (2 * sizeof(mf_http_id) + 2 * sizeof(mf_http_end));
}

// `before`: what was sent until then has been taken off the ring, so that no end overtakes a record
// of its connection.
void HttpFeed::TakeEnds(KernelTime before) {
  const int table = bpf_map__fd(skeleton_->maps.http_ends);
  const std::uint64_t kept = ends_kept();
  std::vector<mf_http_id> keys;
  mf_http_id key{};
  for (const void* last = nullptr; bpf_map_get_next_key(table, last, &key) == 0; last = &key) {
    keys.push_back(key);
  }
  std::vector<std::byte> records;
  bool all = true;
  for (const mf_http_id& found : keys) {
    mf_http_end end{};
    const bool is_due = bpf_map_lookup_elem(table, &found, &end) == 0 && end.header.ktime_ns != 0 &&
                        KernelTime(std::chrono::nanoseconds(end.header.ktime_ns)) < before;
    all = all && is_due;
    if (is_due) {
      bpf_map_delete_elem(table, &found);
      const auto* const bytes = reinterpret_cast<const std::byte*>(&end);
      records.insert(records.end(), bytes, bytes + sizeof(end));
    }
  }
  ends_taken_ = all ? kept : ends_taken_;
  SetBacklog(RecordBatch(std::move(records)));
}

// One that fails, for lack of memory, is made up for by the next one.
void HttpFeed::MakePass() {
  marks_seen_ = marks();
  skeleton_->bss->pass_seen = 0;
  if (pass_->Run().ok() && skeleton_->bss->pass_seen == 0) {
    timer_.Stop();
  }
}

void HttpFeed::LeaveTcp() {
  __atomic_store_n(&skeleton_->bss->tcp_followed, false, __ATOMIC_RELAXED);
}

}  // namespace masflow::internal
