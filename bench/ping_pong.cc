// SPDX-License-Identifier: Apache-2.0
//
// What TcpStream costs the machine that it watches, or HttpStream where nothing is HTTP: round
// trips of 64 bytes over one loopback connection, with the stream open and without, in turns.
// Needs root.
//
// All of it runs on one CPU, the session's thread too: where the scheduler puts the two
// ends makes a difference of two, and any new thread can change that.
//
//   masflow_ping_pong [pairs [round trips a turn [tcp|http]]]
//
// Prints the ratio of the rates of each pair, on over off: median and quartiles.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string_view>
#include <vector>

#include <masflow/masflow.h>

namespace {

using Clock = std::chrono::steady_clock;
using Message = std::array<char, 64>;

[[noreturn]] void Die(std::string_view what) {
  std::cerr << "masflow_ping_pong: " << what << '\n';
  std::exit(1);
}

bool Exchange(int fd, bool first) {
  Message message{};
  const auto receive = [&] {
    return recv(fd, message.data(), message.size(), MSG_WAITALL) ==
           static_cast<ssize_t>(message.size());
  };
  const auto send_all = [&] {
    return send(fd, message.data(), message.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(message.size());
  };
  return first ? send_all() && receive() : receive() && send_all();
}

// A connected socket whose other end a child of ours answers on until it is closed.
int ConnectToEcho(pid_t* child) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || bind(listener, any, size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, any, &size) != 0) {
    Die("cannot listen on the loopback");
  }
  *child = fork();
  if (*child == 0) {
    const int fd = accept(listener, nullptr, nullptr);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    while (Exchange(fd, /*first=*/false)) {
    }
    _exit(0);
  }
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (*child < 0 || connect(fd, any, size) != 0) {
    Die("cannot connect to the child");
  }
  close(listener);
  return fd;
}

void RoundTrips(int fd, int count) {
  for (int i = 0; i < count; ++i) {
    if (!Exchange(fd, /*first=*/true)) {
      Die("the child has gone");
    }
  }
}

double Rate(int fd, int round_trips) {
  RoundTrips(fd, round_trips / 4);  // what was just loaded or freed shall not count
  const Clock::time_point begin = Clock::now();
  RoundTrips(fd, round_trips);
  return round_trips / std::chrono::duration<double>(Clock::now() - begin).count();
}

[[noreturn]] void Die(const absl::Status& status) {
  Die(std::string_view(status.message().data(), status.message().size()));
}

double RateWithThread(masflow::Session& session, int fd, int round_trips) {
  if (!session.RunInThread().ok()) {
    Die("cannot start the thread of the session");
  }
  const double rate = Rate(fd, round_trips);
  session.Stop();
  return rate;
}

double RateWatched(int fd, int round_trips, bool by_http) {
  absl::StatusOr<masflow::Session> session = masflow::Session::Create();
  if (!session.ok()) {
    Die(session.status());
  }
  if (by_http) {
    absl::StatusOr<masflow::HttpStream> http = masflow::HttpStream::Open(*session);
    if (!http.ok()) {
      Die(http.status());
    }
    http->OnExchange([](const masflow::HttpExchangeView&) {});
    return RateWithThread(*session, fd, round_trips);
  }
  absl::StatusOr<masflow::TcpStream> tcp = masflow::TcpStream::Open(*session);
  if (!tcp.ok()) {
    Die(tcp.status());
  }
  tcp->OnData([](const masflow::TcpDataView&) {});
  return RateWithThread(*session, fd, round_trips);
}

void StayOnOneCpu() {
  cpu_set_t all;
  cpu_set_t one;
  CPU_ZERO(&one);
  if (sched_getaffinity(0, sizeof(all), &all) != 0) {
    Die("cannot tell which CPUs there are");
  }
  int cpu = 0;
  while (!CPU_ISSET(cpu, &all)) {
    ++cpu;
  }
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof(one), &one) != 0) {
    Die("cannot stay on one CPU");
  }
}

int Argument(int argc, char** argv, int index, int otherwise) {
  return argc > index ? std::max(1, std::atoi(argv[index])) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const int pairs = Argument(argc, argv, 1, 50);
  const int round_trips = Argument(argc, argv, 2, 8'000);
  const std::string_view stream = argc > 3 ? argv[3] : "tcp";
  if (stream != "tcp" && stream != "http") {
    Die("the stream is tcp or http");
  }
  StayOnOneCpu();
  pid_t child = -1;
  const int fd = ConnectToEcho(&child);
  std::vector<double> ratios;
  for (int i = 0; i < pairs; ++i) {
    // Now the one first, now the other: the machine's pace drifts.
    double off = i % 2 == 0 ? Rate(fd, round_trips) : 0;
    const double on = RateWatched(fd, round_trips, stream == "http");
    off = i % 2 == 0 ? off : Rate(fd, round_trips);
    ratios.push_back(on / off);
  }
  close(fd);
  waitpid(child, nullptr, 0);
  std::sort(ratios.begin(), ratios.end());
  const auto at = [&](double part) {
    return ratios[static_cast<std::size_t>(part * static_cast<double>(ratios.size() - 1))];
  };
  std::cout << "requests/s with the " << stream << " stream over without, " << pairs << " pairs of "
            << round_trips << " round trips: median " << at(0.5) << ", quartiles " << at(0.25)
            << " to " << at(0.75) << ", extremes " << ratios.front() << " to " << ratios.back()
            << '\n';
}
