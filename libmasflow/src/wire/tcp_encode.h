// SPDX-License-Identifier: Apache-2.0
//
// TCP records, from events to bytes: the reverse of wire/tcp_record, as process_encode.h.
// What a record has no place for is dropped: what an event without an owner says of a
// thread, the totals and the span of a data event with a tid (it is of one call). What it
// needs is put in: zeros for totals and span where there is no tid.
#ifndef MASFLOW_WIRE_TCP_ENCODE_H_
#define MASFLOW_WIRE_TCP_ENCODE_H_

#include <cstddef>
#include <vector>

#include "masflow/tcp_events.h"

namespace masflow::internal {

std::vector<std::byte> EncodeRecord(const TcpConnect& event);
std::vector<std::byte> EncodeRecord(const TcpAccept& event);
std::vector<std::byte> EncodeRecord(const TcpData& event);
std::vector<std::byte> EncodeRecord(const TcpClose& event);
std::vector<std::byte> EncodeRecord(const TcpOpen& event);
std::vector<std::byte> EncodeRecord(const TcpListen& event);

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_TCP_ENCODE_H_
