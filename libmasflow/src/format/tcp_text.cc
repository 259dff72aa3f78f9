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

// All columns, and who talks to whom.
void AppendHead(const ConnectionView& c, WallTime at, const EventName& name, TextStyle style,
                std::string* out) {
  AppendOwner(c, at, name, style, out);
  internal::AppendEnds(c, out);
}

// What of the line was not observed.
void AppendMarks(const ConnectionView& c, std::string* out) {
  internal::AppendInferred(c, out);
  out->append(c.role.has_value() ? "" : " (role unknown)");
  internal::AppendWorkloads(c, out);
}

// The thread that did it, where that is not the first one of its process.
void AppendThread(std::uint32_t tid, std::uint32_t pid, std::string* out) {
  if (tid != pid) {
    AppendField("  tid=", tid, out);
  }
}

void AppendUser(std::string_view what, const std::optional<SocketUserView>& user,
                std::string* out) {
  if (user.has_value()) {
    AppendField(what, user->id.pid, out);
    out->push_back('(');
    internal::AppendWord(user->comm, out);
    out->push_back(')');
  }
}

void AppendBytes(std::uint64_t tx, std::uint64_t rx, std::string* out) {
  AppendField("tx=", tx, out);
  AppendField(" rx=", rx, out);
  out->append(" bytes");
}

void AppendOutcome(const TcpConnectView& e, std::string* out) {
  std::string_view before_time = "in ";
  switch (e.outcome) {
    case ConnectOutcome::kConnected:
      if (!e.handshake.has_value()) {
        out->append("connected");
      }
      break;
    case ConnectOutcome::kFailed:
      out->append("failed: ");
      AppendErrno(e.error, out);
      before_time = " after ";
      break;
    case ConnectOutcome::kAbandoned:
      out->append("given up");
      before_time = " after ";
      break;
  }
  if (e.handshake.has_value()) {
    out->append(before_time);
    AppendDuration(*e.handshake, out);
  }
}

std::string_view NameOf(TcpEnd end) {
  return end == TcpEnd::kLocal ? "local" : "remote";
}

// "fin by local", "remote reset", "remote reset after fin by local", "timeout ETIMEDOUT"
void AppendReason(const TcpCloseView& e, std::string* out) {
  const std::string_view reason = Name(e.reason);
  out->append(reason);
  if (e.error != 0) {
    out->push_back(' ');
    AppendErrno(e.error, out);
  }
  if (!e.closed_first.has_value() || reason.starts_with(NameOf(*e.closed_first))) {
    return;
  }
  out->append(e.reason == CloseReason::kFin ? " by " : " after fin by ");
  out->append(NameOf(*e.closed_first));
}

void AppendCounts(const TcpCloseView& e, std::string* out) {
  AppendBytes(e.tx_bytes, e.rx_bytes, out);
  if (e.duration.has_value()) {
    out->append(" in ");
    AppendDuration(*e.duration, out);
  }
  out->append(e.connection.pre_existing ? " (since the start)" : "");
  AppendField(", segments ", e.tx_segments, out);
  AppendField("/", e.rx_segments, out);
  AppendField(", retransmits ", e.retransmits, out);
  if (e.smoothed_rtt.has_value()) {
    out->append(", rtt ");
    AppendDuration(*e.smoothed_rtt, out);
  }
}

}  // namespace

void AppendText(const TcpConnectView& e, WallTime at, TextStyle style, std::string* out) {
  const bool connected = e.outcome == ConnectOutcome::kConnected;
  const EventName name{"TCP Connect", connected ? internal::kGreen : internal::kRed};
  AppendHead(e.connection, at, name, style, out);
  AppendOutcome(e, out);
  if (e.connection.owner.has_value()) {
    AppendThread(e.tid, e.connection.owner->id.pid, out);
  }
  AppendMarks(e.connection, out);
}

void AppendText(const TcpAcceptView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(e.connection, at, {"TCP Accept", internal::kGreen}, style, out);
  if (e.queued.has_value()) {
    out->append("queued ");
    AppendDuration(*e.queued, out);
  } else {
    out->append("accepted");
  }
  if (e.connection.owner.has_value()) {
    AppendThread(e.tid, e.connection.owner->id.pid, out);
  }
  AppendMarks(e.connection, out);
}

void AppendText(const TcpDataView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(e.connection, at, {"TCP Data", internal::kCyan}, style, out);
  AppendBytes(e.tx_bytes, e.rx_bytes, out);
  AppendUser(" by ", e.user, out);
  if (e.tid.has_value() && e.user.has_value()) {
    AppendThread(*e.tid, e.user->id.pid, out);
  } else if (e.tid.has_value() && e.connection.owner.has_value()) {
    AppendThread(*e.tid, e.connection.owner->id.pid, out);
  }
  AppendMarks(e.connection, out);
}

void AppendText(const TcpCloseView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(e.connection, at, {"TCP Close", internal::kBlue}, style, out);
  AppendReason(e, out);
  out->append(", ");
  AppendCounts(e, out);
  AppendUser(", last used by ", e.user, out);
  out->append(e.accepted ? "" : " (not accepted)");
  AppendMarks(e.connection, out);
}

void AppendText(const TcpOpenView& e, WallTime at, TextStyle style, std::string* out) {
  AppendHead(e.connection, at, {"TCP Open", internal::kGrey}, style, out);
  if (e.connection.role.has_value()) {
    out->append(e.connection.role == TcpRole::kClient ? "client" : "server");
  } else {
    out->append("open");
  }
  AppendMarks(e.connection, out);
}

void AppendText(const TcpListenView& e, WallTime at, TextStyle style, std::string* out) {
  AppendOwner(e.connection, at, {"TCP Listen", internal::kGrey}, style, out);
  AppendEndpoint(e.connection.local, out);
  AppendField("  backlog=", e.backlog, out);
  out->append(e.connection.pre_existing ? " (was open)" : "");
  out->append(e.connection.owner_inferred ? " (owner inferred)" : "");
  internal::AppendWorkloads(e.connection, out);
}

}  // namespace v0
}  // namespace masflow
