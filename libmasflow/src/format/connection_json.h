// SPDX-License-Identifier: Apache-2.0
//
// A connection in the JSON lines of TCP and HTTP.
#ifndef MASFLOW_FORMAT_CONNECTION_JSON_H_
#define MASFLOW_FORMAT_CONNECTION_JSON_H_

#include <optional>
#include <string_view>

#include "format/json_line.h"
#include "masflow/tcp_events.h"

namespace masflow::internal {

void AddAddress(std::string_view key, const Endpoint& end, JsonLine* line);
void AddPort(std::string_view key, const Endpoint& end, JsonLine* line);
void AddOwner(const ConnectionView& c, JsonLine* line);

// "client", "server"
std::string_view NameOf(TcpRole role);

// What the conventions name: owner, ends, network.
void AddEnds(const ConnectionView& c, JsonLine* line);

// What they do not. `role` is the one of the event's subject; absent: not known.
void AddConnection(const ConnectionView& c, std::optional<std::string_view> role, JsonLine* line);

// What no convention names of the owner, and the end of the line.
void CloseLine(const ConnectionView& c, JsonLine* line);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_CONNECTION_JSON_H_
