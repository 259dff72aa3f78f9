// SPDX-License-Identifier: Apache-2.0
#include "http/connection_table.h"

#include <utility>
#include <variant>

namespace masflow::internal {

ConnectionTable::ConnectionTable(const HttpOptions& options, std::size_t most_held)
    : context_(options), max_connections_(options.max_connections), most_held_(most_held) {}

ConnectionTable::~ConnectionTable() {
  for (const auto& [id, connection] : connections_) {
    connection->Flush(HttpOutcome::kLost, &context_);  // to the pool, by way of context_.done
  }
}

void ConnectionTable::OnRecord(const HttpRecordView& record) {
  if (held_bytes() > most_held_) {
    Shed();
  }
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
    Counted(*connection, [&] { connection->OnData(record, &context_); });
  }
}

void ConnectionTable::On(const HttpProgressRecord& record) {
  if (HttpConnection* const connection = Find(record.id); connection != nullptr) {
    Counted(*connection, [&] { connection->OnProgress(record.ways, &context_); });
  }
}

void ConnectionTable::On(const HttpEndRecord& record) {
  HttpConnection* const connection = Find(record.id);
  if (connection == nullptr) {
    return;
  }
  bool goes_on = false;
  Counted(*connection, [&] { goes_on = connection->OnEnd(record, &context_); });
  if (!goes_on) {
    Forget(connection);
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
  oldest_->Flush(HttpOutcome::kLost, &context_);
  Forget(oldest_);
}

void ConnectionTable::Forget(HttpConnection* connection) {
  head_bytes_ -= connection->held_bytes();
  TakeOut(connection);
  const ConnectionId id = connection->id();
  connections_.erase(id);
}

// A quarter at once, for it is a walk over connections that may hold nothing.
void ConnectionTable::Shed() {
  std::size_t left = held_bytes();
  for (HttpConnection* c = oldest_; c != nullptr && left > most_held_ / 4 * 3; c = c->newer) {
    left -= c->held_bytes() + c->outstanding_bytes();
    Counted(*c, [&] { c->Shed(&context_); });
  }
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

std::size_t ConnectionTable::MostBytes(const HttpOptions& options) {
  // What a record adds before the next one finds the limit exceeded: heads of both ways, as their
  // memory grows by doubling, and the exchanges that a connection can have outstanding.
  constexpr std::size_t kOneRecord = std::size_t{1} << 20;
  constexpr std::size_t kPool =
      ExchangePool::kMostFree * (sizeof(Exchange) + ExchangePool::kMostTextKept);
  return options.max_connections * kMostConnectionBytes + kMostHeldBytes + kOneRecord + kPool;
}

}  // namespace masflow::internal
