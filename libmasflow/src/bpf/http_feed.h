// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_HTTP_FEED_H_
#define MASFLOW_BPF_HTTP_FEED_H_

#include <cstdint>
#include <memory>
#include <optional>

#include <absl/status/statusor.h>

#include "bpf/environment.h"
#include "bpf/filter_maps.h"
#include "bpf/pass_timer.h"
#include "bpf/stream_feed.h"
#include "bpf/table_pass.h"
#include "masflow/http_stream.h"

struct bpf_object_skeleton;
struct masflow_http_bpf;

namespace masflow::internal {

// bpf/http.bpf.c. Its records come through the ring: where bytes of long bodies have passed
// unread, a pass over these connections makes the kernel side say so. Only ends of connections
// that did not fit into the ring are taken from a table, once that has been emptied.
class HttpFeed final : public StreamFeed {
 public:
  // `tcp_connections`: the table of the session's TCP stream, from which connections take their
  // identity; -1 if there is none. Borrowed for the call.
  static absl::StatusOr<std::unique_ptr<StreamFeed>> Open(const Environment& environment,
                                                          const HttpOptions& options,
                                                          const ForcedMechanisms& forced,
                                                          int muted_cgroups, int tcp_connections);
  ~HttpFeed() override;

  int timer_fd() const override { return timer_.fd(); }
  void BeginTurn() override;
  bool WantsTurn() const override;
  void OnRingEmptied(KernelTime time) override;
  std::uint64_t MostBytes() const override;
  // The TCP stream is closed: its table is kept up to date no longer.
  void LeaveTcp();

 private:
  struct SkeletonDestroy {
    void operator()(masflow_http_bpf* skeleton) const;
  };

  HttpFeed(const HttpOptions& options, FilterMaps filter, int tcp_connections);
  absl::StatusOr<bpf_object_skeleton*> OpenObject(const Environment& environment);
  absl::Status ShareConnections();
  absl::Status Start(const Environment& environment, const ForcedMechanisms& forced);
  absl::Status StartPass();
  void MakePass();
  void TakeEnds(KernelTime before);
  std::uint64_t marks() const;
  std::uint64_t ends_kept() const;

  const HttpOptions options_;
  const FilterMaps filter_;
  const int tcp_connections_;  // only while opening
  std::unique_ptr<masflow_http_bpf, SkeletonDestroy> skeleton_;
  std::optional<TablePass> pass_;

  PassTimer timer_;  // runs while bytes have passed unread
  std::uint64_t marks_seen_ = 0;
  std::uint64_t ends_taken_ = 0;  // as ends_kept() was when none was left
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_HTTP_FEED_H_
