// SPDX-License-Identifier: Apache-2.0
//
// What the decoders of TCP and HTTP records share.
#ifndef MASFLOW_WIRE_READ_CONNECTION_H_
#define MASFLOW_WIRE_READ_CONNECTION_H_

#include <chrono>
#include <cstdint>

#include "masflow/tcp_events.h"
#include "masflow_bpf/wire.h"
#include "wire/read_record.h"

namespace masflow::internal {

inline ConnectionId ReadConnectionId(std::uint64_t birth_ns, std::uint32_t tag) {
  return {.birth = KernelTime(std::chrono::nanoseconds(birth_ns)), .tag = tag};
}

// `comm` receives the owner's name, which the result points to. False: malformed.
inline bool ReadConnection(const mf_tcp_base& wire, ConnectionView* connection, CommBuffer* comm) {
  const mf_tcp& tcp = wire.tcp;
  if ((tcp.family != MF_FAMILY_IPV4 && tcp.family != MF_FAMILY_IPV6) || tcp.role > MF_ROLE_SERVER ||
      !ReadAddress(tcp, tcp.local, &connection->local.address) ||
      !ReadAddress(tcp, tcp.remote, &connection->remote.address)) {
    return false;
  }
  const auto has = [&](std::uint16_t flag) { return (wire.header.flags & flag) != 0; };
  if (!has(MF_TCP_NO_OWNER)) {
    connection->owner = ReadProcess(wire.header, wire.process, comm);
  }
  connection->id = ReadConnectionId(tcp.birth_ns, tcp.tag);
  connection->local.port = tcp.local_port;
  connection->remote.port = tcp.remote_port;
  if (tcp.role != MF_ROLE_UNKNOWN) {
    connection->role = TcpRole{tcp.role};
  }
  connection->role_inferred = has(MF_TCP_ROLE_INFERRED);
  connection->netns = tcp.netns;
  connection->owner_inferred = has(MF_TCP_OWNER_INFERRED);
  connection->pre_existing = has(MF_TCP_PRE_EXISTING);
  return true;
}

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_READ_CONNECTION_H_
