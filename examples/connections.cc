// SPDX-License-Identifier: Apache-2.0
//
// A live table of who talks to whom, by process: also the other process, where it runs on
// this machine.
//
//   sudo ./connections                once a second, until Ctrl-C
//   ./connections trace.mfr           as it stood at the end of a recording
#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <masflow/asio.h>
#include <masflow/masflow.h>

namespace {

class Table {
 public:
  void Note(const masflow::Connection& connection) {
    talks_.try_emplace(connection.id, Talk{.connection = connection});
  }

  void NoteBytes(const masflow::TcpData& data) {
    Note(data.connection);  // if its begin was not seen
    Talk& talk = talks_[data.connection.id];
    talk.sent = data.tx_total_bytes.value_or(0);
    talk.received = data.rx_total_bytes.value_or(0);
  }

  void Forget(const masflow::ConnectionId& id) { talks_.erase(id); }

  void Print() const;

 private:
  struct Talk {
    masflow::Connection connection{};
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };
  // All connections of one process with the same other side, on one line.
  struct Row {
    std::uint32_t pid = 0;
    std::string text{};

    friend auto operator<=>(const Row&, const Row&) = default;
  };
  struct Sum {
    std::uint64_t connections = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };
  // A connection as one of its ends has it. With the ends swapped it is that of the other.
  using End = std::tuple<std::uint32_t, masflow::Endpoint, masflow::Endpoint>;

  std::unordered_map<masflow::ConnectionId, Talk> talks_;
};

std::string NameOf(const masflow::Connection& connection) {
  if (!connection.owner.has_value()) {
    return "(nobody yet)";
  }
  std::string name = std::to_string(connection.owner->id.pid) + " ";
  masflow::AppendEscaped(connection.owner->comm, &name);
  return name;
}

const char* Arrow(std::optional<masflow::TcpRole> role) {
  if (!role.has_value()) {
    return " - ";
  }
  return role == masflow::TcpRole::kClient ? " -> " : " <- ";
}

void Table::Print() const {
  std::map<End, std::string> names;
  for (const auto& [id, talk] : talks_) {
    const masflow::Connection& c = talk.connection;
    names[{c.netns, c.local, c.remote}] = NameOf(c);
  }
  std::map<Row, Sum> rows;
  for (const auto& [id, talk] : talks_) {
    const masflow::Connection& c = talk.connection;
    const bool serves = c.role == masflow::TcpRole::kServer;
    const auto other = names.find({c.netns, c.remote, c.local});
    const std::string name = other != names.end() ? other->second + " at " : "";
    // Of a client the port says nothing.
    const std::string place = serves ? ToString(c.remote.address) : ToString(c.remote);
    Sum& sum =
        rows[{c.owner.has_value() ? c.owner->id.pid : 0, NameOf(c) + Arrow(c.role) + name + place}];
    sum.connections += 1;
    sum.sent += talk.sent;
    sum.received += talk.received;
  }
  for (const auto& [row, sum] : rows) {
    std::cout << row.text << ": " << sum.connections
              << (sum.connections == 1 ? " connection, " : " connections, ") << sum.sent
              << " bytes sent, " << sum.received << " received\n";
  }
  std::cout << "--" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  masflow::SessionOptions options;
  if (argc > 1) {
    options.source = masflow::Replay{.path = argv[1]};
  }
  boost::asio::io_context io;
  auto session = masflow::Session::Create(options);
  if (!session.ok()) {
    std::cerr << "connections: " << session.status().message() << '\n';
    return 1;
  }
  auto tcp = masflow::TcpStream::Open(*session);
  if (!tcp.ok()) {
    std::cerr << "connections: " << tcp.status().message() << '\n';
    return 1;
  }

  Table table;
  tcp->OnOpen([&](const masflow::TcpOpenView& e) { table.Note(Own(e).connection); });
  tcp->OnAccept([&](const masflow::TcpAcceptView& e) { table.Note(Own(e).connection); });
  tcp->OnConnect([&](const masflow::TcpConnectView& e) {
    if (e.outcome == masflow::ConnectOutcome::kConnected) {
      table.Note(Own(e).connection);
    }
  });
  tcp->OnData([&](const masflow::TcpDataView& e) { table.NoteBytes(Own(e)); });
  tcp->OnClose([&](const masflow::TcpCloseView& e) { table.Forget(e.connection.id); });

  boost::asio::signal_set interrupt(io, SIGINT, SIGTERM);
  interrupt.async_wait([&](const boost::system::error_code&, int) { session->Stop(); });
  boost::asio::steady_timer timer(io);
  const std::function<void()> every_second = [&] {
    timer.expires_after(std::chrono::seconds(1));
    timer.async_wait([&](const boost::system::error_code&) {
      table.Print();
      every_second();
    });
  };
  if (argc == 1) {
    every_second();
  }
  masflow::AsioDriver driver(io.get_executor(), *session);
  driver.OnEnd([&] {
    table.Print();
    io.stop();
  });
  io.run();
}
