// SPDX-License-Identifier: Apache-2.0
//
// As events.cc: a field added to the event and forgotten here fails http_events_test.cc.
#include "masflow/http_events.h"

#include "core/event_convert.h"

namespace masflow {
inline namespace v0 {
namespace {

template <class To, class From>
BasicHttpExchange<To> Convert(const BasicHttpExchange<From>& from) {
  return {.time = from.time,
          .connection = internal::ConvertConnection<To>(from.connection),
          .role = from.role,
          .method = To(from.method),
          .target = To(from.target),
          .host = internal::ConvertText<To>(from.host),
          .version_minor = from.version_minor,
          .status = from.status,
          .request_body = from.request_body,
          .response_body = from.response_body,
          .first_byte = from.first_byte,
          .last_byte = from.last_byte,
          .outcome = from.outcome,
          .request_head_truncated = from.request_head_truncated,
          .response_head_truncated = from.response_head_truncated,
          .request_headers = To(from.request_headers),
          .response_headers = To(from.response_headers)};
}

}  // namespace

std::string_view Name(HttpOutcome outcome) {
  switch (outcome) {
    case HttpOutcome::kComplete:
      return "complete";
    case HttpOutcome::kUpgraded:
      return "upgraded";
    case HttpOutcome::kClosed:
      return "closed";
    case HttpOutcome::kReset:
      return "reset";
    case HttpOutcome::kLost:
      return "lost";
  }
  return "unknown outcome";
}

HttpExchange Own(const HttpExchangeView& view) {
  return Convert<std::string>(view);
}

HttpExchangeView View(const HttpExchange& event) {
  return Convert<std::string_view>(event);
}

}  // namespace v0
}  // namespace masflow
