// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_TCP_FEED_H_
#define MASFLOW_BPF_TCP_FEED_H_

#include <memory>
#include <optional>

#include <absl/status/statusor.h>

#include "bpf/environment.h"
#include "bpf/filter_maps.h"
#include "bpf/pass_screen.h"
#include "bpf/pass_timer.h"
#include "bpf/stream_feed.h"
#include "bpf/table_pass.h"
#include "masflow/tcp_stream.h"

struct bpf_object_skeleton;
struct masflow_tcp_bpf;

namespace masflow::internal {

// bpf/tcp.bpf.c. Its first backlog is what was open before; later ones are the passes over
// the table of connections that tell, by interval, which of them moved bytes.
class TcpFeed final : public StreamFeed {
 public:
  static absl::StatusOr<std::unique_ptr<StreamFeed>> Open(const Environment& environment,
                                                          const TcpOptions& options,
                                                          const ForcedMechanisms& forced,
                                                          int muted_cgroups);
  ~TcpFeed() override;

  int timer_fd() const override { return timer_.fd(); }
  // The table of connections; as long as the feed lives.
  int connections() const;

  void BeginTurn() override;
  std::uint64_t MostBytes() const override;
  void OnRingEmptied(KernelTime time) override;
  RecordSink& Screened(RecordSink& sink) override;

 private:
  struct SkeletonDestroy {
    void operator()(masflow_tcp_bpf* skeleton) const;
  };

  TcpFeed(const TcpOptions& options, FilterMaps filter);
  absl::StatusOr<bpf_object_skeleton*> OpenObject(const Environment& environment);
  absl::Status Start(const Environment& environment, const ForcedMechanisms& forced);
  absl::Status StartTimer();
  absl::Status Adopt();
  bool by_interval() const { return options_.data == TcpDataMode::kInterval; }
  void MakePass(KernelTime before);

  const TcpOptions options_;
  const FilterMaps filter_;
  std::unique_ptr<masflow_tcp_bpf, SkeletonDestroy> skeleton_;
  std::optional<TablePass> pass_;

  PassTimer timer_;  // of the interval; runs while there are connections
  bool pass_due_ = false;
  std::uint64_t passes_ = 0;
  std::uint64_t produced_at_pass_ = 0;  // by the ring; more since: there may be connections again
  PassScreen screen_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_TCP_FEED_H_
