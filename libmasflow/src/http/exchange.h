// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_EXCHANGE_H_
#define MASFLOW_HTTP_EXCHANGE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/head_parser.h"
#include "masflow/http_events.h"
#include "masflow/http_stream.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

// A name that stays with what refers to it.
using OwnerComm = std::array<char, MF_COMM_LEN>;

// An exchange in the making, or done and not yet delivered.
class Exchange {
 public:
  // `connection`: with the process that moved the first byte of the request.
  void Begin(KernelTime time, const ConnectionView& connection, HttpRole role);
  void SetRequest(const MessageHead& head, std::string_view chosen, HttpQuery query);
  void SetResponse(const MessageHead& head, std::string_view chosen, KernelTime first_byte);
  void SetLastByte(std::optional<KernelTime> time);

  bool is_head() const { return is_head_; }
  bool is_connect() const { return is_connect_; }
  bool line_cut() const { return line_cut_; }

  // Valid until the exchange is changed.
  HttpExchangeView& view();
  // Its own and those of its texts.
  std::size_t bytes() const { return bytes_; }

  HttpExchangeView event{};  // its texts: see view()
  Exchange* next = nullptr;  // in whatever list it is

 private:
  friend class ExchangePool;
  struct Place {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };

  Place Keep(std::string_view text);
  void Count();
  std::string_view At(Place place) const { return {text_.data() + place.at, place.size}; }

  std::string text_;                  // all of them, one behind the other; its memory is used again
  std::size_t bytes_ = 0;             // as counted in *all_bytes_
  std::size_t* all_bytes_ = nullptr;  // of the pool
  OwnerComm comm_{};
  Place method_{};
  Place target_{};
  Place host_{};
  Place request_headers_{};
  Place response_headers_{};
  bool has_host_ = false;
  bool is_head_ = false;
  bool is_connect_ = false;
  bool line_cut_ = false;
};

// First in, first out. Holds no memory of its own; does not destroy what is in it.
class ExchangeQueue {
 public:
  bool empty() const { return first_ == nullptr; }
  std::size_t size() const { return size_; }
  std::size_t bytes() const;  // takes a walk
  Exchange* front() const { return first_; }
  void Push(Exchange* exchange);
  Exchange* Pop();

 private:
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  std::size_t size_ = 0;
};

// Keeps what is released for the next one, so that steady traffic allocates nothing.
class ExchangePool {
 public:
  ExchangePool() = default;
  ~ExchangePool();
  ExchangePool(const ExchangePool&) = delete;
  ExchangePool& operator=(const ExchangePool&) = delete;

  Exchange* Acquire();
  void Release(Exchange* exchange);
  void ReleaseAll(ExchangeQueue* queue);

  std::size_t in_use() const { return in_use_; }
  // Of those in use.
  std::size_t bytes() const { return bytes_; }

  static constexpr std::size_t kMostFree = 1024;
  static constexpr std::size_t kMostTextKept = 4096;  // per free exchange

 private:
  Exchange* free_ = nullptr;
  std::size_t free_count_ = 0;
  std::size_t in_use_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_EXCHANGE_H_
