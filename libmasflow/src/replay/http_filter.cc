// SPDX-License-Identifier: Apache-2.0
#include "replay/http_filter.h"

#include <utility>

#include "replay/connection_match.h"
#include "replay/connection_memory.h"
#include "wire/read_record.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kMaxJudged = std::size_t{1} << 20;

// Every record but the one of the connection begins so.
struct HttpHead {
  mf_header header;
  mf_http_id id;
};

class HttpRecordFilter final : public RecordFilter {
 public:
  HttpRecordFilter(const HttpOptions& options, ConnectionMatch connections)
      : RecordFilter(options.filter.process),
        connections_(std::move(connections)),
        lets_all_pass_(connections_.lets_all_pass() && processes().lets_all_pass()) {}

  bool Passes(RecordBytes record) override;

 private:
  bool Judge(RecordBytes record);

  const ConnectionMatch connections_;
  const bool lets_all_pass_;
  ConnectionMemory<bool> judged_{kMaxJudged};
};

bool HttpRecordFilter::Passes(RecordBytes record) {
  HttpHead head;
  if (lets_all_pass_ || !CopyFront(record, &head) || head.header.kind < MF_KIND_HTTP_CONNECTION ||
      head.header.kind > MF_KIND_HTTP_END) {
    return true;
  }
  if (head.header.kind == MF_KIND_HTTP_CONNECTION) {
    return Judge(record);
  }
  const ConnectionId id = Id(head.id);
  const bool* const verdict = judged_.Find(id);
  const bool passes = verdict != nullptr && *verdict;
  mf_http_end end;
  if (head.header.kind == MF_KIND_HTTP_END && CopyFront(record, &end) &&
      end.reason != MF_HTTP_END_SENT) {
    judged_.Forget(id);
  }
  return passes;
}

bool HttpRecordFilter::Judge(RecordBytes record) {
  mf_http_connection connection;
  if (!CopyFront(record, &connection)) {
    return true;
  }
  const mf_tcp_base& base = connection.base;
  const ConnectionId id = Id({.birth_ns = base.tcp.birth_ns, .tag = base.tcp.tag, .pad = 0});
  const bool now = connections_.Passes(base, &processes());  // in any case: it follows trees
  const bool* const before = judged_.Find(id);
  return before != nullptr ? *before : judged_.Add(id, now);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordFilter>> MakeHttpFilter(const HttpOptions& options) {
  absl::StatusOr<ConnectionMatch> connections = ConnectionMatch::Create(options.filter);
  if (!connections.ok()) {
    return connections.status();
  }
  return std::make_unique<HttpRecordFilter>(options, *std::move(connections));
}

}  // namespace masflow::internal
