// SPDX-License-Identifier: Apache-2.0
//
// TCP events as aligned text.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "format/connection_text.h"
#include "format/escape.h"
#include "format/numbers.h"
#include "format/text_line.h"
#include "format/workload_text.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::AppendDuration;
using internal::AppendEndpoint;
using internal::AppendErrno;
using internal::AppendField;
using internal::AppendOwner;
using internal::EventName;
using internal::Line;

// All columns, and who talks to whom.
void AppendHead(const ConnectionView& c, WallTime at, const EventName& name, TextStyle style,
                Line* out) {
  AppendOwner(c, at, name, style, out);
  internal::AppendEnds(c, out);
}

// What of the line was not observed.
void AppendMarks(const ConnectionView& c, Line* out) {
  internal::AppendInferred(c, out);
  out->Append(c.role.has_value() ? "" : " (role unknown)");
  internal::AppendWorkloads(c, out);
}

// The thread that did it, where that is not the first one of its process.
void AppendThread(std::uint32_t tid, std::uint32_t pid, Line* out) {
  if (tid != pid) {
    AppendField("  tid=", tid, out);
  }
}

void AppendUser(std::string_view what, const std::optional<SocketUserView>& user, Line* out) {
  if (user.has_value()) {
    AppendField(what, user->id.pid, out);
    out->Append('(');
    internal::AppendWord(user->comm, out);
    out->Append(')');
  }
}

void AppendBytes(std::uint64_t tx, std::uint64_t rx, Line* out) {
  AppendField("tx=", tx, out);
  AppendField(" rx=", rx, out);
  out->Append(" bytes");
}

void AppendOutcome(const TcpConnectView& e, Line* out) {
  std::string_view before_time = "in ";
  switch (e.outcome) {
    case ConnectOutcome::kConnected:
      if (!e.handshake.has_value()) {
        out->Append("connected");
      }
      break;
    case ConnectOutcome::kFailed:
      out->Append("failed: ");
      AppendErrno(e.error, out);
      before_time = " after ";
      break;
    case ConnectOutcome::kAbandoned:
      out->Append("given up");
      before_time = " after ";
      break;
  }
  if (e.handshake.has_value()) {
    out->Append(before_time);
    AppendDuration(*e.handshake, out);
  }
}

std::string_view NameOf(TcpEnd end) {
  return end == TcpEnd::kLocal ? "local" : "remote";
}

// "fin by local", "remote reset", "remote reset after fin by local", "timeout ETIMEDOUT"
void AppendReason(const TcpCloseView& e, Line* out) {
  const std::string_view reason = Name(e.reason);
  out->Append(reason);
  if (e.error != 0) {
    out->Append(' ');
    AppendErrno(e.error, out);
  }
  if (!e.closed_first.has_value() || reason.starts_with(NameOf(*e.closed_first))) {
    return;
  }
  out->Append(e.reason == CloseReason::kFin ? " by " : " after fin by ");
  out->Append(NameOf(*e.closed_first));
}

void AppendCounts(const TcpCloseView& e, Line* out) {
  AppendBytes(e.tx_bytes, e.rx_bytes, out);
  if (e.duration.has_value()) {
    out->Append(" in ");
    AppendDuration(*e.duration, out);
  }
  out->Append(e.connection.pre_existing ? " (since the start)" : "");
  AppendField(", segments ", e.tx_segments, out);
  AppendField("/", e.rx_segments, out);
  AppendField(", retransmits ", e.retransmits, out);
  if (e.smoothed_rtt.has_value()) {
    out->Append(", rtt ");
    AppendDuration(*e.smoothed_rtt, out);
  }
}

}  // namespace

void AppendText(const TcpConnectView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  const bool connected = e.outcome == ConnectOutcome::kConnected;
  const EventName name{"TCP Connect", connected ? internal::kGreen : internal::kRed};
  AppendHead(e.connection, at, name, style, &line);
  AppendOutcome(e, &line);
  if (e.connection.owner.has_value()) {
    AppendThread(e.tid, e.connection.owner->id.pid, &line);
  }
  AppendMarks(e.connection, &line);
}

void AppendText(const TcpAcceptView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendHead(e.connection, at, {"TCP Accept", internal::kGreen}, style, &line);
  if (e.queued.has_value()) {
    line.Append("queued ");
    AppendDuration(*e.queued, &line);
  } else {
    line.Append("accepted");
  }
  if (e.connection.owner.has_value()) {
    AppendThread(e.tid, e.connection.owner->id.pid, &line);
  }
  AppendMarks(e.connection, &line);
}

void AppendText(const TcpDataView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendHead(e.connection, at, {"TCP Data", internal::kCyan}, style, &line);
  AppendBytes(e.tx_bytes, e.rx_bytes, &line);
  AppendUser(" by ", e.user, &line);
  if (e.tid.has_value() && e.user.has_value()) {
    AppendThread(*e.tid, e.user->id.pid, &line);
  } else if (e.tid.has_value() && e.connection.owner.has_value()) {
    AppendThread(*e.tid, e.connection.owner->id.pid, &line);
  }
  AppendMarks(e.connection, &line);
}

void AppendText(const TcpCloseView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendHead(e.connection, at, {"TCP Close", internal::kBlue}, style, &line);
  AppendReason(e, &line);
  line.Append(", ");
  AppendCounts(e, &line);
  AppendUser(", last used by ", e.user, &line);
  line.Append(e.accepted ? "" : " (not accepted)");
  AppendMarks(e.connection, &line);
}

void AppendText(const TcpOpenView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendHead(e.connection, at, {"TCP Open", internal::kGrey}, style, &line);
  if (e.connection.role.has_value()) {
    line.Append(e.connection.role == TcpRole::kClient ? "client" : "server");
  } else {
    line.Append("open");
  }
  AppendMarks(e.connection, &line);
}

void AppendText(const TcpListenView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  AppendOwner(e.connection, at, {"TCP Listen", internal::kGrey}, style, &line);
  AppendEndpoint(e.connection.local, &line);
  AppendField("  backlog=", e.backlog, &line);
  line.Append(e.connection.pre_existing ? " (was open)" : "");
  line.Append(e.connection.owner_inferred ? " (owner inferred)" : "");
  internal::AppendWorkloads(e.connection, &line);
}

}  // namespace v0
}  // namespace masflow
