// SPDX-License-Identifier: Apache-2.0
//
// TCP records, from bytes to views. Pure: no allocation, no system call; any input is safe.
#ifndef MASFLOW_WIRE_TCP_RECORD_H_
#define MASFLOW_WIRE_TCP_RECORD_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <variant>

#include "masflow/tcp_events.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

using TcpRecordView = std::variant<TcpConnectView, TcpAcceptView, TcpDataView, TcpCloseView,
                                   TcpOpenView, TcpListenView>;

class TcpDecoder {
 public:
  // Absent: malformed. The view points into this decoder, so it is valid until the next call.
  std::optional<TcpRecordView> Decode(std::span<const std::byte> record);

 private:
  std::optional<TcpRecordView> DecodeConnect(std::span<const std::byte> record);
  std::optional<TcpRecordView> DecodeAccept(std::span<const std::byte> record);
  std::optional<TcpRecordView> DecodeData(std::span<const std::byte> record);
  std::optional<TcpRecordView> DecodeClose(std::span<const std::byte> record);
  std::optional<TcpRecordView> DecodeOpen(std::span<const std::byte> record);
  std::optional<TcpRecordView> DecodeListen(std::span<const std::byte> record);
  // What all of them begin with. False: malformed.
  template <class View>
  bool ReadBase(const mf_tcp_base& wire, View* view);
  std::optional<SocketUserView> ReadUser(const mf_user& wire);

  // The texts of the record in hand: it may lie anywhere, so they are copied out of it.
  std::array<char, MF_COMM_LEN> owner_comm_{};
  std::array<char, MF_COMM_LEN> user_comm_{};
};

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_TCP_RECORD_H_
