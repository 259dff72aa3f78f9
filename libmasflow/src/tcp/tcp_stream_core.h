// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_TCP_TCP_STREAM_CORE_H_
#define MASFLOW_TCP_TCP_STREAM_CORE_H_

#include <tuple>

#include "core/stream_core.h"
#include "masflow/tcp_events.h"
#include "wire/tcp_record.h"

namespace masflow::internal {

struct TcpStreamTraits {
  using Decoder = TcpDecoder;
  using Event = TcpEvent;
  using Slots = std::tuple<CallbackSlot<TcpConnectView>, CallbackSlot<TcpAcceptView>,
                           CallbackSlot<TcpDataView>, CallbackSlot<TcpCloseView>,
                           CallbackSlot<TcpOpenView>, CallbackSlot<TcpListenView>>;
  static constexpr StreamKind kKind = StreamKind::kTcp;
};

// Behind TcpStream. What is open already needs no joining: the kernel side's table of
// connections keeps it apart from what is new.
class TcpStreamCore final : public StreamCore<TcpStreamTraits> {
 public:
  using StreamCore::StreamCore;
};

}  // namespace masflow::internal

#endif  // MASFLOW_TCP_TCP_STREAM_CORE_H_
