// SPDX-License-Identifier: Apache-2.0
//
// HTTP records, from bytes to views. Pure: no allocation, no system call; any input is safe.
#ifndef MASFLOW_WIRE_HTTP_RECORD_H_
#define MASFLOW_WIRE_HTTP_RECORD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "masflow/tcp_events.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

// See masflow_bpf/wire_http.h for what they mean.
struct HttpConnectionRecord {
  KernelTime time{};
  ConnectionView connection{};
};

struct HttpDataRecord {
  KernelTime time{};
  ConnectionId id{};
  std::uint64_t cgroup_id = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;  // offset + length is a number
  std::uint8_t way = 0;      // below MF_WAYS
  bool turn = false;
  bool start = false;
  std::string_view bytes{};  // no more than length
};

struct HttpWayRecord {
  std::uint64_t end = 0;
  std::optional<KernelTime> last{};
  std::string_view tail{};
};
using HttpWayRecords = std::array<HttpWayRecord, MF_WAYS>;

struct HttpProgressRecord {
  ConnectionId id{};
  HttpWayRecords ways{};
};

struct HttpEndRecord {
  ConnectionId id{};
  HttpWayRecords ways{};
  std::uint32_t reason = 0;  // one of MF_HTTP_END_*
  std::uint32_t error = 0;
};

using HttpRecordView =
    std::variant<HttpConnectionRecord, HttpDataRecord, HttpProgressRecord, HttpEndRecord>;

class HttpDecoder {
 public:
  // Absent: malformed. The view points into the record and into this decoder, so it is valid
  // until the next call.
  std::optional<HttpRecordView> Decode(std::span<const std::byte> record);

 private:
  std::optional<HttpRecordView> DecodeConnection(std::span<const std::byte> record);
  std::optional<HttpRecordView> DecodeData(std::span<const std::byte> record);
  std::optional<HttpRecordView> DecodeProgress(std::span<const std::byte> record);
  std::optional<HttpRecordView> DecodeEnd(std::span<const std::byte> record);

  std::array<char, MF_COMM_LEN> owner_comm_{};
  std::array<mf_http_way, MF_WAYS> ways_{};  // their tails
};

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_HTTP_RECORD_H_
