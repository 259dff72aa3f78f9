// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_HTTP_CONNECTION_H_
#define MASFLOW_HTTP_HTTP_CONNECTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "http/exchange.h"
#include "http/way_parser.h"
#include "masflow/http_stream.h"
#include "masflow/tcp_events.h"
#include "wire/http_record.h"

namespace masflow::internal {

// What the connections of a stream share.
struct HttpContext {
  explicit HttpContext(const HttpOptions& options);
  ~HttpContext() { pool.ReleaseAll(&done); }

  WayParser::HeadReader reader;
  HttpQuery query = HttpQuery::kKeep;
  ExchangePool pool;
  ExchangeQueue done;  // to be delivered, in this order
};

// One end of a connection: makes exchanges of the bytes of its two ways, and puts them into
// HttpContext::done as soon as each is complete, or will not be.
//
// Requests wait for their responses in a queue. Where records were lost, pairing goes on only
// with what surely belongs together; the rest is delivered as lost, or passed over.
class HttpConnection {
 public:
  explicit HttpConnection(const ConnectionView& connection);
  // Only after Flush() or Drop().
  ~HttpConnection() = default;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  const ConnectionId& id() const { return connection_.id; }

  // Another process goes on with it.
  void SetOwner(const ConnectionView& connection);
  void OnData(const HttpDataRecord& data, HttpContext* context);
  void OnProgress(const HttpWayRecords& ways, HttpContext* context);
  // False: nothing follows any more.
  bool OnEnd(const HttpEndRecord& end, HttpContext* context);
  // Delivers what is outstanding.
  void Flush(HttpOutcome outcome, HttpContext* context);
  // Gives up what it holds, as if records had been lost: what is outstanding is delivered as lost,
  // and it goes on with the next message.
  void Shed(HttpContext* context);

  std::size_t outstanding() const { return waiting_.size(); }
  std::size_t outstanding_bytes() const { return waiting_.bytes(); }
  // Of unfinished heads.
  std::size_t held_bytes() const { return ways_[0].held_bytes() + ways_[1].held_bytes(); }

  // In the table, by use.
  HttpConnection* newer = nullptr;
  HttpConnection* older = nullptr;

 private:
  static constexpr std::uint8_t kUnknownWay = 2;

  bool is_request_way(std::uint8_t way) const { return way == request_way_; }
  WayParser& request() { return ways_[request_way_]; }
  WayParser& response() { return ways_[1 - request_way_]; }
  WayParser::Expected Expects(std::uint8_t way) const;

  void Take(std::uint8_t way, WayChunk&& chunk, HttpContext* context);
  // False: the connection is ignored from here on.
  bool OnNotHead(std::uint8_t way, HttpContext* context);
  void NoteFirst(const HttpDataRecord& data);
  void NoteTurn(const HttpDataRecord& data, HttpContext* context);
  void OnLost(std::uint8_t way, HttpContext* context);
  void OnPassedOver(std::uint8_t way, HttpContext* context);
  void OnHead(std::uint8_t way, const WayChunk& chunk, HttpContext* context);
  void SetRequestWay(std::uint8_t way, HttpContext* context);
  void OnRequest(const WayChunk& chunk, HttpContext* context);
  Exchange* NewExchange(HttpContext* context);
  void OnResponse(const std::optional<KernelTime>& now, HttpContext* context);
  void Pair(const std::optional<KernelTime>& now, HttpContext* context);
  void OnBodyEnd(std::uint8_t way, HttpContext* context);
  void TakeCutHeads(bool requests_too, HttpContext* context);
  void FinishAll(HttpOutcome outcome, bool in_order, HttpContext* context);

  void Push(Exchange* exchange, HttpContext* context);
  void FinishFront(HttpOutcome outcome, HttpContext* context);
  void Finish(Exchange* exchange, HttpOutcome outcome, HttpContext* context);
  void Ignore(HttpContext* context);
  void Drop(HttpContext* context);

  // Who moved the first byte of an unfinished head, and was followed by another owner.
  struct FormerOwner {
    std::optional<ProcessView> owner{};
    OwnerComm comm{};
  };

  ConnectionView connection_;  // its text lies in comm_
  OwnerComm comm_{};
  std::array<WayParser, MF_WAYS> ways_;
  ExchangeQueue waiting_;        // for the end of their responses
  Exchange* sending_ = nullptr;  // whose request's body is in progress
  std::unique_ptr<FormerOwner> former_;
  std::uint64_t cgroup_id_ = 0;                           // of the process at the last call
  std::array<std::uint64_t, MF_WAYS> head_cgroup_ids_{};  // and at the first byte of a head
  std::uint32_t passed_over_ = 0;  // responses to come that are those of no one in waiting_
  std::uint8_t request_way_ = kUnknownWay;
  std::array<bool, MF_WAYS> moved_{};  // since the last record of the other way
  bool started_ = false;
  bool before_turn_ = false;
  bool ignored_ = false;
  bool confirmed_ = false;   // a request was answered by HTTP/1.x
  bool responding_ = false;  // the response in progress is that of waiting_'s first
  bool head_cut_ = false;    // the response's head, by the end of the connection
  bool unsure_ = false;      // requests passed unseen
};

// With its entry in the table (pointer and id, at the lowest load) an idle connection takes no
// more than 600 bytes; HttpOptions::max_connections says so. In use it has besides: an
// Exchange for each outstanding request, and the part of a head that was not whole.
inline constexpr std::size_t kTableEntryBytes = 2 * (sizeof(ConnectionId) + sizeof(void*) + 1);
inline constexpr std::size_t kMostConnectionBytes = 600;
static_assert(sizeof(HttpConnection) + kTableEntryBytes <= kMostConnectionBytes);

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_HTTP_CONNECTION_H_
