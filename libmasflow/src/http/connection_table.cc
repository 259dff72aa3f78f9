// SPDX-License-Identifier: Apache-2.0
#include "http/connection_table.h"

#include <utility>
#include <variant>

namespace masflow::internal {

ConnectionTable::ConnectionTable(const HttpOptions& options)
    : context_(options), max_connections_(options.max_connections) {}

ConnectionTable::~ConnectionTable() {
  for (const auto& [id, connection] : connections_) {
    connection->Flush(HttpOutcome::kLost, &context_);  // to the pool, by way of context_.done
  }
}

void ConnectionTable::OnRecord(const HttpRecordView& record) {
  std::visit([this](const auto& r) { On(r); }, record);
}

void ConnectionTable::On(const HttpConnectionRecord& record) {
  if (HttpConnection* const known = Find(record.connection.id); known != nullptr) {
    known->SetOwner(record.connection);
    return;
  }
  if (connections_.size() >= max_connections_) {
    EvictOldest();
  }
  auto connection = std::make_unique<HttpConnection>(record.connection);
  PutInFront(connection.get());
  connections_.emplace(record.connection.id, std::move(connection));
}

void ConnectionTable::On(const HttpDataRecord& record) {
  if (HttpConnection* const connection = Find(record.id); connection != nullptr) {
    connection->OnData(record, &context_);
  }
}

void ConnectionTable::On(const HttpProgressRecord& record) {
  if (HttpConnection* const connection = Find(record.id); connection != nullptr) {
    connection->OnProgress(record.ways, &context_);
  }
}

void ConnectionTable::On(const HttpEndRecord& record) {
  HttpConnection* const connection = Find(record.id);
  if (connection != nullptr && !connection->OnEnd(record, &context_)) {
    TakeOut(connection);
    connections_.erase(record.id);
  }
}

// And notes that it is in use.
HttpConnection* ConnectionTable::Find(const ConnectionId& id) {
  if (newest_ != nullptr && newest_->id() == id) {
    return newest_;  // two records in a row, as of most exchanges
  }
  const auto found = connections_.find(id);
  if (found == connections_.end()) {
    return nullptr;
  }
  HttpConnection* const connection = found->second.get();
  TakeOut(connection);
  PutInFront(connection);
  return connection;
}

void ConnectionTable::EvictOldest() {
  HttpConnection* const connection = oldest_;
  connection->Flush(HttpOutcome::kLost, &context_);
  TakeOut(connection);
  const ConnectionId id = connection->id();
  connections_.erase(id);
}

void ConnectionTable::PutInFront(HttpConnection* connection) {
  connection->newer = nullptr;
  connection->older = newest_;
  (newest_ == nullptr ? oldest_ : newest_->newer) = connection;
  newest_ = connection;
}

void ConnectionTable::TakeOut(HttpConnection* connection) {
  (connection->newer == nullptr ? newest_ : connection->newer->older) = connection->older;
  (connection->older == nullptr ? oldest_ : connection->older->newer) = connection->newer;
}

std::size_t ConnectionTable::held_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, connection] : connections_) {
    bytes += connection->held_bytes();
  }
  return bytes;
}

}  // namespace masflow::internal
