// SPDX-License-Identifier: Apache-2.0
//
// Events as a coroutine: the next one is awaited where it is needed. A consumer that is
// slow loses what overflows the ring, and is told so.
//
//   sudo ./coroutine [count]          prints the next `count` execs (default 10), then ends
//   ./coroutine count trace.mfr       the same of a recording
#include <cstdlib>
#include <exception>
#include <iostream>
#include <utility>  // Boost 1.74: awaitable.hpp uses std::exchange without it
#include <variant>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <masflow/asio.h>
#include <masflow/masflow.h>

namespace asio = boost::asio;

asio::awaitable<void> PrintExecs(masflow::AsioDriver& driver, masflow::ProcessStream& processes,
                                 int count) {
  while (count > 0) {
    boost::system::error_code error;
    const masflow::ProcessEvent event =
        co_await driver.AsyncNext(processes, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_return;  // asio::error::eof: the stream has ended
    }
    if (const auto* exec = std::get_if<masflow::ProcessExec>(&event)) {
      std::cout << exec->process.id.pid << ' ' << exec->process.comm << std::endl;
      --count;
    }
  }
}

int main(int argc, char** argv) {
  masflow::SessionOptions options;
  if (argc > 2) {
    options.source = masflow::Replay{.path = argv[2]};
  }
  asio::io_context io;  // outlives the streams
  auto session = masflow::Session::Create(options);
  if (!session.ok()) {
    std::cerr << "coroutine: " << session.status().message() << '\n';
    return 1;
  }
  auto processes = masflow::ProcessStream::Open(*session);
  if (!processes.ok()) {
    std::cerr << "coroutine: " << processes.status().message() << '\n';
    return 1;
  }
  masflow::AsioDriver driver(io.get_executor(), *session);
  asio::co_spawn(io, PrintExecs(driver, *processes, argc > 1 ? std::atoi(argv[1]) : 10),
                 [&](std::exception_ptr error) {
                   session->Stop();
                   if (error) {
                     std::rethrow_exception(error);
                   }
                 });
  io.run();
}
