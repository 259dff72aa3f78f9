// SPDX-License-Identifier: Apache-2.0
//
// Any bytes: decoding them is safe, and what decodes comes back the same when it is
// encoded and decoded again.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <variant>

#include "wire/process_encode.h"
#include "wire/process_record.h"

namespace masflow::internal {
namespace {

// An event as the encoder can express it: it drops what no kernel sends (text after a
// NUL, a path with empty components, an unlisted flag).
template <class Event>
auto Again(const Event& event, ProcessDecoder* decoder) {
  const std::vector<std::byte> bytes = EncodeRecord(event);
  const auto view = decoder->Decode(bytes);
  if (!view.has_value()) {
    std::fputs("what was encoded does not decode\n", stderr);
    std::abort();
  }
  return std::visit(
      [](const auto& v) -> Event {
        if constexpr (std::is_same_v<decltype(Own(v)), Event>) {
          return Own(v);
        } else {
          std::fputs("what was encoded decodes to another kind\n", stderr);
          std::abort();
        }
      },
      *view);
}

void Check(std::span<const std::byte> record) {
  const auto head = PeekProcessRecord(record);
  ProcessDecoder decoder;
  const auto view = decoder.Decode(record);
  if (!view.has_value()) {
    return;
  }
  std::visit(
      [&](const auto& v) {
        if (!head.has_value() || head->process != v.process.id || head->time != v.time) {
          std::fputs("the head of the record is not that of the event\n", stderr);
          std::abort();
        }
        ProcessDecoder other;
        const auto once = Again(Own(v), &other);
        if (Again(once, &other) != once) {
          std::fputs("encoded and decoded again it is another event\n", stderr);
          std::abort();
        }
      },
      *view);
}

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  masflow::internal::Check(std::as_bytes(std::span(data, size)));
  return 0;
}
