// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_CONNECTION_MATCH_H_
#define MASFLOW_REPLAY_CONNECTION_MATCH_H_

#include <cstdint>
#include <unordered_set>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>

#include "core/ip_prefix.h"
#include "masflow/tcp_stream.h"
#include "masflow_bpf/wire.h"
#include "replay/process_match.h"

namespace masflow::internal {

// What the kernel side makes of a TcpFilter, done to what a record says of its connection.
class ConnectionMatch {
 public:
  //   INVALID_ARGUMENT   an address is none
  static absl::StatusOr<ConnectionMatch> Create(const TcpFilter& filter);

  // By owner, ports and addresses. `processes` is of the same filter, and follows the owner's
  // tree by this.
  bool Passes(const mf_tcp_base& base, ProcessMatch* processes) const;

  bool lets_all_pass() const {
    return ports_.empty() && local_ports_.empty() && remote_ports_.empty() && prefixes_.empty() &&
           loopback_;
  }

 private:
  using Ports = std::unordered_set<std::uint16_t>;

  ConnectionMatch(const TcpFilter& filter, std::vector<IpPrefix> prefixes)
      : loopback_(filter.loopback),
        ports_(filter.ports.begin(), filter.ports.end()),
        local_ports_(filter.local_ports.begin(), filter.local_ports.end()),
        remote_ports_(filter.remote_ports.begin(), filter.remote_ports.end()),
        prefixes_(std::move(prefixes)) {}

  bool PassesByPorts(const mf_tcp& tcp) const;
  bool PassesByAddresses(const mf_tcp& tcp) const;
  bool InPrefixes(const IpAddress& address) const;

  bool loopback_;
  Ports ports_;
  Ports local_ports_;
  Ports remote_ports_;
  std::vector<IpPrefix> prefixes_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_CONNECTION_MATCH_H_
