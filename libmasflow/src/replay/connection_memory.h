// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_CONNECTION_MEMORY_H_
#define MASFLOW_REPLAY_CONNECTION_MEMORY_H_

#include <chrono>
#include <cstddef>
#include <unordered_map>
#include <utility>

#include "masflow/tcp_events.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

inline ConnectionId Id(const mf_http_id& id) {
  return {.birth = KernelTime(std::chrono::nanoseconds(id.birth_ns)), .tag = id.tag};
}

// What is known of each connection until its end. Ends can be lost, so it holds two
// generations, each of at most `limit`: those not asked for during a whole one are forgotten.
template <class State>
class ConnectionMemory {
 public:
  explicit ConnectionMemory(std::size_t limit) : limit_(limit) {}

  // Null: not known. Valid until the next call.
  State* Find(const ConnectionId& id) {
    if (const auto it = young_.find(id); it != young_.end()) {
      return &it->second;
    }
    auto old = old_.extract(id);
    return old.empty() ? nullptr : &Add(id, std::move(old.mapped()));
  }

  // Not known so far.
  State& Add(const ConnectionId& id, State state = {}) {
    if (young_.size() >= limit_) {
      old_ = std::exchange(young_, {});
    }
    return young_.insert_or_assign(id, std::move(state)).first->second;
  }

  void Forget(const ConnectionId& id) {
    young_.erase(id);
    old_.erase(id);
  }

  std::size_t size() const { return young_.size() + old_.size(); }

 private:
  const std::size_t limit_;
  std::unordered_map<ConnectionId, State> young_;
  std::unordered_map<ConnectionId, State> old_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_CONNECTION_MEMORY_H_
