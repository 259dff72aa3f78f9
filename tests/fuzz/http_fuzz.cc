// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as what a few connections say, in records with any gaps, repeats and flags, through
// the table: it takes them, in bounded memory, and gives back every exchange once.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/connection_table.h"
#include "record_fuzz.h"

namespace masflow::internal {
namespace {

constexpr std::uint32_t kConnections = 4;
constexpr std::size_t kLimit = 128 << 10;
// Until the next record: heads of both ways, and what a connection can have outstanding.
constexpr std::size_t kMostHeld = kLimit + MF_WAYS * 2 * (64 << 10) + (512 << 10);

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t Byte() {
    const std::uint8_t byte = empty() ? 0 : static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(empty() ? 0 : 1);
    return byte;
  }
  std::string_view Text(std::size_t size) {
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(text.size());
    return text;
  }

 private:
  std::string_view rest_;
};

class Fuzz {
 public:
  Fuzz(const std::uint8_t* data, std::size_t size)
      : input_(data, size), table_(Options(&input_), kLimit) {}

  void Run() {
    while (!input_.empty()) {
      const std::uint8_t action = input_.Byte();
      time_ += std::chrono::nanoseconds(1);
      connection_ = action & 3;
      Act(action >> 2);
      Deliver();
    }
    Require(table_.context().pool.in_use() <= kConnections * 256, "exchanges leak");
    for (connection_ = 0; connection_ < kConnections; ++connection_) {
      table_.OnRecord(HttpEndRecord{.id = Id(), .reason = MF_HTTP_END_UNSEEN});
    }
    Deliver();
    Require(table_.size() == 0, "a connection outlives its end");
    Require(table_.context().pool.in_use() == 0, "an exchange was not given back");
  }

 private:
  static HttpOptions Options(Input* input) {
    const std::uint8_t byte = input->Byte();
    HttpOptions options;
    options.query = static_cast<HttpQuery>(byte % 3);
    options.max_connections = (byte & 0x80) != 0 ? 2 : 64;
    options.request_headers = {"host", "a"};
    options.response_headers = {"content-length", "b"};
    return options;
  }

  ConnectionId Id() const { return {.birth = KernelTime(), .tag = connection_}; }

  void Act(std::uint8_t action) {
    switch (action & 7) {
      case 0:
        table_.OnRecord(HttpConnectionRecord{.time = time_, .connection = Connection()});
        std::fill(std::begin(ends_[connection_]), std::end(ends_[connection_]), 0);
        break;
      case 1:
        table_.OnRecord(HttpProgressRecord{.id = Id(), .ways = Ways()});
        break;
      case 2:
        table_.OnRecord(HttpEndRecord{.id = Id(), .ways = Ways(), .reason = input_.Byte() % 5u});
        break;
      default:
        Data(action);
        break;
    }
  }

  ConnectionView Connection() {
    ConnectionView connection;
    connection.id = Id();
    connection.pre_existing = (input_.Byte() & 1) != 0;
    connection.owner = ProcessView{.comm = "fuzz"};
    return connection;
  }

  HttpWayRecords Ways() {
    HttpWayRecords ways;
    for (std::size_t i = 0; i < MF_WAYS; ++i) {
      ends_[connection_][i] += Gap(input_.Byte());
      ways[i] = {
          .end = ends_[connection_][i], .last = time_, .tail = input_.Text(input_.Byte() % 9)};
    }
    return ways;
  }

  // Mostly none or few; some of the size of large bodies, and beyond.
  static std::uint64_t Gap(std::uint8_t byte) {
    return byte < 128 ? 0 : byte < 250 ? byte - 127 : std::uint64_t{1} << ((byte - 249) * 9);
  }

  void Data(std::uint8_t action) {
    HttpDataRecord record;
    record.time = time_;
    record.id = Id();
    record.way = (action >> 3) & 1;
    record.turn = (action & 16) != 0;
    record.start = (action & 32) != 0;
    const std::uint8_t shape = input_.Byte();
    std::uint64_t& end = ends_[connection_][record.way];
    record.offset = end + ((shape & 1) != 0 ? Gap(input_.Byte()) : 0);
    if ((shape & 2) != 0) {
      record.offset -= std::min<std::uint64_t>(record.offset, input_.Byte());
    }
    record.bytes = input_.Text(input_.Byte());
    const std::uint64_t unread = (shape & 4) != 0 ? Gap(input_.Byte()) : 0;
    record.length =
        static_cast<std::uint32_t>(record.bytes.size() + std::min<std::uint64_t>(unread, 1u << 30));
    if (record.offset + record.length < record.offset) {
      return;  // no decoder lets that pass
    }
    end = std::max(end, record.offset + record.length);
    table_.OnRecord(record);
  }

  void Deliver() {
    HttpContext& context = table_.context();
    while (!context.done.empty()) {
      Exchange* const exchange = context.done.Pop();
      const HttpExchangeView& e = exchange->view();
      Require(!e.method.empty(), "a request without a line");
      Require(e.status.has_value() || (e.outcome != HttpOutcome::kComplete && !e.last_byte),
              "complete, but without status");
      Require(Own(e) == Own(View(Own(e))), "a copy is another event");
      context.pool.Release(exchange);
    }
    Require(table_.held_bytes() <= kMostHeld, "too much is held");
  }

  Input input_;
  ConnectionTable table_;
  std::uint32_t connection_ = 0;
  KernelTime time_{};
  std::uint64_t ends_[kConnections][MF_WAYS] = {};
};

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  masflow::internal::Fuzz(data, size).Run();
  return 0;
}
