// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a TCP record; see CheckRecord.
#include <cstddef>
#include <cstdint>
#include <span>

#include "record_fuzz.h"
#include "wire/tcp_record.h"

namespace masflow::internal {
namespace {

void Check(std::span<const std::byte> record) {
  CheckRecord<TcpDecoder>(record, [](const auto& view) {
    const auto& connection = view.connection;
    Require(connection.local.address.is_v6 == connection.remote.address.is_v6,
            "the two ends are of two families");
    Require(!ToString(connection.local).empty() && !ToString(connection.remote).empty(),
            "an address without a text");
  });
}

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  masflow::internal::Check(std::as_bytes(std::span(data, size)));
  return 0;
}
