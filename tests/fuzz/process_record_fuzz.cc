// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a process record; see CheckRecord.
#include <cstddef>
#include <cstdint>
#include <span>

#include "record_fuzz.h"
#include "wire/process_record.h"

namespace masflow::internal {
namespace {

void Check(std::span<const std::byte> record) {
  const auto head = PeekProcessRecord(record);
  CheckRecord<ProcessDecoder>(record, [&](const auto& view) {
    Require(head.has_value() && head->process == view.process.id && head->time == view.time,
            "the head of the record is not that of the event");
  });
}

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  masflow::internal::Check(std::as_bytes(std::span(data, size)));
  return 0;
}
