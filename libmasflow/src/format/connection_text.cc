// SPDX-License-Identifier: Apache-2.0
#include "format/connection_text.h"

#include "format/ip_text.h"
#include "format/numbers.h"

namespace masflow::internal {

void AppendOwner(const ConnectionView& c, WallTime at, const EventName& name, TextStyle style,
                 std::string* out) {
  AppendHead(c.owner.has_value() ? &*c.owner : nullptr, at, name, style, out);
}

void AppendEndpoint(const Endpoint& end, std::string* out) {
  // A connect can fail before it is given one.
  const bool unassigned = end.port == 0 && end.address.is_unspecified();
  if (unassigned) {
    out->push_back('-');
    return;
  }
  out->append(end.address.is_v6 ? "[" : "");
  out->append(IpText(end.address).view());
  out->append(end.address.is_v6 ? "]:" : ":");
  AppendNumber(end.port, out);
}

void AppendEnds(const ConnectionView& c, std::string* out) {
  AppendEndpoint(c.source(), out);
  out->append(" -> ");
  AppendEndpoint(c.destination(), out);
  out->append("  ");
}

void AppendInferred(const ConnectionView& c, std::string* out) {
  out->append(c.owner_inferred ? " (owner inferred)" : "");
  out->append(c.role_inferred ? " (role inferred)" : "");
}

}  // namespace masflow::internal
