// SPDX-License-Identifier: Apache-2.0
#include "replay/connection_match.h"

#include <algorithm>
#include <string>

#include "wire/read_record.h"

namespace masflow::internal {
namespace {

bool PassesByOwner(const mf_tcp_base& base, ProcessMatch* processes) {
  if ((base.header.flags & MF_TCP_NO_OWNER) != 0) {
    return processes->lets_all_pass();
  }
  const RecordHead head = {.header = base.header, .process = base.process};
  processes->Follow(head);
  return processes->Passes(head);
}

}  // namespace

absl::StatusOr<ConnectionMatch> ConnectionMatch::Create(const TcpFilter& filter) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : filter.addresses) {
    absl::StatusOr<IpPrefix> prefix = ParseIpPrefix(text);
    if (!prefix.ok()) {
      return prefix.status();
    }
    prefixes.push_back(*prefix);
  }
  return ConnectionMatch(filter, std::move(prefixes));
}

bool ConnectionMatch::Passes(const mf_tcp_base& base, ProcessMatch* processes) const {
  const bool by_owner = PassesByOwner(base, processes);  // in any case: it follows the trees
  return by_owner && PassesByPorts(base.tcp) && PassesByAddresses(base.tcp);
}

bool ConnectionMatch::PassesByPorts(const mf_tcp& tcp) const {
  const auto in = [](const Ports& ports, std::uint16_t port) {
    return ports.empty() || ports.contains(port);
  };
  return (in(ports_, tcp.local_port) || in(ports_, tcp.remote_port)) &&
         in(local_ports_, tcp.local_port) && in(remote_ports_, tcp.remote_port);
}

bool ConnectionMatch::PassesByAddresses(const mf_tcp& tcp) const {
  IpAddress local;
  IpAddress remote;
  if (!ReadAddress(tcp, tcp.local, &local) || !ReadAddress(tcp, tcp.remote, &remote)) {
    return true;
  }
  return (loopback_ || (!local.is_loopback() && !remote.is_loopback())) &&
         (prefixes_.empty() || InPrefixes(local) || InPrefixes(remote));
}

bool ConnectionMatch::InPrefixes(const IpAddress& address) const {
  return std::any_of(prefixes_.begin(), prefixes_.end(),
                     [&](const IpPrefix& prefix) { return prefix.Contains(address); });
}

}  // namespace masflow::internal
