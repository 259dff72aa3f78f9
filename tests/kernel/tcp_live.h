// SPDX-License-Identifier: Apache-2.0
//
// A live session with a TCP stream under test.
#ifndef MASFLOW_KERNEL_TCP_LIVE_H_
#define MASFLOW_KERNEL_TCP_LIVE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "live.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {

// Which connections are meant. What is not set does not matter.
struct Wanted {
  std::optional<std::uint32_t> owner{};  // its pid
  std::optional<std::uint16_t> local{};  // ports
  std::optional<std::uint16_t> remote{};
};

// All that came of one connection.
struct Life {
  std::vector<const TcpEvent*> starts{};  // connect, accept or open
  std::vector<const TcpClose*> closes{};
  std::uint64_t tx_bytes = 0;  // by its data
  std::uint64_t rx_bytes = 0;
};

class TcpLive : public Driven {
 public:
  // Null after a failure, which is reported.
  static std::unique_ptr<TcpLive> Open(const TcpOptions& options = {},
                                       const LiveOptions& live = {});

  TcpStream& stream() { return *stream_; }
  StreamStats stats() const { return session_.stats()[StreamKind::kTcp]; }
  bool Settle() { return Driven::Settle(StreamKind::kTcp); }

  // All that came so far. The events stay where they are.
  const std::deque<TcpEvent>& events() const { return events_; }

  // Those of this kind, in order.
  template <class Event>
  std::vector<const Event*> All(const Wanted& wanted = {}) const {
    std::vector<const Event*> found;
    for (const TcpEvent& event : events_) {
      const Event* const one = std::get_if<Event>(&event);
      if (one != nullptr && Is(one->connection, wanted)) {
        found.push_back(one);
      }
    }
    return found;
  }

  // Drives until this many are there; the last of them. Null, with a failure, if they do
  // not come.
  template <class Event>
  const Event* Await(const Wanted& wanted, std::size_t count = 1) {
    if (!Until([&] { return All<Event>(wanted).size() >= count; })) {
      ADD_FAILURE() << "no event of this kind (the " << count << ".); " << events_.size()
                    << " others came";
      return nullptr;
    }
    return All<Event>(wanted)[count - 1];
  }

  // Drives until all has come that was made before, and checks each life, unless something
  // was lost: one start, no more than one close, nothing after it, and as much data as the
  // close says. The filter has to let this process pass.
  void CatchUp();

  std::map<ConnectionId, Life> Lives() const;

 private:
  TcpLive(Session session, TcpStream stream, TcpDataMode data);
  static bool Is(const Connection& connection, const Wanted& wanted);
  void CheckLives() const;

  std::optional<TcpStream> stream_;
  const TcpDataMode data_;
  std::deque<TcpEvent> events_;
};

const Connection& ConnectionOf(const TcpEvent& event);

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_TCP_LIVE_H_
