// SPDX-License-Identifier: Apache-2.0
#include "printer.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "masflow/events.h"
#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/stats.h"
#include "masflow/tcp_stream.h"

namespace masflow_cli {
namespace {

bool WantsColor(Color color) {
  if (color != Color::kAuto) {
    return color == Color::kAlways;
  }
  const char* const no_color = getenv("NO_COLOR");  // https://no-color.org
  const char* const term = getenv("TERM");
  const bool forbidden = (no_color != nullptr && *no_color != '\0') ||
                         (term != nullptr && std::string_view(term) == "dumb");
  return !forbidden && isatty(STDOUT_FILENO) == 1;
}

}  // namespace

Printer::Printer(const Flags& flags, const masflow::Session& session, Writer* writer)
    : flags_(flags), session_(session), writer_(writer), style_{.color = WantsColor(flags.color)} {}

template <class Event>
void Printer::Print(const Event& event, masflow::KernelTime time) {
  std::string* const out = writer_->buffer();
  if (flags_.json) {
    masflow::AppendJson(event, session_.ToWallTime(time), out);
  } else {
    masflow::AppendText(event, session_.ToWallTime(time), style_, out);
  }
  out->push_back('\n');
}

void Printer::Attach(masflow::Session* session, Streams* streams) {
  session->OnLoss([this](const masflow::Loss& loss) { Print(loss, loss.until); });
  if (streams->processes.has_value()) {
    AttachProcesses(&*streams->processes);
  }
  if (streams->tcp.has_value()) {
    AttachTcp(&*streams->tcp);
  }
  if (streams->http.has_value()) {
    AttachHttp(&*streams->http);
  }
}

void Printer::AttachProcesses(masflow::ProcessStream* processes) {
  const auto print = [this](const auto& event) { Print(event, event.time); };
  processes->OnExec(print);
  processes->OnExit(print);
  if (flags_.process.forks) {
    processes->OnFork(print);
  }
  if (flags_.process.failed_execs) {
    processes->OnExecFailure(print);
  }
}

void Printer::AttachTcp(masflow::TcpStream* tcp) {
  const auto print = [this](const auto& event) { Print(event, event.time); };
  tcp->OnConnect(print);
  tcp->OnAccept(print);
  tcp->OnClose(print);
  if (flags_.tcp.data != masflow::TcpDataMode::kOff) {
    tcp->OnData(print);
  }
  if (flags_.tcp.pre_existing) {
    tcp->OnOpen(print);
  }
  if (flags_.tcp.listeners) {
    tcp->OnListen(print);
  }
}

void Printer::AttachHttp(masflow::HttpStream* http) {
  http->OnExchange([this](const masflow::HttpExchangeView& exchange) {
    if (flags_.http_match.Passes(exchange)) {
      Print(exchange, exchange.time);
    } else {
      ++filtered_;
    }
  });
}

}  // namespace masflow_cli
