// SPDX-License-Identifier: Apache-2.0
#include "core/options_check.h"

#include <algorithm>
#include <bit>
#include <string>

#include "core/ip_prefix.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kLongestComm = 15;
constexpr std::size_t kSmallestRing = 4096;
constexpr std::uint32_t kFewestConnections = 64;
constexpr std::uint32_t kMostConnections = 1u << 22;
constexpr std::size_t kLargestRing = std::size_t{1} << 30;

}  // namespace

absl::Status CheckProcessFilter(const ProcessFilter& filter) {
  const std::size_t longest = std::max({filter.pids.size(), filter.trees.size(), filter.uids.size(),
                                        filter.comms.size(), filter.cgroups.size()});
  if (longest > kMaxFilterValues) {
    return absl::InvalidArgumentError("a list of ProcessFilter holds more than 1,024 values");
  }
  for (const std::string& comm : filter.comms) {
    if (comm.empty() || comm.size() > kLongestComm) {
      return absl::InvalidArgumentError(
          "ProcessFilter::comms: \"" + comm +
          "\" is not from 1 to 15 bytes long, so no process can have it");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRingBytes(std::size_t bytes) {
  if (!std::has_single_bit(bytes) || bytes < kSmallestRing || bytes > kLargestRing) {
    return absl::InvalidArgumentError("ring_bytes must be a power of two from 4 KiB to 1 GiB");
  }
  return absl::OkStatus();
}

absl::Status CheckTcpFilter(const TcpFilter& filter) {
  const std::size_t longest = std::max({filter.ports.size(), filter.local_ports.size(),
                                        filter.remote_ports.size(), filter.addresses.size()});
  if (longest > kMaxFilterValues) {
    return absl::InvalidArgumentError("a list of TcpFilter holds more than 1,024 values");
  }
  for (const std::string& text : filter.addresses) {
    if (const auto prefix = ParseIpPrefix(text); !prefix.ok()) {
      return absl::InvalidArgumentError("TcpFilter::addresses: " +
                                        std::string(prefix.status().message()));
    }
  }
  return CheckProcessFilter(filter.process);
}

absl::Status CheckMaxConnections(std::string_view option, std::uint32_t count) {
  if (count < kFewestConnections || count > kMostConnections) {
    return absl::InvalidArgumentError(std::string(option) + " must be from 64 to 4,194,304");
  }
  return absl::OkStatus();
}

}  // namespace masflow::internal
