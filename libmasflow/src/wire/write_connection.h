// SPDX-License-Identifier: Apache-2.0
//
// What the encoders of TCP and HTTP records share.
#ifndef MASFLOW_WIRE_WRITE_CONNECTION_H_
#define MASFLOW_WIRE_WRITE_CONNECTION_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "masflow/tcp_events.h"
#include "masflow_bpf/wire.h"
#include "wire/write_record.h"

namespace masflow::internal {

inline void WriteAddress(const IpAddress& address, __u8 (&wire)[MF_ADDRESS_LEN]) {
  const std::size_t size = address.is_v6 ? address.bytes.size() : 4;
  std::copy_n(address.bytes.begin(), size, wire);
}

inline mf_tcp WriteTcp(const Connection& connection) {
  mf_tcp wire = {};
  wire.birth_ns = Nanoseconds(connection.id.birth.time_since_epoch());
  wire.tag = connection.id.tag;
  wire.netns = connection.netns;
  WriteAddress(connection.local.address, wire.local);
  WriteAddress(connection.remote.address, wire.remote);
  wire.local_port = connection.local.port;
  wire.remote_port = connection.remote.port;
  // Both ends are of one family; an address that is not given is 0.0.0.0.
  wire.family = connection.local.address.is_v6 || connection.remote.address.is_v6 ? MF_FAMILY_IPV6
                                                                                  : MF_FAMILY_IPV4;
  wire.role = connection.role.has_value() ? static_cast<std::uint8_t>(*connection.role)
                                          : std::uint8_t{MF_ROLE_UNKNOWN};
  return wire;
}

// `tid`: that became the owner; absent where the event does not tell it.
inline mf_tcp_base WriteConnection(std::uint16_t kind, KernelTime time,
                                   const Connection& connection,
                                   std::optional<std::uint32_t> tid = std::nullopt) {
  mf_tcp_base wire = {};
  if (connection.owner.has_value()) {
    const std::uint32_t pid = connection.owner->id.pid;
    wire.header = WriteHeader(kind, time, pid, tid.value_or(pid));
    wire.process = WriteProcess(*connection.owner);
  } else {
    wire.header = WriteHeader(kind, time, 0, 0);
  }
  SetFlag(&wire.header, MF_TCP_NO_OWNER, !connection.owner.has_value());
  SetFlag(&wire.header, MF_TCP_OWNER_INFERRED, connection.owner_inferred);
  SetFlag(&wire.header, MF_TCP_ROLE_INFERRED, connection.role_inferred);
  SetFlag(&wire.header, MF_TCP_PRE_EXISTING, connection.pre_existing);
  wire.tcp = WriteTcp(connection);
  return wire;
}

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_WRITE_CONNECTION_H_
