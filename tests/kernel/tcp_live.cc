// SPDX-License-Identifier: Apache-2.0
#include "tcp_live.h"

#include <unistd.h>

#include "outside.h"
#include "sockets.h"

namespace masflow::kernel_test {

const Connection& ConnectionOf(const TcpEvent& event) {
  return std::visit([](const auto& e) -> const Connection& { return e.connection; }, event);
}

std::unique_ptr<TcpLive> TcpLive::Open(const TcpOptions& options, const LiveOptions& live) {
  absl::StatusOr<Session> session = CreateSession(live);
  if (!session.ok()) {
    ADD_FAILURE() << session.status();
    return nullptr;
  }
  absl::StatusOr<TcpStream> stream = TcpStream::Open(*session, options);
  if (!stream.ok()) {
    ADD_FAILURE() << stream.status();
    return nullptr;
  }
  ExpectForced(*session, live.forced);
  return std::unique_ptr<TcpLive>(
      new TcpLive(*std::move(session), *std::move(stream), options.data));
}

TcpLive::TcpLive(Session session, TcpStream stream, TcpDataMode data)
    : Driven(std::move(session)), stream_(std::move(stream)), data_(data) {
  const auto keep = [this](const auto& view) { events_.emplace_back(Own(view)); };
  stream_->OnConnect(keep);
  stream_->OnAccept(keep);
  stream_->OnData(keep);
  stream_->OnClose(keep);
  stream_->OnOpen(keep);
  stream_->OnListen(keep);
}

bool TcpLive::Is(const Connection& connection, const Wanted& wanted) {
  return (!wanted.owner || (connection.owner && connection.owner->id.pid == *wanted.owner)) &&
         (!wanted.local || connection.local.port == *wanted.local) &&
         (!wanted.remote || connection.remote.port == *wanted.remote);
}

std::map<ConnectionId, Life> TcpLive::Lives() const {
  std::map<ConnectionId, Life> lives;
  for (const TcpEvent& event : events_) {
    if (std::holds_alternative<TcpListen>(event)) {
      continue;
    }
    Life& life = lives[ConnectionOf(event).id];
    if (const auto* const data = std::get_if<TcpData>(&event)) {
      life.tx_bytes += data->tx_bytes;
      life.rx_bytes += data->rx_bytes;
    } else if (const auto* const close = std::get_if<TcpClose>(&event)) {
      life.closes.push_back(close);
    } else {
      life.starts.push_back(&event);
    }
  }
  return lives;
}

void TcpLive::CheckLives() const {
  std::map<ConnectionId, Life> lives = Lives();
  std::map<ConnectionId, bool> closed;
  for (const TcpEvent& event : events_) {
    const Connection& connection = ConnectionOf(event);
    const bool is_data = std::holds_alternative<TcpData>(event);
    EXPECT_TRUE(!closed[connection.id] || (is_data && data_ == TcpDataMode::kCall))
        << EndsOf(connection) << ": an event after the close";
    closed[connection.id] |= std::holds_alternative<TcpClose>(event);
  }
  for (const auto& [id, life] : lives) {
    if (life.closes.empty()) {
      EXPECT_EQ(life.starts.size(), 1u);
      continue;
    }
    const TcpClose& close = *life.closes[0];
    const Ends ends = EndsOf(close.connection);
    EXPECT_EQ(life.closes.size(), 1u) << ends;
    EXPECT_EQ(life.starts.size(), close.accepted ? 1u : 0u) << ends;
    if (data_ == TcpDataMode::kInterval) {
      EXPECT_EQ(life.tx_bytes, close.tx_bytes) << ends;
      EXPECT_EQ(life.rx_bytes, close.rx_bytes) << ends;
    }
  }
}

void TcpLive::CatchUp() {
  // A last record of our own: the ring keeps the order.
  const Listener closed = ClosedPort();
  Connect(Socket(kLocalhost).get(), kLocalhost, closed.port);
  Await<TcpConnect>(
      {.owner = static_cast<std::uint32_t>(getpid()), .local = {}, .remote = closed.port});
  if (losses().empty()) {
    CheckLives();
  }
}

}  // namespace masflow::kernel_test
