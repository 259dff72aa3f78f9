// SPDX-License-Identifier: Apache-2.0
//
// A connection in the text lines of TCP and HTTP.
#ifndef MASFLOW_FORMAT_CONNECTION_TEXT_H_
#define MASFLOW_FORMAT_CONNECTION_TEXT_H_

#include "format/text_line.h"
#include "masflow/tcp_events.h"

namespace masflow::internal {

// All columns up to the details, by the owner.
void AppendOwner(const ConnectionView& c, WallTime at, const EventName& name, TextStyle style,
                 Line* out);

// "192.0.2.1:80", or "-" for what a connect was not given before it failed.
void AppendEndpoint(const Endpoint& end, Line* out);

// "SOURCE -> DESTINATION  "
void AppendEnds(const ConnectionView& c, Line* out);

// What of owner and role was inferred.
void AppendInferred(const ConnectionView& c, Line* out);

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_CONNECTION_TEXT_H_
