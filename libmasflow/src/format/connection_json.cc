// SPDX-License-Identifier: Apache-2.0
#include "format/connection_json.h"

#include <charconv>
#include <cstdint>
#include <string>

#include "format/ip_text.h"
#include "format/workload_json.h"

namespace masflow::internal {
namespace {

std::string IdText(const ConnectionId& id) {
  char text[16 + 1 + 8];
  char* const end = text + sizeof(text);
  const auto birth = static_cast<std::uint64_t>(id.birth.time_since_epoch().count());
  char* at = std::to_chars(text, end, birth, 16).ptr;
  *at++ = '-';
  at = std::to_chars(at, end, id.tag, 16).ptr;
  return std::string(text, at);
}

}  // namespace

void AddAddress(std::string_view key, const Endpoint& end, JsonLine* line) {
  // A connect can fail before it is given one.
  if (end.port != 0 || !end.address.is_unspecified()) {
    line->Text(key, IpText(end.address).view());
  }
}

void AddPort(std::string_view key, const Endpoint& end, JsonLine* line) {
  if (end.port != 0) {
    line->Number(key, end.port);
  }
}

void AddOwner(const ConnectionView& c, JsonLine* line) {
  if (c.owner.has_value()) {
    line->Process(*c.owner);
  }
}

std::string_view NameOf(TcpRole role) {
  return role == TcpRole::kClient ? "client" : "server";
}

void AddEnds(const ConnectionView& c, JsonLine* line) {
  AddOwner(c, line);
  AddAddress("source.address", c.source(), line);
  AddPort("source.port", c.source(), line);
  AddAddress("destination.address", c.destination(), line);
  AddPort("destination.port", c.destination(), line);
  line->Text("network.transport", "tcp");
  line->Text("network.type", c.destination().address.is_v6 ? "ipv6" : "ipv4");
}

void AddConnection(const ConnectionView& c, std::optional<std::string_view> role, JsonLine* line) {
  line->Text("masflow.connection_id", IdText(c.id));
  if (role.has_value()) {
    line->Text("masflow.role", *role);
  }
  line->Flag("masflow.role_inferred", c.role_inferred);
  line->Flag("masflow.owner_inferred", c.owner_inferred);
  line->Flag("masflow.pre_existing", c.pre_existing);
  line->Number("masflow.netns", c.netns);
  AddPeer(c.peer, line);
}

void CloseLine(const ConnectionView& c, JsonLine* line) {
  if (c.owner.has_value()) {
    line->ProcessExtras(*c.owner);
  }
  line->Close();
}

}  // namespace masflow::internal
