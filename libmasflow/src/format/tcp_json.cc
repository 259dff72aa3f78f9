// SPDX-License-Identifier: Apache-2.0
//
// TCP events as JSON. Keys and their order are part of the interface: docs/command.md.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/connection_json.h"
#include "format/json_line.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::AddAddress;
using internal::AddEnds;
using internal::AddOwner;
using internal::AddPort;
using internal::CloseLine;
using internal::JsonLine;

// With the role by the connection itself.
void AddConnection(const ConnectionView& c, JsonLine* line) {
  std::optional<std::string_view> role;
  if (c.role.has_value()) {
    role = internal::NameOf(*c.role);
  }
  internal::AddConnection(c, role, line);
}

void AddThread(std::uint32_t tid, const ConnectionView& c, JsonLine* line) {
  if (c.owner.has_value()) {
    line->Number("masflow.tid", tid);
  }
}

void AddUser(const std::optional<SocketUserView>& user, JsonLine* line) {
  if (user.has_value()) {
    line->Number("masflow.user_pid", user->id.pid);
    line->Number("masflow.user_start_ns", user->id.start.count());
    line->Text("masflow.user_comm", user->comm);
  }
}

std::string_view NameOf(ConnectOutcome outcome) {
  switch (outcome) {
    case ConnectOutcome::kConnected:
      return "connected";
    case ConnectOutcome::kFailed:
      return "failed";
    case ConnectOutcome::kAbandoned:
      return "abandoned";
  }
  return "unknown";
}

}  // namespace

void AppendJson(const TcpConnectView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.connect", out);
  AddEnds(e.connection, &line);
  if (e.outcome == ConnectOutcome::kFailed) {
    line.Error(e.error);
  }
  AddConnection(e.connection, &line);
  AddThread(e.tid, e.connection, &line);
  line.Text("masflow.outcome", NameOf(e.outcome));
  line.Number("masflow.handshake_ns", e.handshake);
  CloseLine(e.connection, &line);
}

void AppendJson(const TcpAcceptView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.accept", out);
  AddEnds(e.connection, &line);
  AddConnection(e.connection, &line);
  AddThread(e.tid, e.connection, &line);
  line.Number("masflow.queued_ns", e.queued);
  CloseLine(e.connection, &line);
}

void AppendJson(const TcpDataView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.data", out);
  AddEnds(e.connection, &line);
  AddConnection(e.connection, &line);
  line.Number("masflow.tid", e.tid);
  line.Number("masflow.tx_bytes", e.tx_bytes);
  line.Number("masflow.rx_bytes", e.rx_bytes);
  line.Number("masflow.tx_total_bytes", e.tx_total_bytes);
  line.Number("masflow.rx_total_bytes", e.rx_total_bytes);
  line.Number("masflow.span_ns", e.span);
  AddUser(e.user, &line);
  CloseLine(e.connection, &line);
}

void AppendJson(const TcpCloseView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.close", out);
  AddEnds(e.connection, &line);
  if (e.error != 0) {
    line.Error(e.error);
  }
  AddConnection(e.connection, &line);
  line.Text("masflow.close_reason", Name(e.reason));
  if (e.closed_first.has_value()) {
    line.Text("masflow.closed_first", e.closed_first == TcpEnd::kLocal ? "local" : "remote");
  }
  line.Flag("masflow.accepted", e.accepted, /*usual=*/true);
  line.Number("masflow.duration_ns", e.duration);
  line.Number("masflow.tx_bytes", e.tx_bytes);
  line.Number("masflow.rx_bytes", e.rx_bytes);
  line.Number("masflow.tx_segments", e.tx_segments);
  line.Number("masflow.rx_segments", e.rx_segments);
  line.Number("masflow.retransmits", e.retransmits);
  line.Number("masflow.smoothed_rtt_us", e.smoothed_rtt);
  line.Number("masflow.min_rtt_us", e.min_rtt);
  AddUser(e.user, &line);
  CloseLine(e.connection, &line);
}

void AppendJson(const TcpOpenView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.open", out);
  AddEnds(e.connection, &line);
  AddConnection(e.connection, &line);
  CloseLine(e.connection, &line);
}

void AppendJson(const TcpListenView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.listen", out);
  AddOwner(e.connection, &line);
  // As of the connections that it will accept: it is their destination.
  AddAddress("destination.address", e.connection.local, &line);
  AddPort("destination.port", e.connection.local, &line);
  line.Text("network.transport", "tcp");
  line.Text("network.type", e.connection.local.address.is_v6 ? "ipv6" : "ipv4");
  AddConnection(e.connection, &line);
  line.Number("masflow.backlog", e.backlog);
  CloseLine(e.connection, &line);
}

}  // namespace v0
}  // namespace masflow
