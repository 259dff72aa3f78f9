// SPDX-License-Identifier: Apache-2.0
#include "wire/http_encode.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "masflow_bpf/wire.h"
#include "wire/write_connection.h"
#include "wire/write_record.h"

namespace masflow::internal {
namespace {

std::string Hex(std::uint64_t number) {
  std::array<char, 16> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr;
  return {text.data(), end};
}

// "name: value" lines.
std::string HeaderLines(const std::string& headers) {
  std::string lines;
  for (const HttpHeader& header : HttpHeaders(headers)) {
    lines.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  return lines;
}

// The records of one connection, and how far its ways have come.
class Writer {
 public:
  explicit Writer(const HttpExchange& event) : event_(event) {
    const mf_http_connection wire = {
        .base = WriteConnection(MF_KIND_HTTP_CONNECTION, event.time, event.connection)};
    records.push_back(Assemble(wire));
  }

  // In records of what one can hold. `unread`: bytes more that passed in the last call.
  void Data(std::uint8_t way, std::uint64_t time_ns, std::string_view bytes, bool turn,
            std::uint32_t unread = 0) {
    do {
      const std::string_view part = bytes.substr(0, MF_HTTP_CAPTURE_MAX);
      bytes.remove_prefix(part.size());
      mf_http_data wire = {};
      wire.header = Header(MF_KIND_HTTP_DATA, time_ns);
      SetFlag(&wire.header, MF_HTTP_TURN, turn);
      SetFlag(&wire.header, MF_HTTP_START, turn);
      wire.id = Id();
      wire.offset = ends_[way].end;
      wire.cgroup_id = event_.connection.owner.has_value() ? event_.connection.owner->cgroup_id : 0;
      wire.length = static_cast<std::uint32_t>(part.size()) + (bytes.empty() ? unread : 0);
      wire.captured = static_cast<std::uint16_t>(part.size());
      wire.way = way;
      records.push_back(Assemble(wire, part));
      ends_[way].end += wire.length;
      ends_[way].last_ns = time_ns;
      turn = false;
    } while (!bytes.empty());
  }

  void Unread(std::uint8_t way, std::uint64_t time_ns, std::uint64_t count) {
    ends_[way].end += count;
    ends_[way].last_ns = time_ns;
    mf_http_progress wire = {};
    wire.header = Header(MF_KIND_HTTP_PROGRESS, time_ns);
    wire.id = Id();
    std::copy(ends_.begin(), ends_.end(), wire.ways);
    records.push_back(Assemble(wire));
  }

  void End(std::uint64_t time_ns, std::uint32_t reason) {
    mf_http_end wire = {};
    wire.header = Header(MF_KIND_HTTP_END, time_ns);
    wire.id = Id();
    std::copy(ends_.begin(), ends_.end(), wire.ways);
    wire.reason = reason;
    records.push_back(Assemble(wire));
  }

  std::vector<std::vector<std::byte>> records;

 private:
  mf_header Header(std::uint16_t kind, std::uint64_t time_ns) const {
    const std::uint32_t pid =
        event_.connection.owner.has_value() ? event_.connection.owner->id.pid : 0;
    const KernelTime time{std::chrono::nanoseconds(time_ns)};
    return kind == MF_KIND_HTTP_DATA ? WriteHeader(kind, time, pid, pid)
                                     : WriteHeader(kind, time, 0, 0);
  }
  mf_http_id Id() const {
    return {.birth_ns = Nanoseconds(event_.connection.id.birth.time_since_epoch()),
            .tag = event_.connection.id.tag,
            .pad = 0};
  }

  const HttpExchange& event_;
  std::array<mf_http_way, MF_WAYS> ends_{};
};

void WriteRequest(const HttpExchange& e, std::uint8_t way, Writer* writer) {
  const std::uint64_t time = Nanoseconds(e.time.time_since_epoch());
  const HttpBody body =
      e.method == "CONNECT" ? HttpBody{.bytes = 0, .exact = true} : e.request_body;
  std::string head = e.method + " " + e.target + " HTTP/1." + std::to_string(e.version_minor) +
                     "\r\n" + HeaderLines(e.request_headers);
  if (e.host.has_value()) {
    head += "Host: " + *e.host + "\r\n";
  }
  if (e.request_head_truncated) {
    writer->Data(way, time, head, true, /*unread=*/1);
    return;
  }
  if (body.bytes > 0 || !body.exact) {
    head += "Content-Length: " + std::to_string(body.bytes + (body.exact ? 0 : 1)) + "\r\n";
  }
  writer->Data(way, time, head + "\r\n", true);
  if (body.bytes > 0) {
    writer->Unread(way, time, body.bytes);
  }
}

void WriteResponse(const HttpExchange& e, std::uint8_t way, Writer* writer) {
  const std::uint64_t time = Nanoseconds(e.time.time_since_epoch());
  const std::uint64_t first =
      time + Nanoseconds(e.first_byte.value_or(std::chrono::nanoseconds(0)));
  const std::uint64_t last = e.last_byte.has_value() ? time + Nanoseconds(*e.last_byte) : first;
  const std::string status = std::to_string(*e.status);
  const bool is_complete = e.outcome == HttpOutcome::kComplete;
  const bool without_body = e.outcome == HttpOutcome::kUpgraded || e.method == "HEAD" ||
                            *e.status == 204 || *e.status == 304 || e.response_head_truncated;
  const std::uint64_t bytes = without_body ? 0 : e.response_body.bytes;
  const bool is_chunked = !without_body && is_complete && !e.response_body.exact;

  // The first byte by itself, so that the two times can differ.
  std::string head = "TTP/1.1 " + std::string(3 - std::min<std::size_t>(3, status.size()), '0') +
                     status + " \r\n" + HeaderLines(e.response_headers);
  writer->Data(way, first, "H", true);
  if (e.response_head_truncated) {
    writer->Data(way, last, head, false, /*unread=*/1);
    return;
  }
  if (is_chunked) {
    // The last byte is one that tells neither of another chunk nor of the end.
    head += "Transfer-Encoding: chunked\r\n\r\n" + Hex(std::max<std::uint64_t>(bytes, 1)) + "\r\n";
    writer->Data(way, last, head, false);
    if (bytes > 0) {
      writer->Unread(way, last, bytes + 1);
    }
    return;
  }
  if (!without_body) {
    head += "Content-Length: " + std::to_string(bytes + (is_complete ? 0 : 1)) + "\r\n";
  }
  writer->Data(way, last, head + "\r\n", false);
  if (bytes > 0) {
    writer->Unread(way, last, bytes);
  }
}

std::uint32_t EndReason(HttpOutcome outcome) {
  switch (outcome) {
    case HttpOutcome::kReset:
      return MF_HTTP_END_RESET;
    case HttpOutcome::kLost:
      return MF_HTTP_END_UNSEEN;
    case HttpOutcome::kComplete:
    case HttpOutcome::kUpgraded:
    case HttpOutcome::kClosed:
      break;
  }
  return MF_HTTP_END_CLOSED;
}

}  // namespace

std::vector<std::vector<std::byte>> EncodeRecords(const HttpExchange& event) {
  const std::uint8_t request = event.role == HttpRole::kServer ? MF_WAY_RECEIVED : MF_WAY_SENT;
  Writer writer(event);
  WriteRequest(event, request, &writer);
  if (event.status.has_value()) {
    WriteResponse(event, static_cast<std::uint8_t>(1 - request), &writer);
  }
  const auto last =
      event.last_byte.value_or(event.first_byte.value_or(std::chrono::nanoseconds(0)));
  writer.End(Nanoseconds(event.time.time_since_epoch()) + Nanoseconds(last),
             EndReason(event.outcome));
  return std::move(writer.records);
}

}  // namespace masflow::internal
