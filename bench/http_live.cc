// SPDX-License-Identifier: Apache-2.0
//
// What HttpStream costs a server and its client: wrk against nginx, with the stream open and
// without, in turns. Needs root, nginx and wrk.
//
//   masflow_http_live [pairs [seconds a turn [connections [both|server|client]]]]
//
// Prints the ratio of the rates of each pair, on over off: median and quartiles; and the same of
// as many pairs off over off, in between, which says what of it is noise.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <masflow/masflow.h>

namespace {

struct Options {
  int pairs = 10;
  int seconds = 2;
  int connections = 16;
  std::string ends = "both";
};

[[noreturn]] void Die(std::string_view what) {
  std::cerr << "masflow_http_live: " << what << '\n';
  std::exit(1);
}

int LoopbackSocket(sockaddr_in* address) {
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

std::uint16_t FreePort() {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  const int fd = LoopbackSocket(&address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, any, size) != 0 || getsockname(fd, any, &size) != 0) {
    Die("cannot get a port");
  }
  close(fd);
  return ntohs(address.sin_port);
}

bool Listens(std::uint16_t port) {
  sockaddr_in address{};
  const int fd = LoopbackSocket(&address);
  address.sin_port = htons(port);
  const bool good = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return good;
}

// An nginx of our own, which goes with the object.
class Nginx {
 public:
  Nginx() : port_(FreePort()) {
    std::string name = "/tmp/masflow_http_live_XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
      Die("cannot make a folder");
    }
    folder_ = name;
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    WriteConfig();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGQUIT);  // Die() leaves no time to end it
      execlp("nginx", "nginx", "-p", folder_.c_str(), "-c", (folder_ + "/nginx.conf").c_str(),
             static_cast<char*>(nullptr));
      _exit(127);
    }
    while (!Listens(port_)) {
      if (waitpid(pid_, nullptr, WNOHANG) != 0) {
        Die("nginx does not start");
      }
      std::this_thread::yield();
    }
  }
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx() {
    kill(pid_, SIGQUIT);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }

  std::uint16_t port() const { return port_; }

 private:
  void WriteConfig() const {
    std::ofstream config(folder_ + "/nginx.conf");
    config
        << "daemon off; worker_processes 1; pid " << folder_ << "/pid; error_log " << folder_
        << "/error.log;\n"
        << "worker_cpu_affinity 01;\nevents { worker_connections 1024; }\nhttp { access_log off;\n"
        << "keepalive_requests 1000000000;\n";
    for (const char* const kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      config << kind << "_temp_path " << folder_ << "/" << kind << ";\n";
    }
    config << "server { listen 127.0.0.1:" << port_ << "; return 200 \"hello\\n\"; } }\n";
  }

  const std::uint16_t port_;
  std::string folder_;
  pid_t pid_ = -1;
};

// Requests a second.
double Rate(const Options& options, std::uint16_t port) {
  const std::string command = "taskset -c 1 wrk -t 1 -c " + std::to_string(options.connections) +
                              " -d " + std::to_string(options.seconds) +
                              "s http://127.0.0.1:" + std::to_string(port) + "/";
  FILE* const output = popen(command.c_str(), "re");
  if (output == nullptr) {
    Die("cannot start wrk");
  }
  double rate = 0;
  char line[256];
  while (fgets(line, sizeof(line), output) != nullptr) {
    std::sscanf(line, "Requests/sec: %lf", &rate);
  }
  if (pclose(output) != 0 || rate <= 0) {
    Die("wrk tells no rate");
  }
  return rate;
}

masflow::HttpOptions OptionsFor(const Options& options, std::uint16_t port) {
  masflow::HttpOptions http;
  if (options.ends == "server") {
    http.filter.local_ports = {port};
  } else if (options.ends == "client") {
    http.filter.remote_ports = {port};
  }
  return http;
}

struct Counts {
  std::uint64_t exchanges = 0;
  std::uint64_t lost = 0;
};

double RateWatched(const Options& options, std::uint16_t port, Counts* counts) {
  absl::StatusOr<masflow::Session> session = masflow::Session::Create();
  if (!session.ok()) {
    Die(session.status().ToString());
  }
  absl::StatusOr<masflow::HttpStream> http =
      masflow::HttpStream::Open(*session, OptionsFor(options, port));
  if (!http.ok()) {
    Die(http.status().ToString());
  }
  http->OnExchange([&](const masflow::HttpExchangeView&) { ++counts->exchanges; });
  if (!session->RunInThread().ok()) {
    Die("cannot start the thread of the session");
  }
  const double rate = Rate(options, port);
  session->Stop();
  counts->lost += session->stats()[masflow::StreamKind::kHttp].lost_total();
  return rate;
}

void Print(std::string_view what, std::vector<double> ratios) {
  std::sort(ratios.begin(), ratios.end());
  const auto at = [&](double part) {
    return ratios[static_cast<std::size_t>(part * static_cast<double>(ratios.size() - 1))];
  };
  std::cout << what << ": median " << at(0.5) << ", quartiles " << at(0.25) << " to " << at(0.75)
            << ", extremes " << ratios.front() << " to " << ratios.back() << '\n';
}

int Number(int argc, char** argv, int index, int otherwise) {
  return argc > index ? std::max(1, std::atoi(argv[index])) : otherwise;
}

Options ReadArguments(int argc, char** argv) {
  Options options;
  options.pairs = Number(argc, argv, 1, options.pairs);
  options.seconds = Number(argc, argv, 2, options.seconds);
  options.connections = Number(argc, argv, 3, options.connections);
  options.ends = argc > 4 ? argv[4] : options.ends;
  if (options.ends != "both" && options.ends != "server" && options.ends != "client") {
    Die("the ends are both, server or client");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = ReadArguments(argc, argv);
  const Nginx nginx;
  Counts counts;
  std::vector<double> ratios;
  std::vector<double> controls;
  double best = 0;
  Rate(options, nginx.port());  // warm
  for (int i = 0; i < options.pairs; ++i) {
    // Now the one first, now the other: the machine's pace drifts.
    for (const bool watched : {true, false}) {
      double second = 0;
      const auto measure_second = [&] {
        second =
            watched ? RateWatched(options, nginx.port(), &counts) : Rate(options, nginx.port());
      };
      if (i % 2 != 0) {
        measure_second();
      }
      const double first = Rate(options, nginx.port());
      if (i % 2 == 0) {
        measure_second();
      }
      (watched ? ratios : controls).push_back(second / first);
      best = std::max(best, first);
    }
  }
  std::cout << options.pairs << " pairs of " << options.seconds << " s, " << options.connections
            << " connections, watched: " << options.ends << "; up to " << best
            << " requests/s without HttpStream\n";
  Print("requests/s with HttpStream over without", std::move(ratios));
  Print("the same without both times", std::move(controls));
  std::cout << counts.exchanges << " exchanges, " << counts.lost << " records lost\n";
  return counts.exchanges > 0 ? 0 : 1;
}
