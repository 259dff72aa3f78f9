// SPDX-License-Identifier: Apache-2.0
//
// A session inside a daemon that has work of its own: a TCP server that answers each
// connection with what the machine has run so far. One thread, one io_context; the
// session takes a turn of at most 64 records, then the server's handlers get theirs.
//
//   sudo ./embed_asio_server 8125 &   then: nc 127.0.0.1 8125
//   ./embed_asio_server 8125 trace.mfr
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/write.hpp>

#include <masflow/asio.h>
#include <masflow/masflow.h>

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// What the daemon makes of the events.
struct Census {
  std::uint64_t started = 0;
  std::uint64_t ended = 0;
  std::uint64_t failed = 0;  // ended with a code other than 0, or by a signal
  std::uint64_t lost = 0;
  std::string last_comm{};

  std::string Report() const {
    return std::to_string(started) + " started, " + std::to_string(ended) + " ended, " +
           std::to_string(failed) + " of them failed, " + std::to_string(lost) +
           " not seen; last: " + last_comm + "\n";
  }
};

// The daemon's own work.
class Server {
 public:
  Server(asio::io_context& io, std::uint16_t port, const Census& census)
      : acceptor_(io, {asio::ip::address_v4::loopback(), port}), census_(census) {
    std::cout << "listening on port " << acceptor_.local_endpoint().port() << std::endl;
    Accept();
  }

 private:
  void Accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket peer) {
      if (error == asio::error::operation_aborted) {
        return;
      }
      if (!error) {
        Answer(std::move(peer));
      }
      Accept();
    });
  }

  void Answer(tcp::socket peer) {
    const auto socket = std::make_shared<tcp::socket>(std::move(peer));
    const auto text = std::make_shared<std::string>(census_.Report());
    asio::async_write(*socket, asio::buffer(*text),
                      [socket, text](const boost::system::error_code&, std::size_t) {});
  }

  tcp::acceptor acceptor_;
  const Census& census_;
};

}  // namespace

int main(int argc, char** argv) {
  masflow::SessionOptions options;
  if (argc > 2) {
    options.source = masflow::Replay{.path = argv[2]};
  }
  asio::io_context io;
  auto session = masflow::Session::Create(options);
  if (!session.ok()) {
    std::cerr << "embed_asio_server: " << session.status().message() << '\n';
    return 1;
  }
  auto processes = masflow::ProcessStream::Open(*session);
  if (!processes.ok()) {
    std::cerr << "embed_asio_server: " << processes.status().message() << '\n';
    return 1;
  }

  Census census;
  processes->OnExec([&](const masflow::ProcessExecView& e) {
    ++census.started;
    census.last_comm.clear();
    masflow::AppendEscaped(e.process.comm, &census.last_comm);
  });
  processes->OnExit([&](const masflow::ProcessExitView& e) {
    ++census.ended;
    census.failed += e.exit_code.value_or(1) != 0;
  });
  session->OnLoss([&](const masflow::Loss& loss) { census.lost += loss.count; });

  const Server server(io, static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 8125), census);
  masflow::AsioDriver driver(io.get_executor(), *session, /*records_per_turn=*/64);
  asio::signal_set interrupt(io, SIGINT, SIGTERM);
  interrupt.async_wait([&](const boost::system::error_code&, int) { io.stop(); });
  io.run();
}
