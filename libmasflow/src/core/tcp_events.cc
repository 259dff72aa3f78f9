// SPDX-License-Identifier: Apache-2.0
//
// As events.cc: a field added to an event and forgotten here fails tcp_events_test.cc.
#include "masflow/tcp_events.h"

#include "core/event_convert.h"

namespace masflow {
inline namespace v0 {
namespace {

template <class To, class From>
std::optional<BasicSocketUser<To>> ConvertUser(const std::optional<BasicSocketUser<From>>& from) {
  if (!from.has_value()) {
    return std::nullopt;
  }
  return BasicSocketUser<To>{.id = from->id, .comm = To(from->comm)};
}

template <class To, class From>
BasicTcpConnect<To> Convert(const BasicTcpConnect<From>& from) {
  return {.time = from.time,
          .connection = internal::ConvertConnection<To>(from.connection),
          .tid = from.tid,
          .outcome = from.outcome,
          .error = from.error,
          .handshake = from.handshake};
}

template <class To, class From>
BasicTcpAccept<To> Convert(const BasicTcpAccept<From>& from) {
  return {.time = from.time,
          .connection = internal::ConvertConnection<To>(from.connection),
          .tid = from.tid,
          .queued = from.queued};
}

template <class To, class From>
BasicTcpData<To> Convert(const BasicTcpData<From>& from) {
  return {.time = from.time,
          .connection = internal::ConvertConnection<To>(from.connection),
          .tx_bytes = from.tx_bytes,
          .rx_bytes = from.rx_bytes,
          .tx_total_bytes = from.tx_total_bytes,
          .rx_total_bytes = from.rx_total_bytes,
          .span = from.span,
          .tid = from.tid,
          .user = ConvertUser<To>(from.user)};
}

template <class To, class From>
BasicTcpClose<To> Convert(const BasicTcpClose<From>& from) {
  return {.time = from.time,
          .connection = internal::ConvertConnection<To>(from.connection),
          .reason = from.reason,
          .error = from.error,
          .closed_first = from.closed_first,
          .accepted = from.accepted,
          .duration = from.duration,
          .tx_bytes = from.tx_bytes,
          .rx_bytes = from.rx_bytes,
          .tx_segments = from.tx_segments,
          .rx_segments = from.rx_segments,
          .retransmits = from.retransmits,
          .smoothed_rtt = from.smoothed_rtt,
          .min_rtt = from.min_rtt,
          .user = ConvertUser<To>(from.user)};
}

template <class To, class From>
BasicTcpOpen<To> Convert(const BasicTcpOpen<From>& from) {
  return {.time = from.time, .connection = internal::ConvertConnection<To>(from.connection)};
}

template <class To, class From>
BasicTcpListen<To> Convert(const BasicTcpListen<From>& from) {
  return {.time = from.time,
          .connection = internal::ConvertConnection<To>(from.connection),
          .backlog = from.backlog};
}

}  // namespace

bool IpAddress::is_loopback() const {
  if (!is_v6) {
    return bytes[0] == 127;
  }
  constexpr std::array<std::uint8_t, 16> kLoopback = {0, 0, 0, 0, 0, 0, 0, 0,
                                                      0, 0, 0, 0, 0, 0, 0, 1};
  return bytes == kLoopback;
}

std::string_view Name(CloseReason reason) {
  switch (reason) {
    case CloseReason::kFin:
      return "fin";
    case CloseReason::kRemoteReset:
      return "remote reset";
    case CloseReason::kLocalReset:
      return "local reset";
    case CloseReason::kTimeout:
      return "timeout";
    case CloseReason::kError:
      return "error";
    case CloseReason::kUnseen:
      return "unseen";
  }
  return "unknown reason";
}

TcpConnect Own(const TcpConnectView& view) {
  return Convert<std::string>(view);
}
TcpAccept Own(const TcpAcceptView& view) {
  return Convert<std::string>(view);
}
TcpData Own(const TcpDataView& view) {
  return Convert<std::string>(view);
}
TcpClose Own(const TcpCloseView& view) {
  return Convert<std::string>(view);
}
TcpOpen Own(const TcpOpenView& view) {
  return Convert<std::string>(view);
}
TcpListen Own(const TcpListenView& view) {
  return Convert<std::string>(view);
}

TcpConnectView View(const TcpConnect& event) {
  return Convert<std::string_view>(event);
}
TcpAcceptView View(const TcpAccept& event) {
  return Convert<std::string_view>(event);
}
TcpDataView View(const TcpData& event) {
  return Convert<std::string_view>(event);
}
TcpCloseView View(const TcpClose& event) {
  return Convert<std::string_view>(event);
}
TcpOpenView View(const TcpOpen& event) {
  return Convert<std::string_view>(event);
}
TcpListenView View(const TcpListen& event) {
  return Convert<std::string_view>(event);
}

}  // namespace v0
}  // namespace masflow
