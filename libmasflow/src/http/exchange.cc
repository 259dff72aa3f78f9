// SPDX-License-Identifier: Apache-2.0
#include "http/exchange.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace masflow::internal {
namespace {

// Unsigned, for a damaged recording may hold any numbers.
std::chrono::nanoseconds Since(KernelTime begin, KernelTime end) {
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<std::uint64_t>(end.time_since_epoch().count()) -
                                static_cast<std::uint64_t>(begin.time_since_epoch().count())));
}

// Where "//authority" lies in an absolute-form target; size 0: nowhere.
std::string_view AuthorityOf(std::string_view target) {
  if (target.empty() || target.front() == '/') {
    return {};  // as nearly all are
  }
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos || scheme == 0 || target.find_first_of("/?") < scheme) {
    return {};
  }
  const std::string_view rest = target.substr(scheme + 3);
  return rest.substr(0, rest.find_first_of("/?#"));
}

std::string_view WithoutUser(std::string_view authority) {
  const std::size_t at = authority.rfind('@');
  return at == std::string_view::npos ? authority : authority.substr(at + 1);
}

// The query (without '?') as the host wants it.
void AppendKeys(std::string_view query, std::string* out) {
  while (true) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    out->append(item.substr(0, item.find('=')));
    if (end == query.size()) {
      return;
    }
    out->push_back('&');
    query.remove_prefix(end + 1);
  }
}

void AppendTarget(std::string_view target, std::string_view authority, HttpQuery query,
                  std::string* out) {
  // User and password in front of a host are credentials, which never leave the library.
  if (const std::string_view host = WithoutUser(authority); host.size() < authority.size()) {
    const auto begin = static_cast<std::size_t>(authority.data() - target.data());
    out->append(target.substr(0, begin));
    target.remove_prefix(begin + authority.size() - host.size());
  }
  const std::size_t mark = query == HttpQuery::kKeep ? target.size() : target.find('?');
  out->append(target.substr(0, mark));
  if (query == HttpQuery::kKeysOnly && mark < target.size()) {
    out->push_back('?');
    AppendKeys(target.substr(mark + 1), out);
  }
}

}  // namespace

void Exchange::Begin(KernelTime time, const ConnectionView& connection, HttpRole role) {
  text_.clear();
  event = {};
  event.time = time;
  event.connection = connection;
  event.role = role;
  if (!connection.role.has_value()) {  // it was open before; who asks has opened it
    event.connection.role = role == HttpRole::kClient ? TcpRole::kClient : TcpRole::kServer;
    event.connection.role_inferred = true;
  }
  if (connection.owner.has_value()) {
    const std::string_view comm = connection.owner->comm.substr(0, comm_.size());
    comm.copy(comm_.data(), comm.size());
    event.connection.owner->comm = {comm_.data(), comm.size()};
  }
  response_headers_ = {};
  next = nullptr;
}

Exchange::Place Exchange::Keep(std::string_view text) {
  const Place place = {.at = static_cast<std::uint32_t>(text_.size()),
                       .size = static_cast<std::uint32_t>(text.size())};
  text_.append(text);
  return place;
}

void Exchange::Count() {
  if (all_bytes_ != nullptr) {
    const std::size_t now = sizeof(*this) + text_.capacity();
    *all_bytes_ += now - bytes_;
    bytes_ = now;
  }
}

void Exchange::SetRequest(const MessageHead& head, std::string_view chosen, HttpQuery query) {
  is_head_ = head.method == "HEAD";
  is_connect_ = head.method == "CONNECT";
  line_cut_ = head.line_cut;
  event.version_minor = head.version_minor;
  event.request_head_truncated = head.truncated;
  method_ = Keep(head.method);
  const std::string_view authority = is_connect_ ? head.target : AuthorityOf(head.target);
  const auto begin = static_cast<std::uint32_t>(text_.size());
  AppendTarget(head.target, authority, query, &text_);
  target_ = {.at = begin, .size = static_cast<std::uint32_t>(text_.size()) - begin};
  std::optional<std::string_view> host = head.host;
  if (!authority.empty() && (!is_connect_ || !host.has_value()) && !head.line_cut) {
    host = WithoutUser(authority);
  }
  has_host_ = host.has_value();
  host_ = Keep(host.value_or(std::string_view()));
  request_headers_ = Keep(chosen);
  Count();
}

void Exchange::SetResponse(const MessageHead& head, std::string_view chosen,
                           KernelTime first_byte) {
  event.status = head.status;
  event.response_head_truncated = head.truncated;
  event.first_byte = Since(event.time, first_byte);
  response_headers_ = Keep(chosen);
  Count();
}

void Exchange::SetLastByte(std::optional<KernelTime> time) {
  if (time.has_value()) {
    event.last_byte = Since(event.time, *time);
  }
}

HttpExchangeView& Exchange::view() {
  event.method = At(method_);
  event.target = At(target_);
  if (has_host_) {
    event.host = At(host_);
  }
  event.request_headers = At(request_headers_);
  event.response_headers = At(response_headers_);
  return event;
}

void ExchangeQueue::Push(Exchange* exchange) {
  exchange->next = nullptr;
  (first_ == nullptr ? first_ : last_->next) = exchange;
  last_ = exchange;
  size_ += 1;
}

Exchange* ExchangeQueue::Pop() {
  Exchange* const exchange = first_;
  first_ = exchange->next;
  size_ -= 1;
  return exchange;
}

std::size_t ExchangeQueue::bytes() const {
  std::size_t sum = 0;
  for (const Exchange* exchange = first_; exchange != nullptr; exchange = exchange->next) {
    sum += exchange->bytes();
  }
  return sum;
}

ExchangePool::~ExchangePool() {
  while (free_ != nullptr) {
    delete std::exchange(free_, free_->next);
  }
}

Exchange* ExchangePool::Acquire() {
  Exchange* exchange = free_;
  if (exchange == nullptr) {
    exchange = new Exchange;
  } else {
    free_ = exchange->next;
    free_count_ -= 1;
  }
  in_use_ += 1;
  exchange->all_bytes_ = &bytes_;
  exchange->Count();
  return exchange;
}

void ExchangePool::Release(Exchange* exchange) {
  in_use_ -= 1;
  bytes_ -= std::exchange(exchange->bytes_, 0);
  if (free_count_ >= kMostFree) {
    delete exchange;
    return;
  }
  if (exchange->text_.capacity() > kMostTextKept) {
    exchange->text_ = {};
  }
  exchange->next = std::exchange(free_, exchange);
  free_count_ += 1;
}

void ExchangePool::ReleaseAll(ExchangeQueue* queue) {
  while (!queue->empty()) {
    Release(queue->Pop());
  }
}

}  // namespace masflow::internal
