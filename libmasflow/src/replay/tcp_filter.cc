// SPDX-License-Identifier: Apache-2.0
#include "replay/tcp_filter.h"

#include <utility>

#include "replay/connection_match.h"
#include "wire/read_record.h"

namespace masflow::internal {
namespace {

class TcpRecordFilter final : public RecordFilter {
 public:
  TcpRecordFilter(const TcpOptions& options, ConnectionMatch connections)
      : RecordFilter(options.filter.process),
        data_(options.data != TcpDataMode::kOff),
        pre_existing_(options.pre_existing),
        listeners_(options.listeners),
        connections_(std::move(connections)) {}

  bool Passes(RecordBytes record) override;

 private:
  bool Wanted(const mf_header& header) const;

  const bool data_;
  const bool pre_existing_;
  const bool listeners_;
  const ConnectionMatch connections_;
};

bool TcpRecordFilter::Passes(RecordBytes record) {
  mf_tcp_base base;
  if (!CopyFront(record, &base) || base.header.kind < MF_KIND_TCP_CONNECT ||
      base.header.kind > MF_KIND_TCP_LISTEN) {
    return true;
  }
  const bool passes = connections_.Passes(base, &processes());  // in any case: it follows trees
  return passes && Wanted(base.header);
}

bool TcpRecordFilter::Wanted(const mf_header& header) const {
  if (header.kind == MF_KIND_TCP_LISTEN) {
    return listeners_;
  }
  if (!pre_existing_ &&
      (header.kind == MF_KIND_TCP_OPEN || (header.flags & MF_TCP_PRE_EXISTING) != 0)) {
    return false;
  }
  // By interval or by call is as it was recorded.
  return header.kind != MF_KIND_TCP_DATA || data_;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordFilter>> MakeTcpFilter(const TcpOptions& options) {
  absl::StatusOr<ConnectionMatch> connections = ConnectionMatch::Create(options.filter);
  if (!connections.ok()) {
    return connections.status();
  }
  return std::make_unique<TcpRecordFilter>(options, *std::move(connections));
}

}  // namespace masflow::internal
