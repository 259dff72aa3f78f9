// SPDX-License-Identifier: Apache-2.0
#include "replay/tcp_filter.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/ip_prefix.h"
#include "wire/read_record.h"

namespace masflow::internal {
namespace {

using Ports = std::unordered_set<std::uint16_t>;

class TcpRecordFilter final : public RecordFilter {
 public:
  TcpRecordFilter(const TcpOptions& options, std::vector<IpPrefix> prefixes)
      : RecordFilter(options.filter.process),
        data_(options.data != TcpDataMode::kOff),
        pre_existing_(options.pre_existing),
        listeners_(options.listeners),
        loopback_(options.filter.loopback),
        ports_(options.filter.ports.begin(), options.filter.ports.end()),
        local_ports_(options.filter.local_ports.begin(), options.filter.local_ports.end()),
        remote_ports_(options.filter.remote_ports.begin(), options.filter.remote_ports.end()),
        prefixes_(std::move(prefixes)) {}

  bool Passes(RecordBytes record) override;

 private:
  bool Wanted(const mf_header& header) const;
  bool PassesByOwner(const mf_tcp_base& base);
  bool PassesByPorts(const mf_tcp& tcp) const;
  bool PassesByAddresses(const mf_tcp& tcp) const;
  bool InPrefixes(const IpAddress& address) const;

  const bool data_;
  const bool pre_existing_;
  const bool listeners_;
  const bool loopback_;
  const Ports ports_;
  const Ports local_ports_;
  const Ports remote_ports_;
  const std::vector<IpPrefix> prefixes_;
};

bool TcpRecordFilter::Passes(RecordBytes record) {
  mf_tcp_base base;
  if (!CopyFront(record, &base) || base.header.kind < MF_KIND_TCP_CONNECT ||
      base.header.kind > MF_KIND_TCP_LISTEN) {
    return true;
  }
  const bool by_owner = PassesByOwner(base);  // in any case: it follows the trees
  return by_owner && Wanted(base.header) && PassesByPorts(base.tcp) && PassesByAddresses(base.tcp);
}

bool TcpRecordFilter::Wanted(const mf_header& header) const {
  if (header.kind == MF_KIND_TCP_LISTEN) {
    return listeners_;
  }
  if (!pre_existing_ &&
      (header.kind == MF_KIND_TCP_OPEN || (header.flags & MF_TCP_PRE_EXISTING) != 0)) {
    return false;
  }
  // By interval or by call is as it was recorded.
  return header.kind != MF_KIND_TCP_DATA || data_;
}

bool TcpRecordFilter::PassesByOwner(const mf_tcp_base& base) {
  if ((base.header.flags & MF_TCP_NO_OWNER) != 0) {
    return processes().lets_all_pass();
  }
  const RecordHead head = {.header = base.header, .process = base.process};
  processes().Follow(head);
  return processes().Passes(head);
}

bool TcpRecordFilter::PassesByPorts(const mf_tcp& tcp) const {
  const auto in = [](const Ports& ports, std::uint16_t port) {
    return ports.empty() || ports.contains(port);
  };
  return (in(ports_, tcp.local_port) || in(ports_, tcp.remote_port)) &&
         in(local_ports_, tcp.local_port) && in(remote_ports_, tcp.remote_port);
}

bool TcpRecordFilter::PassesByAddresses(const mf_tcp& tcp) const {
  IpAddress local;
  IpAddress remote;
  if (!ReadAddress(tcp, tcp.local, &local) || !ReadAddress(tcp, tcp.remote, &remote)) {
    return true;
  }
  return (loopback_ || (!local.is_loopback() && !remote.is_loopback())) &&
         (prefixes_.empty() || InPrefixes(local) || InPrefixes(remote));
}

bool TcpRecordFilter::InPrefixes(const IpAddress& address) const {
  return std::any_of(prefixes_.begin(), prefixes_.end(),
                     [&](const IpPrefix& prefix) { return prefix.Contains(address); });
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordFilter>> MakeTcpFilter(const TcpOptions& options) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : options.filter.addresses) {
    absl::StatusOr<IpPrefix> prefix = ParseIpPrefix(text);
    if (!prefix.ok()) {
      return prefix.status();
    }
    prefixes.push_back(*prefix);
  }
  return std::make_unique<TcpRecordFilter>(options, std::move(prefixes));
}

}  // namespace masflow::internal
