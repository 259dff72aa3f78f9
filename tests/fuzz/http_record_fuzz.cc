// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as an HTTP record.
#include <cstddef>
#include <cstdint>
#include <span>

#include "record_fuzz.h"
#include "wire/http_record.h"

namespace masflow::internal {
namespace {

void Check(const HttpConnectionRecord& record) {
  Require(record.connection.local.address.is_v6 == record.connection.remote.address.is_v6,
          "the two ends are of two families");
}

void Check(const HttpDataRecord& record) {
  Require(record.way < MF_WAYS, "a third way");
  Require(record.bytes.size() <= record.length, "more bytes than passed");
  Require(record.offset + record.length >= record.offset, "an end before the begin");
  std::size_t sum = 0;
  for (const char c : record.bytes) {
    sum += static_cast<unsigned char>(c);
  }
  Require(sum <= record.bytes.size() * 255, "never");  // reads them all
}

void Check(const HttpWayRecords& ways) {
  for (const HttpWayRecord& way : ways) {
    Require(way.tail.size() <= 8, "a tail too long");
  }
}

void Check(const HttpProgressRecord& record) {
  Check(record.ways);
}

void Check(const HttpEndRecord& record) {
  Check(record.ways);
  Require(record.reason <= MF_HTTP_END_NOT_HTTP, "an unknown reason");
}

void CheckBytes(std::span<const std::byte> bytes) {
  HttpDecoder decoder;
  if (const auto view = decoder.Decode(bytes); view.has_value()) {
    std::visit([](const auto& record) { Check(record); }, *view);
  }
}

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  masflow::internal::CheckBytes(std::as_bytes(std::span(data, size)));
  return 0;
}
