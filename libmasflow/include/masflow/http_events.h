// SPDX-License-Identifier: Apache-2.0
//
// The event of HttpStream. As in events.h it comes as a view and as an owner of its text,
// with the same fields.
#ifndef MASFLOW_HTTP_EVENTS_H_
#define MASFLOW_HTTP_EVENTS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "masflow/events.h"
#include "masflow/export.h"
#include "masflow/tcp_events.h"

namespace masflow {
inline namespace v0 {

enum class HttpRole : std::uint8_t {
  kClient = 1,  // the local end sent the request
  kServer = 2,  // the local end received it
};

enum class HttpOutcome : std::uint8_t {
  kComplete = 0,
  kUpgraded = 1,  // 101, or CONNECT that succeeded: from here on it is another protocol
  kClosed = 2,    // the connection was closed before the response was complete
  kReset = 3,     // the connection was reset or broke before the response was complete
  kLost = 4,      // records of it were lost: what is here was seen, the rest is not known
};

// "complete", "upgraded", "closed", "reset", "lost".
MASFLOW_EXPORT std::string_view Name(HttpOutcome outcome);

// Bytes of a message after its head, as they passed: of a chunked one the chunks' sizes
// and the trailers are not counted.
struct HttpBody {
  std::uint64_t bytes = 0;
  bool exact = false;  // false: there were at least so many

  friend bool operator==(const HttpBody&, const HttpBody&) = default;
};

// A request and its response, HTTP/1.0 or 1.1, without TLS (or with TLS in the kernel), as one
// of the two ends has it: where both are on this machine each has its own exchange. Interim
// responses (1xx but 101) are passed over. Source: SupportReport, "http send" and "http receive".
template <class Text>
struct BasicHttpExchange {
  // When the first byte of the request had passed this end: sent by the client, read by the
  // server.
  KernelTime time{};
  // owner is the process that moved the first byte of the request; its cgroup_id as it was
  // then. role says who opened the connection where that is known, else it is inferred from
  // who sent the request. id is the one of TcpStream's events if that was opened before.
  BasicConnection<Text> connection{};
  HttpRole role{};
  Text method{};
  // As sent, but for HttpOptions::query and a "user:password@" in an absolute one, which is left
  // out.
  Text target{};
  std::optional<Text> host{};             // Host, or of an absolute target its authority
  std::uint8_t version_minor{};           // HTTP/1.<this>, of the request
  std::optional<std::uint16_t> status{};  // absent: no (whole) status line was seen
  HttpBody request_body{};
  HttpBody response_body{};
  // From `time` to the first and to the last byte of the final response at this end. Absent:
  // not seen. first_byte is when the first part of it had passed.
  std::optional<std::chrono::nanoseconds> first_byte{};
  std::optional<std::chrono::nanoseconds> last_byte{};
  HttpOutcome outcome{};
  // The head is longer than HttpOptions::*_capture or was cut by loss: headers (and so host,
  // body length) of the rest are not known.
  bool request_head_truncated = false;
  bool response_head_truncated = false;
  // The headers that HttpOptions asks for, in order of appearance; see HttpHeaders.
  Text request_headers{};
  Text response_headers{};

  friend bool operator==(const BasicHttpExchange&, const BasicHttpExchange&) = default;
};
using HttpExchangeView = BasicHttpExchange<std::string_view>;
using HttpExchange = BasicHttpExchange<std::string>;

// The deep copy, and the reverse. Thread-safe.
MASFLOW_EXPORT HttpExchange Own(const HttpExchangeView& view);
MASFLOW_EXPORT HttpExchangeView View(const HttpExchange& event);

struct HttpHeader {
  std::string_view name{};   // as sent
  std::string_view value{};  // without white space around it
};

// The headers of BasicHttpExchange::request_headers (name NUL value NUL …), one by one:
//   for (const masflow::HttpHeader& h : masflow::HttpHeaders(e.request_headers)) …
// Holds no memory; valid as long as the bytes are.
class HttpHeaders {
 public:
  class Iterator {
   public:
    using value_type = HttpHeader;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest) { Take(); }
    const HttpHeader& operator*() const { return header_; }
    Iterator& operator++() {
      Take();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      Take();
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.at_end_ == b.at_end_ && a.rest_.size() == b.rest_.size();
    }

   private:
    void Take() {
      at_end_ = rest_.empty();
      header_.name = TakeText();
      header_.value = TakeText();
    }
    std::string_view TakeText() {
      const std::size_t end = rest_.find('\0');
      const std::string_view text = rest_.substr(0, end);
      rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
      return text;
    }

    std::string_view rest_{};
    HttpHeader header_{};
    bool at_end_ = true;
  };

  explicit HttpHeaders(std::string_view bytes) : bytes_(bytes) {}
  Iterator begin() const { return Iterator(bytes_); }
  Iterator end() const { return Iterator(); }

 private:
  std::string_view bytes_;
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_HTTP_EVENTS_H_
