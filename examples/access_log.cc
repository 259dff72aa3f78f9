// SPDX-License-Identifier: Apache-2.0
//
// One access log of the whole machine in the common log format, whatever its servers log.
//
//   sudo ./access_log                            requests that this machine served
//   sudo ./access_log --role client              those that it sent
//   ./access_log [--role client] trace.mfr       of a recording
#include <time.h>

#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include <masflow/asio.h>
#include <masflow/masflow.h>

namespace {

// "10/Oct/2000:13:55:36 +0200"
std::string LogTime(masflow::WallTime at) {
  const auto since_epoch = at.time_since_epoch();
  const time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count();
  tm local{};
  localtime_r(&seconds, &local);
  char text[64];
  return {text, strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S %z", &local)};
}

// As servers write it: what comes from the other side must not end the quotes either.
void AppendInQuotes(std::string_view raw, std::string* out) {
  std::string escaped;
  masflow::AppendEscaped(raw, &escaped);
  for (const char c : escaped) {
    out->append(c == '"' ? "\\" : "");
    out->push_back(c);
  }
}

std::string LogLine(const masflow::HttpExchangeView& e, masflow::WallTime at) {
  const bool served = e.role == masflow::HttpRole::kServer;
  std::string line = ToString(served ? e.connection.remote.address : e.connection.local.address);
  line += " - - [" + LogTime(at) + "] \"";
  AppendInQuotes(e.method, &line);
  line += ' ';
  AppendInQuotes(e.target, &line);
  line += " HTTP/1." + std::to_string(e.version_minor) + "\" ";
  line += e.status.has_value() ? std::to_string(*e.status) : "-";
  line += ' ' + (e.response_body.exact ? std::to_string(e.response_body.bytes) : "-");
  return line;
}

}  // namespace

int main(int argc, char** argv) {
  masflow::HttpRole role = masflow::HttpRole::kServer;
  int next = 1;
  if (argc > 2 && std::string_view(argv[1]) == "--role") {
    role = std::string_view(argv[2]) == "client" ? masflow::HttpRole::kClient : role;
    next = 3;
  }
  masflow::SessionOptions options;
  if (argc > next) {
    options.source = masflow::Replay{.path = argv[next]};
  }
  absl::StatusOr<masflow::Session> session = masflow::Session::Create(options);
  if (!session.ok()) {
    std::cerr << "access_log: " << session.status().message() << '\n';
    return 1;
  }
  absl::StatusOr<masflow::HttpStream> http = masflow::HttpStream::Open(*session);
  if (!http.ok()) {
    std::cerr << "access_log: " << http.status().message() << '\n';
    return 1;
  }
  http->OnExchange([&](const masflow::HttpExchangeView& e) {
    if (e.role == role) {
      std::cout << LogLine(e, session->ToWallTime(e.time)) << std::endl;
    }
  });
  session->OnLoss([](const masflow::Loss& loss) {
    std::cerr << "access_log: lost " << loss.count << " (" << Name(loss.reason) << ")\n";
  });

  boost::asio::io_context io;
  masflow::AsioDriver driver(io.get_executor(), *session);
  io.run();
}
