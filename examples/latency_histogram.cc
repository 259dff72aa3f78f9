// SPDX-License-Identifier: Apache-2.0
//
// How long this machine's servers take, by route, as a table at the end. A route is a method
// and a path in which ids are folded: /users/42/posts and /users/7/posts are one. There is
// a bound on them, whatever clients ask for.
//
//   sudo ./latency_histogram                           until Ctrl-C
//   ./latency_histogram [--routes N] [trace.mfr]       at most N routes; of a recording
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <masflow/asio.h>
#include <masflow/masflow.h>

namespace {

using namespace std::chrono_literals;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// 42; 3f2a9c01 (but not "cafe": so few may be a word); 123e4567-e89b-12d3-a456-426614174000
bool IsId(std::string_view segment) {
  constexpr std::string_view kUuid = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  constexpr std::size_t kShortestHex = 8;
  const auto fits_uuid = [](char c, char form) { return form == '-' ? c == '-' : IsHex(c); };
  if (std::equal(segment.begin(), segment.end(), kUuid.begin(), kUuid.end(), fits_uuid)) {
    return true;
  }
  const bool digits = std::all_of(segment.begin(), segment.end(), IsDigit);
  const bool hex = std::all_of(segment.begin(), segment.end(), IsHex);
  return !segment.empty() && (digits || (hex && segment.size() >= kShortestHex));
}

std::string RouteOf(const masflow::HttpExchangeView& e) {
  std::string route(e.method);
  route += ' ';
  std::string_view path = e.target.substr(0, e.target.find('?'));
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    route += IsId(segment) ? "{}" : segment;
    if (slash == std::string_view::npos) {
      return route;
    }
    route += '/';
    path.remove_prefix(slash + 1);
  }
}

class Table {
 public:
  explicit Table(std::size_t most_routes) : most_routes_(most_routes) {}

  void Note(const masflow::HttpExchangeView& e) {
    const std::string route = RouteOf(e);
    const bool has_place = rows_.contains(route) || rows_.size() < most_routes_;
    Row& row = has_place ? rows_[route] : other_;
    if (!e.last_byte.has_value()) {
      ++row.unanswered;
      return;
    }
    const auto* const bound = std::lower_bound(kBounds.begin(), kBounds.end(), *e.last_byte);
    ++row.counts[static_cast<std::size_t>(bound - kBounds.begin())];
  }

  void Print() const {
    for (const std::string_view head : {"<=1ms", "<=10ms", "<=100ms", "<=1s", "more", "none"}) {
      std::cout << std::setw(8) << head;
    }
    std::cout << "  route\n";
    for (const auto& [route, row] : rows_) {
      std::string text;
      masflow::AppendEscaped(route, &text);
      PrintRow(row, text);
    }
    if (other_ != Row()) {
      PrintRow(other_, "other");
    }
  }

 private:
  static constexpr std::array<std::chrono::nanoseconds, 4> kBounds{1ms, 10ms, 100ms, 1s};
  struct Row {
    std::array<std::uint64_t, kBounds.size() + 1> counts{};  // by kBounds, and beyond
    std::uint64_t unanswered = 0;                            // no response, or not to its end

    friend bool operator==(const Row&, const Row&) = default;
  };

  static void PrintRow(const Row& row, std::string_view route) {
    for (const std::uint64_t count : row.counts) {
      std::cout << std::setw(8) << count;
    }
    std::cout << std::setw(8) << row.unanswered << "  " << route << '\n';
  }

  const std::size_t most_routes_;
  std::map<std::string, Row> rows_{};
  Row other_{};
};

}  // namespace

int main(int argc, char** argv) {
  std::size_t most_routes = 200;
  int next = 1;
  if (argc > 2 && std::string_view(argv[1]) == "--routes") {
    most_routes = std::strtoul(argv[2], nullptr, 10);
    next = 3;
  }
  masflow::SessionOptions options;
  if (argc > next) {
    options.source = masflow::Replay{.path = argv[next]};
  }
  absl::StatusOr<masflow::Session> session = masflow::Session::Create(options);
  if (!session.ok()) {
    std::cerr << "latency_histogram: " << session.status().message() << '\n';
    return 1;
  }
  // Queries are not looked at: they need not leave the library.
  auto http = masflow::HttpStream::Open(*session, {.query = masflow::HttpQuery::kDrop});
  if (!http.ok()) {
    std::cerr << "latency_histogram: " << http.status().message() << '\n';
    return 1;
  }

  Table table(most_routes);
  http->OnExchange([&](const masflow::HttpExchangeView& e) {
    if (e.role == masflow::HttpRole::kServer) {
      table.Note(e);
    }
  });
  session->OnLoss([](const masflow::Loss& loss) {
    std::cerr << "latency_histogram: lost " << loss.count << " (" << Name(loss.reason) << ")\n";
  });

  boost::asio::io_context io;
  boost::asio::signal_set interrupt(io, SIGINT, SIGTERM);
  interrupt.async_wait([&](const boost::system::error_code&, int) { session->Stop(); });
  masflow::AsioDriver driver(io.get_executor(), *session);
  driver.OnEnd([&] {
    table.Print();
    io.stop();
  });
  io.run();
}
