// SPDX-License-Identifier: Apache-2.0
#include "wire/tcp_record.h"

#include <chrono>
#include <cstdint>
#include <cstring>

#include "wire/read_connection.h"
#include "wire/read_record.h"

namespace masflow::internal {
namespace {

using Bytes = RecordSpan;

// 0 stands for what was not seen.
template <class Duration, class Count>
std::optional<Duration> Seen(Count count) {
  return count != 0 ? std::optional(Duration(count)) : std::nullopt;
}

}  // namespace

std::optional<TcpRecordView> TcpDecoder::Decode(Bytes record) {
  mf_header header;
  if (!CopyFront(record, &header)) {
    return std::nullopt;
  }
  switch (header.kind) {
    case MF_KIND_TCP_CONNECT:
      return DecodeConnect(record);
    case MF_KIND_TCP_ACCEPT:
      return DecodeAccept(record);
    case MF_KIND_TCP_DATA:
      return DecodeData(record);
    case MF_KIND_TCP_CLOSE:
      return DecodeClose(record);
    case MF_KIND_TCP_OPEN:
      return DecodeOpen(record);
    case MF_KIND_TCP_LISTEN:
      return DecodeListen(record);
    default:
      return std::nullopt;
  }
}

template <class View>
bool TcpDecoder::ReadBase(const mf_tcp_base& wire, View* view) {
  view->time = Time(wire.header);
  return ReadConnection(wire, &view->connection, &owner_comm_);
}

std::optional<SocketUserView> TcpDecoder::ReadUser(const mf_user& wire) {
  if (wire.pid == 0) {
    return std::nullopt;
  }
  return SocketUserView{.id = Id(wire.pid, wire.start_ns),
                        .comm = ReadComm(wire.comm, &user_comm_)};
}

std::optional<TcpRecordView> TcpDecoder::DecodeConnect(Bytes record) {
  mf_tcp_connect wire;
  TcpConnectView e;
  if (!ReadWhole(record, &wire) || !ReadBase(wire.base, &e) ||
      wire.outcome > MF_CONNECT_ABANDONED) {
    return std::nullopt;
  }
  e.tid = wire.base.header.tid;
  e.outcome = static_cast<ConnectOutcome>(wire.outcome);
  e.error = static_cast<int>(wire.error);
  e.handshake = Seen<std::chrono::nanoseconds>(wire.duration_ns);
  return e;
}

std::optional<TcpRecordView> TcpDecoder::DecodeAccept(Bytes record) {
  mf_tcp_accept wire;
  TcpAcceptView e;
  if (!ReadWhole(record, &wire) || !ReadBase(wire.base, &e)) {
    return std::nullopt;
  }
  e.tid = wire.base.header.tid;
  e.queued = Seen<std::chrono::nanoseconds>(wire.queued_ns);
  return e;
}

std::optional<TcpRecordView> TcpDecoder::DecodeData(Bytes record) {
  mf_tcp_data wire;
  TcpDataView e;
  if (!ReadWhole(record, &wire) || !ReadBase(wire.base, &e) || wire.reason > MF_DATA_CALL) {
    return std::nullopt;
  }
  e.tx_bytes = wire.tx_bytes;
  e.rx_bytes = wire.rx_bytes;
  if (wire.reason == MF_DATA_CALL) {
    e.tid = wire.tid;
  } else {
    e.tx_total_bytes = wire.tx_total;
    e.rx_total_bytes = wire.rx_total;
    // Unsigned, for a damaged record may hold any numbers.
    e.span = std::chrono::nanoseconds(wire.base.header.ktime_ns - wire.since_ns);
  }
  e.user = ReadUser(wire.user);
  return e;
}

std::optional<TcpRecordView> TcpDecoder::DecodeClose(Bytes record) {
  mf_tcp_close wire;
  TcpCloseView e;
  if (!ReadWhole(record, &wire) || !ReadBase(wire.base, &e) || wire.reason > MF_CLOSE_UNSEEN ||
      wire.first > MF_FIRST_REMOTE) {
    return std::nullopt;
  }
  e.reason = CloseReason{wire.reason};
  e.error = static_cast<int>(wire.error);
  if (wire.first != MF_FIRST_UNKNOWN) {
    e.closed_first = TcpEnd{wire.first};
  }
  e.accepted = wire.accepted != 0;
  e.duration = Seen<std::chrono::nanoseconds>(wire.duration_ns);
  e.tx_bytes = wire.counters.tx_bytes;
  e.rx_bytes = wire.counters.rx_bytes;
  e.tx_segments = wire.counters.segs_out;
  e.rx_segments = wire.counters.segs_in;
  e.retransmits = wire.counters.retrans;
  e.smoothed_rtt = Seen<std::chrono::microseconds>(wire.srtt_us);
  e.min_rtt = Seen<std::chrono::microseconds>(wire.min_rtt_us);
  e.user = ReadUser(wire.user);
  return e;
}

std::optional<TcpRecordView> TcpDecoder::DecodeOpen(Bytes record) {
  mf_tcp_open wire;
  TcpOpenView e;
  if (!ReadWhole(record, &wire) || !ReadBase(wire.base, &e)) {
    return std::nullopt;
  }
  return e;
}

std::optional<TcpRecordView> TcpDecoder::DecodeListen(Bytes record) {
  mf_tcp_listen wire;
  TcpListenView e;
  if (!ReadWhole(record, &wire) || !ReadBase(wire.base, &e)) {
    return std::nullopt;
  }
  e.backlog = wire.backlog;
  return e;
}

}  // namespace masflow::internal
