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
using internal::Line;

constexpr std::string_view kAbsent = "-";

// A target has characters that a shell knows in most queries: it is quoted only where one
// could not see otherwise where it ends.
void AppendTarget(std::string_view target, Line* out) {
  const auto has = [target](char c) { return target.find(c) != std::string_view::npos; };
  if (target.empty() || has(' ') || has('\'')) {
    AppendWord(target, out);
  } else {
    AppendEscaped(target, out);
  }
}

void AppendLatency(const std::optional<std::chrono::nanoseconds>& latency, Line* out) {
  if (latency.has_value()) {
    internal::AppendMilliseconds(*latency, out);
  } else {
    out->Append(kAbsent);
  }
}

// "GET /foo 200 3.214ms"
void AppendSummary(const HttpExchangeView& e, Line* out) {
  AppendWord(e.method, out);
  out->Append(' ');
  AppendTarget(e.target, out);
  out->Append(' ');
  if (e.status.has_value()) {
    AppendNumber(*e.status, out);
  } else {
    out->Append(kAbsent);
  }
  out->Append(' ');
  AppendLatency(e.last_byte, out);
}

// "612", ">=4096", "-" where nothing is known
void AppendBody(const HttpBody& body, Line* out) {
  if (!body.exact && body.bytes == 0) {
    out->Append(kAbsent);
    return;
  }
  out->Append(body.exact ? "" : ">=");
  AppendNumber(body.bytes, out);
}

// Nothing where all is as usual.
void AppendOutcome(const HttpExchangeView& e, Line* out) {
  switch (e.outcome) {
    case HttpOutcome::kComplete:
      break;
    case HttpOutcome::kUpgraded:
      out->Append("  upgraded");
      break;
    case HttpOutcome::kClosed:
      out->Append(e.status.has_value() ? "  closed within response" : "  closed before response");
      break;
    case HttpOutcome::kReset:
      out->Append("  reset");
      break;
    case HttpOutcome::kLost:
      out->Append("  lost");
      break;
  }
}

void AppendMarks(const HttpExchangeView& e, Line* out) {
  if (e.version_minor != 1) {
    internal::AppendField(" (HTTP/1.", e.version_minor, out);
    out->Append(')');
  }
  out->Append(e.connection.pre_existing ? " (pre-existing)" : "");
  out->Append(e.request_head_truncated ? " (request head truncated)" : "");
  out->Append(e.response_head_truncated ? " (response head truncated)" : "");
  internal::AppendInferred(e.connection, out);
  internal::AppendWorkloads(e.connection, out);
}

// `mark` tells requests and responses apart, as curl does.
void AppendHeaders(std::string_view mark, std::string_view headers, Line* out) {
  if (headers.empty()) {
    return;
  }
  out->Append("  ");
  out->Append(mark);
  for (const HttpHeader& header : HttpHeaders(headers)) {
    out->Append(' ');
    AppendWord(header.name, out);
    out->Append('=');
    AppendWord(header.value, out);
  }
}

}  // namespace

void AppendText(const HttpExchangeView& e, WallTime at, TextStyle style, std::string* out) {
  Line line(out);
  const bool failed = internal::IsErrorStatus(e) || internal::IsBroken(e.outcome);
  internal::AppendOwner(e.connection, at, {"HTTP", failed ? internal::kRed : internal::kGreen},
                        style, &line);
  AppendSummary(e, &line);
  line.Append("  ");
  line.Append(internal::NameOf(e.role));
  line.Append(' ');
  internal::AppendEnds(e.connection, &line);
  line.Append("ttfb=");
  AppendLatency(e.first_byte, &line);
  if (e.host.has_value()) {
    line.Append(" host=");
    AppendWord(*e.host, &line);
  }
  line.Append(" req=");
  AppendBody(e.request_body, &line);
  line.Append(" resp=");
  AppendBody(e.response_body, &line);
  line.Append(" bytes");
  AppendOutcome(e, &line);
  AppendMarks(e, &line);
  AppendHeaders(">", e.request_headers, &line);
  AppendHeaders("<", e.response_headers, &line);
}

}  // namespace v0
}  // namespace masflow
