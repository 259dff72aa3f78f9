// SPDX-License-Identifier: Apache-2.0
//
// HTTP exchanges, from events to the records of a connection that has this exchange only:
// for tests, as process_encode.h.
//
// What bytes cannot say comes back as the nearest that they can:
//   - a host beside an absolute target, or a CONNECT without one, is that of the target
//   - a body of a truncated head: 0 bytes, not exact
//   - no last_byte of a whole response: first_byte, and so for first_byte without status
//   - kUpgraded without 101, or 2xx to CONNECT: kComplete; with them: kUpgraded, no body
//   - no status: not kComplete, but kClosed; a body, headers or times of it: none
//   - HEAD, 204, 304: no body of a response; a body of a CONNECT: none
#ifndef MASFLOW_WIRE_HTTP_ENCODE_H_
#define MASFLOW_WIRE_HTTP_ENCODE_H_

#include <cstddef>
#include <vector>

#include "masflow/http_events.h"

namespace masflow::internal {

std::vector<std::vector<std::byte>> EncodeRecords(const HttpExchange& event);

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_HTTP_ENCODE_H_
