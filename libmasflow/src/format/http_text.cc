// SPDX-License-Identifier: Apache-2.0
//
// HTTP exchanges as aligned text.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "format/connection_text.h"
#include "format/escape.h"
#include "format/http_parts.h"
#include "format/numbers.h"
#include "format/text_line.h"
#include "format/workload_text.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::AppendNumber;
using internal::AppendWord;

constexpr std::string_view kAbsent = "-";

// A target has characters that a shell knows in most queries: it is quoted only where one
// could not see otherwise where it ends.
void AppendTarget(std::string_view target, std::string* out) {
  const auto has = [target](char c) { return target.find(c) != std::string_view::npos; };
  if (target.empty() || has(' ') || has('\'')) {
    AppendWord(target, out);
  } else {
    AppendEscaped(target, out);
  }
}

void AppendLatency(const std::optional<std::chrono::nanoseconds>& latency, std::string* out) {
  if (latency.has_value()) {
    internal::AppendMilliseconds(*latency, out);
  } else {
    out->append(kAbsent);
  }
}

// "GET /foo 200 3.214ms"
void AppendSummary(const HttpExchangeView& e, std::string* out) {
  AppendWord(e.method, out);
  out->push_back(' ');
  AppendTarget(e.target, out);
  out->push_back(' ');
  if (e.status.has_value()) {
    AppendNumber(*e.status, out);
  } else {
    out->append(kAbsent);
  }
  out->push_back(' ');
  AppendLatency(e.last_byte, out);
}

// "612", ">=4096", "-" where nothing is known
void AppendBody(const HttpBody& body, std::string* out) {
  if (!body.exact && body.bytes == 0) {
    out->append(kAbsent);
    return;
  }
  out->append(body.exact ? "" : ">=");
  AppendNumber(body.bytes, out);
}

// Nothing where all is as usual.
void AppendOutcome(const HttpExchangeView& e, std::string* out) {
  switch (e.outcome) {
    case HttpOutcome::kComplete:
      break;
    case HttpOutcome::kUpgraded:
      out->append("  upgraded");
      break;
    case HttpOutcome::kClosed:
      out->append(e.status.has_value() ? "  closed within response" : "  closed before response");
      break;
    case HttpOutcome::kReset:
      out->append("  reset");
      break;
    case HttpOutcome::kLost:
      out->append("  lost");
      break;
  }
}

void AppendMarks(const HttpExchangeView& e, std::string* out) {
  if (e.version_minor != 1) {
    internal::AppendField(" (HTTP/1.", e.version_minor, out);
    out->push_back(')');
  }
  out->append(e.connection.pre_existing ? " (pre-existing)" : "");
  out->append(e.request_head_truncated ? " (request head truncated)" : "");
  out->append(e.response_head_truncated ? " (response head truncated)" : "");
  internal::AppendInferred(e.connection, out);
  internal::AppendWorkloads(e.connection, out);
}

// `mark` tells requests and responses apart, as curl does.
void AppendHeaders(std::string_view mark, std::string_view headers, std::string* out) {
  if (headers.empty()) {
    return;
  }
  out->append("  ");
  out->append(mark);
  for (const HttpHeader& header : HttpHeaders(headers)) {
    out->push_back(' ');
    AppendWord(header.name, out);
    out->push_back('=');
    AppendWord(header.value, out);
  }
}

}  // namespace

void AppendText(const HttpExchangeView& e, WallTime at, TextStyle style, std::string* out) {
  const bool failed = internal::IsErrorStatus(e) || internal::IsBroken(e.outcome);
  internal::AppendOwner(e.connection, at, {"HTTP", failed ? internal::kRed : internal::kGreen},
                        style, out);
  AppendSummary(e, out);
  out->append("  ");
  out->append(internal::NameOf(e.role));
  out->push_back(' ');
  internal::AppendEnds(e.connection, out);
  out->append("ttfb=");
  AppendLatency(e.first_byte, out);
  if (e.host.has_value()) {
    out->append(" host=");
    AppendWord(*e.host, out);
  }
  out->append(" req=");
  AppendBody(e.request_body, out);
  out->append(" resp=");
  AppendBody(e.response_body, out);
  out->append(" bytes");
  AppendOutcome(e, out);
  AppendMarks(e, out);
  AppendHeaders(">", e.request_headers, out);
  AppendHeaders("<", e.response_headers, out);
}

}  // namespace v0
}  // namespace masflow
