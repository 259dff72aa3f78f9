// SPDX-License-Identifier: Apache-2.0
//
// TCP events as JSON. Keys and their order are part of the interface: docs/command.md.
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/json_line.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::JsonLine;

void AddAddress(std::string_view key, const Endpoint& end, JsonLine* line) {
  // A connect can fail before it is given one.
  if (end.port != 0 || !end.address.is_unspecified()) {
    line->Text(key, ToString(end.address));
  }
}

void AddPort(std::string_view key, const Endpoint& end, JsonLine* line) {
  if (end.port != 0) {
    line->Number(key, end.port);
  }
}

std::string IdText(const ConnectionId& id) {
  char text[16 + 1 + 8];
  char* const end = text + sizeof(text);
  const auto birth = static_cast<std::uint64_t>(id.birth.time_since_epoch().count());
  char* at = std::to_chars(text, end, birth, 16).ptr;
  *at++ = '-';
  at = std::to_chars(at, end, id.tag, 16).ptr;
  return std::string(text, at);
}

void AddOwner(const ConnectionView& c, JsonLine* line) {
  if (c.owner.has_value()) {
    line->Process(*c.owner);
  }
}

// What the conventions name.
void AddEnds(const ConnectionView& c, JsonLine* line) {
  AddOwner(c, line);
  AddAddress("source.address", c.source(), line);
  AddPort("source.port", c.source(), line);
  AddAddress("destination.address", c.destination(), line);
  AddPort("destination.port", c.destination(), line);
  line->Text("network.transport", "tcp");
  line->Text("network.type", c.destination().address.is_v6 ? "ipv6" : "ipv4");
}

// What they do not.
void AddConnection(const ConnectionView& c, JsonLine* line) {
  line->Text("masflow.connection_id", IdText(c.id));
  if (c.role.has_value()) {
    line->Text("masflow.role", c.role == TcpRole::kClient ? "client" : "server");
  }
  line->Flag("masflow.role_inferred", c.role_inferred);
  line->Flag("masflow.owner_inferred", c.owner_inferred);
  line->Flag("masflow.pre_existing", c.pre_existing);
  line->Number("masflow.netns", c.netns);
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

void Close(const ConnectionView& c, JsonLine* line) {
  if (c.owner.has_value()) {
    line->ProcessExtras(*c.owner);
  }
  line->Close();
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
  Close(e.connection, &line);
}

void AppendJson(const TcpAcceptView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.accept", out);
  AddEnds(e.connection, &line);
  AddConnection(e.connection, &line);
  AddThread(e.tid, e.connection, &line);
  line.Number("masflow.queued_ns", e.queued);
  Close(e.connection, &line);
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
  Close(e.connection, &line);
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
  Close(e.connection, &line);
}

void AppendJson(const TcpOpenView& e, WallTime at, std::string* out) {
  JsonLine line(at, "tcp.open", out);
  AddEnds(e.connection, &line);
  AddConnection(e.connection, &line);
  Close(e.connection, &line);
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
  Close(e.connection, &line);
}

}  // namespace v0
}  // namespace masflow
