// SPDX-License-Identifier: Apache-2.0
//
// HTTP records, made of what a connection says, for the tests of their way to the host.
#ifndef MASFLOW_TESTS_UNIT_HTTP_TESTING_H_
#define MASFLOW_TESTS_UNIT_HTTP_TESTING_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http/connection_table.h"
#include "masflow/http_events.h"
#include "masflow/http_stream.h"
#include "masflow_bpf/wire.h"
#include "tcp_testing.h"
#include "wire/http_record.h"
#include "wire/write_connection.h"
#include "wire_testing.h"

namespace masflow::internal {

// The records of one connection, as the kernel side would send them. Time goes on by one
// nanosecond a record; the first, of the connection, is at 1,000.
class Talk {
 public:
  explicit Talk(std::uint32_t pid = 5, bool pre_existing = false)
      : connection_(TestConnection(pid)) {
    connection_.role = std::nullopt;
    connection_.pre_existing = pre_existing;
    Connect();
  }

  Talk& Connect() {
    const mf_http_connection wire = {
        .base = WriteConnection(MF_KIND_HTTP_CONNECTION, Now(), connection_)};
    return Add(Assemble(wire));
  }
  Talk& OwnedBy(std::uint32_t pid) {
    connection_.owner = TestProcess(pid, 1);
    return Connect();
  }

  Talk& Send(std::string_view text) { return Say(MF_WAY_SENT, text); }
  Talk& Receive(std::string_view text) { return Say(MF_WAY_RECEIVED, text); }
  // `captured`: bytes of it that are in the record.
  Talk& Say(std::uint8_t way, std::string_view text, std::size_t captured = SIZE_MAX,
            std::size_t length = 0) {
    captured = std::min(captured, text.size());
    length = std::max(length, text.size());
    const bool turn = last_way_ != way;
    last_way_ = way;
    mf_http_data wire = {};
    wire.header.kind = MF_KIND_HTTP_DATA;
    wire.header.flags = static_cast<std::uint16_t>((turn ? MF_HTTP_TURN : 0) |
                                                   (LooksLikeStart(text) ? MF_HTTP_START : 0));
    wire.header.ktime_ns = Tick();
    wire.header.pid = wire.header.tid = 5;
    wire.id = Id();
    wire.offset = ways_[way].end;
    wire.cgroup_id = cgroup_id;
    wire.length = static_cast<std::uint32_t>(length);
    wire.captured = static_cast<std::uint16_t>(captured);
    wire.way = way;
    ways_[way].end += length;
    ways_[way].last_ns = wire.header.ktime_ns;
    return Add(Assemble(wire, text.substr(0, captured)));
  }
  // The same bytes again, as of a call that was cut short.
  Talk& Repeat(std::uint8_t way, std::string_view text) {
    ways_[way].end -= text.size();
    return Say(way, text);
  }
  // Bytes that pass unread; Progress() tells of them.
  Talk& Pass(std::uint8_t way, std::uint64_t count, std::string_view tail = {}) {
    last_way_ = way;
    ways_[way].end += count;
    ways_[way].last_ns = Tick();
    ways_[way].tail_len = static_cast<std::uint32_t>(tail.size());
    std::copy(tail.begin(), tail.end(), ways_[way].tail + sizeof(ways_[way].tail) - tail.size());
    return *this;
  }
  Talk& Progress() {
    mf_http_progress wire = {};
    wire.header.kind = MF_KIND_HTTP_PROGRESS;
    wire.header.ktime_ns = time_ns_;
    wire.id = Id();
    std::copy(ways_.begin(), ways_.end(), wire.ways);
    return Add(Assemble(wire));
  }
  Talk& End(std::uint32_t reason = MF_HTTP_END_CLOSED, std::uint32_t error = 0) {
    mf_http_end wire = {};
    wire.header.kind = MF_KIND_HTTP_END;
    wire.header.ktime_ns = Tick();
    wire.id = Id();
    std::copy(ways_.begin(), ways_.end(), wire.ways);
    wire.reason = reason;
    wire.error = error;
    return Add(Assemble(wire));
  }
  // The last record did not reach the reader.
  Talk& Lost() {
    records.pop_back();
    return *this;
  }
  // What happens on another connection does not concern this one.
  Talk& Add(Bytes record) {
    records.push_back(std::move(record));
    return *this;
  }

  const Connection& connection() const { return connection_; }

  std::vector<Bytes> records;
  std::uint64_t cgroup_id = 17;

 private:
  static bool LooksLikeStart(std::string_view text) {
    return MayBeHead(HeadKind::kRequest, text.substr(0, 8)) ||
           MayBeHead(HeadKind::kResponse, text.substr(0, 8));
  }
  KernelTime Now() { return KernelTime(std::chrono::nanoseconds(Tick())); }
  std::uint64_t Tick() { return time_ns_++; }
  mf_http_id Id() const {
    return {.birth_ns = Nanoseconds(connection_.id.birth.time_since_epoch()),
            .tag = connection_.id.tag,
            .pad = 0};
  }

  Connection connection_;
  std::array<mf_http_way, MF_WAYS> ways_{};
  std::uint64_t time_ns_ = 1000;
  std::uint8_t last_way_ = MF_WAYS;
};

// From records to exchanges, without a session.
class Exchanger {
 public:
  explicit Exchanger(HttpOptions options = {},
                     std::size_t most_held = ConnectionTable::kMostHeldBytes)
      : table(options, most_held) {}

  std::vector<HttpExchange> Take(const std::vector<Bytes>& records) {
    std::vector<HttpExchange> exchanges;
    for (const Bytes& record : records) {
      const Bytes exact(record.begin(), record.end());
      const auto view = decoder_.Decode(exact);
      EXPECT_TRUE(view.has_value());
      if (view.has_value()) {
        table.OnRecord(*view);
      }
      Collect(&exchanges);
    }
    return exchanges;
  }

  ConnectionTable table;

 private:
  void Collect(std::vector<HttpExchange>* exchanges) {
    HttpContext& context = table.context();
    while (!context.done.empty()) {
      Exchange* const exchange = context.done.Pop();
      exchanges->push_back(Own(exchange->view()));
      context.pool.Release(exchange);
    }
  }

  HttpDecoder decoder_;
};

inline std::vector<HttpExchange> Exchanges(const Talk& talk, HttpOptions options = {}) {
  return Exchanger(std::move(options)).Take(talk.records);
}

// "GET /a 200 3+5 complete": what a table of cases compares. A body that is not exact has a
// '~', a truncated head a '!', no status is "-".
inline std::string Brief(const HttpExchange& e) {
  const auto body = [](const HttpBody& b) {
    return std::to_string(b.bytes) + (b.exact ? "" : "~");
  };
  return e.method + (e.request_head_truncated ? "! " : " ") + e.target + " " +
         (e.status.has_value() ? std::to_string(*e.status) : "-") +
         (e.response_head_truncated ? "! " : " ") + body(e.request_body) + "+" +
         body(e.response_body) + " " + std::string(Name(e.outcome));
}

inline std::vector<std::string> Briefs(const std::vector<HttpExchange>& exchanges) {
  std::vector<std::string> briefs;
  std::transform(exchanges.begin(), exchanges.end(), std::back_inserter(briefs), Brief);
  return briefs;
}

inline std::vector<std::string> Briefs(const Talk& talk, HttpOptions options = {}) {
  return Briefs(Exchanges(talk, std::move(options)));
}

using Lines = std::vector<std::string>;

inline std::string Get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: example.com\r\n\r\n";
}
inline std::string Post(std::string_view target, std::string_view body) {
  return "POST " + std::string(target) +
         " HTTP/1.1\r\nHost: example.com\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}
inline std::string Ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}
inline const std::string kChunkedOk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

inline HttpStream OpenHttp(Session& session, HttpOptions options = {}) {
  absl::StatusOr<HttpStream> stream = HttpStream::Open(session, std::move(options));
  EXPECT_TRUE(stream.ok()) << stream.status();
  return *std::move(stream);
}

inline StreamStats HttpStats(const Session& session) {
  return session.stats()[StreamKind::kHttp];
}

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_UNIT_HTTP_TESTING_H_
