// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_CONNECTION_TABLE_H_
#define MASFLOW_HTTP_CONNECTION_TABLE_H_

#include <cstddef>
#include <memory>

#include <absl/container/flat_hash_map.h>

#include "http/http_connection.h"

namespace masflow::internal {

// The connections of a stream, at most HttpOptions::max_connections: the one that has been
// quiet for longest makes room, and what it owes is delivered as lost. Unfinished heads and
// outstanding exchanges have a limit in bytes: beyond it the connections that have been quiet for
// longest give up theirs, which are delivered as lost.
class ConnectionTable {
 public:
  static constexpr std::size_t kMostHeldBytes = std::size_t{64} << 20;

  explicit ConnectionTable(const HttpOptions& options, std::size_t most_held = kMostHeldBytes);
  ~ConnectionTable();
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // What is done is in context().done afterwards.
  void OnRecord(const HttpRecordView& record);

  HttpContext& context() { return context_; }
  std::size_t size() const { return connections_.size(); }
  // Of all unfinished heads and exchanges in the making or to be delivered.
  std::size_t held_bytes() const { return head_bytes_ + context_.pool.bytes(); }
  // What a table can take at most, itself and all that it holds.
  static std::size_t MostBytes(const HttpOptions& options);

 private:
  // Records of a connection that is not known (what announced it was lost) are passed over.
  void On(const HttpConnectionRecord& record);
  void On(const HttpDataRecord& record);
  void On(const HttpProgressRecord& record);
  void On(const HttpEndRecord& record);

  HttpConnection* Find(const ConnectionId& id);
  // Calls `handle`, and counts what the connection holds then.
  template <class Handle>
  void Counted(const HttpConnection& connection, Handle handle) {
    head_bytes_ -= connection.held_bytes();
    handle();
    head_bytes_ += connection.held_bytes();
  }
  void Forget(HttpConnection* connection);
  void EvictOldest();
  void Shed();
  void PutInFront(HttpConnection* connection);
  void TakeOut(HttpConnection* connection);

  HttpContext context_;
  const std::size_t max_connections_;
  const std::size_t most_held_;
  std::size_t head_bytes_ = 0;
  absl::flat_hash_map<ConnectionId, std::unique_ptr<HttpConnection>, std::hash<ConnectionId>>
      connections_;
  HttpConnection* newest_ = nullptr;
  HttpConnection* oldest_ = nullptr;
};

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_CONNECTION_TABLE_H_
