// SPDX-License-Identifier: Apache-2.0
#include "wire/http_record.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "wire/read_connection.h"
#include "wire/read_record.h"

namespace masflow::internal {
namespace {

using Bytes = RecordSpan;

ConnectionId ReadId(const mf_http_id& wire) {
  return ReadConnectionId(wire.birth_ns, wire.tag);
}

// False: malformed. The tails point into `kept`.
bool ReadWays(const mf_http_way (&wire)[MF_WAYS], std::array<mf_http_way, MF_WAYS>* kept,
              HttpWayRecords* ways) {
  std::copy(std::begin(wire), std::end(wire), kept->begin());
  for (std::size_t i = 0; i < MF_WAYS; ++i) {
    const mf_http_way& from = (*kept)[i];
    constexpr std::size_t kTail = sizeof(from.tail);
    if (from.tail_len > kTail) {
      return false;
    }
    HttpWayRecord& way = (*ways)[i];
    way.end = from.end;
    if (from.last_ns != 0) {
      way.last = KernelTime(std::chrono::nanoseconds(from.last_ns));
    }
    const char* const tail = reinterpret_cast<const char*>(from.tail);
    way.tail = std::string_view(tail + kTail - from.tail_len, from.tail_len);
  }
  return true;
}

}  // namespace

std::optional<HttpRecordView> HttpDecoder::Decode(Bytes record) {
  mf_header header;
  if (!CopyFront(record, &header)) {
    return std::nullopt;
  }
  switch (header.kind) {
    case MF_KIND_HTTP_CONNECTION:
      return DecodeConnection(record);
    case MF_KIND_HTTP_DATA:
      return DecodeData(record);
    case MF_KIND_HTTP_PROGRESS:
      return DecodeProgress(record);
    case MF_KIND_HTTP_END:
      return DecodeEnd(record);
    default:
      return std::nullopt;
  }
}

std::optional<HttpRecordView> HttpDecoder::DecodeConnection(Bytes record) {
  mf_http_connection wire;
  HttpConnectionRecord r;
  if (!ReadWhole(record, &wire) || !ReadConnection(wire.base, &r.connection, &owner_comm_)) {
    return std::nullopt;
  }
  r.time = Time(wire.base.header);
  return r;
}

std::optional<HttpRecordView> HttpDecoder::DecodeData(Bytes record) {
  mf_http_data wire;
  if (!ReadFixed(record, &wire) || wire.way >= MF_WAYS || wire.captured > wire.length ||
      record.size() - sizeof(wire) != wire.captured ||
      wire.offset > std::numeric_limits<std::uint64_t>::max() - wire.length) {
    return std::nullopt;
  }
  HttpDataRecord r;
  r.time = Time(wire.header);
  r.id = ReadId(wire.id);
  r.cgroup_id = wire.cgroup_id;
  r.offset = wire.offset;
  r.length = wire.length;
  r.way = wire.way;
  r.turn = (wire.header.flags & MF_HTTP_TURN) != 0;
  r.start = (wire.header.flags & MF_HTTP_START) != 0;
  r.bytes = {reinterpret_cast<const char*>(record.data()) + sizeof(wire), wire.captured};
  return r;
}

std::optional<HttpRecordView> HttpDecoder::DecodeProgress(Bytes record) {
  mf_http_progress wire;
  HttpProgressRecord r;
  if (!ReadWhole(record, &wire) || !ReadWays(wire.ways, &ways_, &r.ways)) {
    return std::nullopt;
  }
  r.id = ReadId(wire.id);
  return r;
}

std::optional<HttpRecordView> HttpDecoder::DecodeEnd(Bytes record) {
  mf_http_end wire;
  HttpEndRecord r;
  if (!ReadWhole(record, &wire) || !ReadWays(wire.ways, &ways_, &r.ways) ||
      wire.reason > MF_HTTP_END_NOT_HTTP) {
    return std::nullopt;
  }
  r.id = ReadId(wire.id);
  r.reason = wire.reason;
  r.error = wire.error;
  return r;
}

}  // namespace masflow::internal
