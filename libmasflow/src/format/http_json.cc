// SPDX-License-Identifier: Apache-2.0
//
// HTTP exchanges as JSON. Keys and their order are part of the interface: docs/command.md.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/connection_json.h"
#include "format/http_parts.h"
#include "format/json_line.h"
#include "format/numbers.h"
#include "masflow/format.h"

namespace masflow {
inline namespace v0 {
namespace {

using internal::JsonLine;

// Those that the conventions know: RFC 9110, PATCH, and QUERY. A method is case-sensitive.
constexpr std::string_view kKnownMethods[] = {"CONNECT", "DELETE", "GET", "HEAD",  "OPTIONS",
                                              "PATCH",   "POST",   "PUT", "QUERY", "TRACE"};

void AddMethod(std::string_view method, JsonLine* line) {
  const bool known = std::find(std::begin(kKnownMethods), std::end(kKnownMethods), method) !=
                     std::end(kKnownMethods);
  line->Text("http.request.method", known ? method : "_OTHER");
  if (!known) {
    line->Text("http.request.method_original", method);
  }
}

void AddUrl(const internal::Target& target, JsonLine* line) {
  if (target.scheme.has_value()) {
    line->Text("url.scheme", *target.scheme);
  }
  if (target.path.has_value()) {
    line->Text("url.path", *target.path);
  }
  if (target.query.has_value()) {
    line->Text("url.query", *target.query);
  }
}

void AddHost(std::string_view host, JsonLine* line) {
  const internal::Authority authority = internal::SplitAuthority(host);
  line->Text("server.address", authority.address);
  line->Number("server.port", authority.port);
}

void AddBody(std::string_view exact_key, std::string_view at_least_key, const HttpBody& body,
             JsonLine* line) {
  if (body.exact) {
    line->Number(exact_key, body.bytes);
  } else if (body.bytes != 0) {
    line->Number(at_least_key, body.bytes);
  }
}

void AddError(const HttpExchangeView& e, JsonLine* line) {
  if (internal::IsErrorStatus(e)) {
    const std::string status = std::to_string(*e.status);
    line->Text("error.type", status);
  } else if (internal::IsBroken(e.outcome)) {
    line->Text("error.type", Name(e.outcome));
  }
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return lower;
}

// Each name once, with all its values.
void AddHeaders(std::string_view prefix, std::string_view headers, JsonLine* line) {
  std::vector<std::pair<std::string, std::vector<std::string_view>>> by_name;
  for (const HttpHeader& header : HttpHeaders(headers)) {
    std::string name = LowerCase(header.name);
    const auto same = std::find_if(by_name.begin(), by_name.end(),
                                   [&](const auto& entry) { return entry.first == name; });
    auto& entry = same != by_name.end()
                      ? *same
                      : by_name.emplace_back(std::move(name), std::vector<std::string_view>());
    entry.second.push_back(header.value);
  }
  for (const auto& [name, values] : by_name) {
    line->Texts(prefix, name, values);
  }
}

}  // namespace

void AppendJson(const HttpExchangeView& e, WallTime at, std::string* out) {
  JsonLine line(at, "http.exchange", out);
  const internal::Target target = internal::SplitTarget(e.target);
  internal::AddEnds(e.connection, &line);
  line.Text("network.protocol.name", "http");
  line.Text("network.protocol.version", "1." + std::to_string(e.version_minor));
  AddMethod(e.method, &line);
  AddUrl(target, &line);
  if (e.host.has_value()) {
    AddHost(*e.host, &line);
  }
  line.Number("http.response.status_code", e.status);
  AddBody("http.request.body.size", "masflow.request_bytes_at_least", e.request_body, &line);
  AddBody("http.response.body.size", "masflow.response_bytes_at_least", e.response_body, &line);
  AddError(e, &line);
  AddHeaders("http.request.header.", e.request_headers, &line);
  AddHeaders("http.response.header.", e.response_headers, &line);
  internal::AddConnection(e.connection, internal::NameOf(e.role), &line);
  if (!target.path.has_value()) {
    line.Text("masflow.target", e.target);
  }
  line.Text("masflow.outcome", Name(e.outcome));
  line.Number("masflow.duration_ns", e.last_byte);
  line.Number("masflow.first_byte_ns", e.first_byte);
  line.Flag("masflow.request_head_truncated", e.request_head_truncated);
  line.Flag("masflow.response_head_truncated", e.response_head_truncated);
  internal::CloseLine(e.connection, &line);
}

}  // namespace v0
}  // namespace masflow
