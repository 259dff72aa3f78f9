// SPDX-License-Identifier: Apache-2.0
#include "bpf/tcp_filter_maps.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/environment.h"
#include "core/ip_prefix.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {
namespace {

constexpr std::uint8_t kListed = 1;

// As in bpf/connection.bpf.h.
enum PortKind : std::uint32_t { kEither = 0, kLocal = 1, kRemote = 2 };

struct PrefixKey {
  std::uint32_t bits;
  std::uint32_t family;
  std::array<std::uint8_t, MF_ADDRESS_LEN> address;
};
static_assert(sizeof(PrefixKey) == 8 + MF_ADDRESS_LEN);

bpf_map* Find(bpf_object* object, const char* name) {
  return bpf_object__find_map_by_name(object, name);
}

absl::Status Insert(bpf_map* map, const void* key) {
  if (bpf_map_update_elem(bpf_map__fd(map), key, &kListed, BPF_ANY) != 0) {
    return ErrnoStatus(errno, std::string("cannot fill the filter table ") + bpf_map__name(map));
  }
  return absl::OkStatus();
}

absl::Status InsertPorts(bpf_map* map, PortKind kind, const std::vector<std::uint16_t>& ports) {
  absl::Status status;
  for (const std::uint16_t port : ports) {
    const std::uint32_t key = kind << 16 | port;
    status.Update(Insert(map, &key));
  }
  return status;
}

}  // namespace

std::uint64_t RandomTagSecret() {
  std::uint64_t number = 0;
  (void)!getrandom(&number, sizeof(number), GRND_NONBLOCK);  // fails only as the machine boots
  return number | 1;
}

void SizeTcpFilter(const TcpFilter& filter, bpf_object* object) {
  if (filter.ports.empty() && filter.local_ports.empty() && filter.remote_ports.empty()) {
    bpf_map__set_max_entries(Find(object, "filter_ports"), 1);
  }
  bpf_map__set_max_entries(Find(object, "filter_addresses"),
                           std::max<__u32>(1, static_cast<__u32>(filter.addresses.size())));
}

absl::Status FillTcpFilter(const TcpFilter& filter, bpf_object* object) {
  bpf_map* const ports = Find(object, "filter_ports");
  absl::Status status = InsertPorts(ports, kEither, filter.ports);
  status.Update(InsertPorts(ports, kLocal, filter.local_ports));
  status.Update(InsertPorts(ports, kRemote, filter.remote_ports));
  for (const std::string& text : filter.addresses) {
    const absl::StatusOr<IpPrefix> prefix = ParseIpPrefix(text);
    if (!prefix.ok()) {
      return prefix.status();
    }
    const PrefixKey key{.bits = 32 + prefix->bits,
                        .family = static_cast<std::uint32_t>(
                            prefix->address.is_v6 ? MF_FAMILY_IPV6 : MF_FAMILY_IPV4),
                        .address = prefix->address.bytes};
    status.Update(Insert(Find(object, "filter_addresses"), &key));
  }
  return status;
}

}  // namespace masflow::internal
