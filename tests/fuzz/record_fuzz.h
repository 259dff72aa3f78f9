// SPDX-License-Identifier: Apache-2.0
//
// What the fuzzers of the decoders share.
#ifndef MASFLOW_TESTS_FUZZ_RECORD_FUZZ_H_
#define MASFLOW_TESTS_FUZZ_RECORD_FUZZ_H_

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "wire/process_encode.h"
#include "wire/tcp_encode.h"

namespace masflow::internal {

inline void Require(bool holds, const char* else_say) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", else_say);
    std::abort();
  }
}

// An event as the encoder can express it: it drops what no kernel sends.
template <class Decoder, class Event>
Event Again(const Event& event) {
  const std::vector<std::byte> bytes = EncodeRecord(event);
  Decoder decoder;
  const auto view = decoder.Decode(bytes);
  Require(view.has_value(), "what was encoded does not decode");
  return std::visit(
      [](const auto& v) -> Event {
        if constexpr (std::is_same_v<decltype(Own(v)), Event>) {
          return Own(v);
        } else {
          Require(false, "what was encoded decodes to another kind");
          return {};
        }
      },
      *view);
}

// Decoding is safe, and what decodes comes back the same when it is encoded and decoded
// again. `check` sees the view.
template <class Decoder, class Check>
void CheckRecord(std::span<const std::byte> record, Check&& check) {
  Decoder decoder;
  const auto view = decoder.Decode(record);
  if (!view.has_value()) {
    return;
  }
  std::visit(
      [&](const auto& v) {
        check(v);
        const auto once = Again<Decoder>(Own(v));
        Require(Again<Decoder>(once) == once, "encoded and decoded again it is another event");
      },
      *view);
}

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_FUZZ_RECORD_FUZZ_H_
