// SPDX-License-Identifier: Apache-2.0
//
// Any records through a whole session with all three streams, to events as text and JSON: it
// neither crashes nor hangs, and accounts for each record.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "hostile_ring.h"
#include "masflow/format.h"
#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/tcp_stream.h"
#include "record_fuzz.h"

namespace masflow::internal {
namespace {

class Host {
 public:
  explicit Host(std::span<const std::uint8_t> input)
      : size_(input.size()), session_(MakeSession(input)) {
    const bool odd = size_ % 2 != 0;
    HttpOptions http;
    http.max_connections = 64;
    http.query = odd ? HttpQuery::kKeysOnly : HttpQuery::kKeep;
    http.request_headers = {"a"};
    processes_ = Opened(ProcessStream::Open(session_, {.forks = true, .snapshot = odd}));
    connections_ = Opened(TcpStream::Open(session_));
    exchanges_ = Opened(HttpStream::Open(session_, http));
    const auto show = [this](const auto& event) { Show(event); };
    processes_->OnExec(show);
    processes_->OnExit(show);
    processes_->OnFork(show);
    processes_->OnExecFailure(show);
    connections_->OnConnect(show);
    connections_->OnAccept(show);
    connections_->OnData(show);
    connections_->OnClose(show);
    connections_->OnOpen(show);
    exchanges_->OnExchange(show);  // of listeners there is none: they are unheard
    session_.OnLoss([this](const Loss& loss) { AppendJson(loss, WallTime(), &text_); });
  }

  // Each action takes a byte, and a turn at least one or delivers what is held: a record makes at
  // most some exchanges of what it and those before brought.
  void Run() {
    std::size_t turns = 0;
    while (!session_.Drain(16).ended) {
      Require(++turns <= 64 + 8 * size_, "it does not end");
    }
    for (const StreamStats& s : session_.stats().streams) {
      Require(s.produced ==
                  s.delivered + s.unheard + s.merged + s.malformed + s.filtered + s.lost_total(),
              "a record is not accounted for");
    }
  }

 private:
  static Session MakeSession(std::span<const std::uint8_t> input) {
    auto session = Session::Create({.source = CustomSource{std::make_shared<HostileRing>(input)}});
    Require(session.ok(), "no session");
    return *std::move(session);
  }
  template <class Stream>
  static std::unique_ptr<Stream> Opened(absl::StatusOr<Stream> stream) {
    Require(stream.ok(), "no stream");
    return std::make_unique<Stream>(*std::move(stream));
  }

  template <class View>
  void Show(const View& event) {
    text_.clear();
    const WallTime at = session_.ToWallTime(event.time);
    AppendText(event, at, {}, &text_);
    Require(text_.find('\n') == std::string::npos, "more than a line");
    AppendJson(event, at, &text_);
    const auto owned = Own(event);
    Require(Own(masflow::View(owned)) == owned, "a copy is another event");
  }

  const std::size_t size_;
  std::string text_;
  Session session_;
  std::unique_ptr<ProcessStream> processes_;
  std::unique_ptr<TcpStream> connections_;
  std::unique_ptr<HttpStream> exchanges_;
};

}  // namespace
}  // namespace masflow::internal

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  masflow::internal::Host(std::span(data, size)).Run();
  return 0;
}
