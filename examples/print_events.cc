// SPDX-License-Identifier: Apache-2.0
//
// The shortest useful program: every process, TCP connection and HTTP exchange of this
// machine, one line an event.
//
//   sudo ./print_events               live, until Ctrl-C
//   ./print_events trace.mfr          a recording made by `masflow --record trace.mfr`
#include <iostream>
#include <string>

#include <boost/asio/io_context.hpp>

#include <masflow/asio.h>
#include <masflow/masflow.h>

int main(int argc, char** argv) {
  masflow::SessionOptions options;
  if (argc > 1) {
    options.source = masflow::Replay{.path = argv[1]};
  }
  absl::StatusOr<masflow::Session> session = masflow::Session::Create(options);
  if (!session.ok()) {
    std::cerr << "print_events: " << session.status().message() << '\n';
    return 1;
  }
  absl::StatusOr<masflow::ProcessStream> processes = masflow::ProcessStream::Open(*session);
  if (!processes.ok()) {
    std::cerr << "print_events: " << processes.status().message() << '\n';
    return 1;
  }
  absl::StatusOr<masflow::TcpStream> tcp = masflow::TcpStream::Open(*session);
  if (!tcp.ok()) {
    std::cerr << "print_events: " << tcp.status().message() << '\n';
    return 1;
  }
  absl::StatusOr<masflow::HttpStream> http = masflow::HttpStream::Open(*session);
  if (!http.ok()) {
    std::cerr << "print_events: " << http.status().message() << '\n';
    return 1;
  }

  const auto print = [&](const auto& event) {
    std::string line;
    masflow::AppendText(event, session->ToWallTime(event.time), {}, &line);
    std::cout << line << std::endl;
  };
  processes->OnExec(print);
  processes->OnExit(print);
  tcp->OnConnect(print);
  tcp->OnAccept(print);
  tcp->OnData(print);
  tcp->OnClose(print);
  tcp->OnOpen(print);
  http->OnExchange(print);
  session->OnLoss([](const masflow::Loss& loss) {
    std::cerr << "print_events: lost " << loss.count << " (" << Name(loss.reason) << ")\n";
  });

  boost::asio::io_context io;
  masflow::AsioDriver driver(io.get_executor(), *session);
  io.run();
}
