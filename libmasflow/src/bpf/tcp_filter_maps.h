// SPDX-License-Identifier: Apache-2.0
//
// The user-space end of the filter on sockets in bpf/connection.bpf.h.
#ifndef MASFLOW_BPF_TCP_FILTER_MAPS_H_
#define MASFLOW_BPF_TCP_FILTER_MAPS_H_

#include <cstdint>

#include <absl/status/status.h>

#include "masflow/tcp_stream.h"

struct bpf_object;

namespace masflow::internal {

// For a tag that does not tell where the kernel keeps its sockets: odd.
std::uint64_t RandomTagSecret();

// Before the load.
template <class Rodata>
void ConfigureTcpFilter(const TcpFilter& filter, Rodata* rodata) {
  rodata->filter_by_port = !filter.ports.empty();
  rodata->filter_by_local_port = !filter.local_ports.empty();
  rodata->filter_by_remote_port = !filter.remote_ports.empty();
  rodata->filter_by_address = !filter.addresses.empty();
  rodata->filter_loopback = !filter.loopback;
}
void SizeTcpFilter(const TcpFilter& filter, bpf_object* object);

// After the load, before the attach.
absl::Status FillTcpFilter(const TcpFilter& filter, bpf_object* object);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_TCP_FILTER_MAPS_H_
