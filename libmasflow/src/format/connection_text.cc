// SPDX-License-Identifier: Apache-2.0
#include "format/connection_text.h"

#include "format/ip_text.h"
#include "format/numbers.h"

namespace masflow::internal {

void AppendOwner(const ConnectionView& c, WallTime at, const EventName& name, TextStyle style,
                 Line* out) {
  AppendHead(c.owner.has_value() ? &*c.owner : nullptr, at, name, style, out);
}

void AppendEndpoint(const Endpoint& end, Line* out) {
  // A connect can fail before it is given one.
  const bool unassigned = end.port == 0 && end.address.is_unspecified();
  if (unassigned) {
    out->Append('-');
    return;
  }
  out->Append(end.address.is_v6 ? "[" : "");
  out->Append(IpText(end.address).view());
  out->Append(end.address.is_v6 ? "]:" : ":");
  AppendNumber(end.port, out);
}

void AppendEnds(const ConnectionView& c, Line* out) {
  AppendEndpoint(c.source(), out);
  out->Append(" -> ");
  AppendEndpoint(c.destination(), out);
  out->Append("  ");
}

void AppendInferred(const ConnectionView& c, Line* out) {
  out->Append(c.owner_inferred ? " (owner inferred)" : "");
  out->Append(c.role_inferred ? " (role inferred)" : "");
}

}  // namespace masflow::internal
