// SPDX-License-Identifier: Apache-2.0
//
// What an operation of the traced machine costs more with a stream open, kernel and reader
// together, all of it in one thread: so many operations, then what they made is drained, again and
// again, with the stream and without. Needs root.
//
//   masflow_cost [execs a turn (of all else ten times as many) [program to execute]]
//
// Prints "cost", the operation, what is done with its events, by how much it took longer and how
// long it takes without, before and after that, in ns. In a machine whose clock counts instructions
// (tests/vm/cost.py) these are instructions, and the same in each run.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loopback.h"
#include <masflow/masflow.h>

namespace {

using namespace masflow_bench;

using Clock = std::chrono::steady_clock;

constexpr int kTurns = 5;

template <class Value>
Value ValueOf(absl::StatusOr<Value> value) {
  if (!value.ok()) {
    Die(std::string(value.status().message()));
  }
  return *std::move(value);
}

// ---- what MasFlow does with it ----

// What a session's streams are kept by, and where their callbacks put lines.
struct Watch {
  masflow::Session session;
  std::string lines{};
  std::vector<std::shared_ptr<void>> streams{};
  std::uint64_t events = 0;
};

enum class Use { kCallback, kText };

template <class Event>
void Take(Watch* watch, Use use, const Event& event) {
  ++watch->events;
  if (use == Use::kText) {
    masflow::AppendText(event, masflow::WallTime(), {}, &watch->lines);
  }
}

void WatchProcesses(Watch* watch, Use use) {
  auto stream = std::make_shared<masflow::ProcessStream>(
      ValueOf(masflow::ProcessStream::Open(watch->session)));
  stream->OnExec([=](const auto& event) { Take(watch, use, event); });
  stream->OnExit([=](const auto& event) { Take(watch, use, event); });
  watch->streams.push_back(stream);
}

void WatchConnections(Watch* watch, Use use, masflow::TcpDataMode data) {
  auto stream = std::make_shared<masflow::TcpStream>(
      ValueOf(masflow::TcpStream::Open(watch->session, {.data = data})));
  stream->OnConnect([=](const auto& event) { Take(watch, use, event); });
  stream->OnAccept([=](const auto& event) { Take(watch, use, event); });
  stream->OnData([=](const auto& event) { Take(watch, use, event); });
  stream->OnClose([=](const auto& event) { Take(watch, use, event); });
  watch->streams.push_back(stream);
}

void WatchExchanges(Watch* watch, Use use) {
  auto stream =
      std::make_shared<masflow::HttpStream>(ValueOf(masflow::HttpStream::Open(watch->session)));
  stream->OnExchange([=](const auto& event) { Take(watch, use, event); });
  watch->streams.push_back(stream);
}

// ---- what is watched ----

// Executes a program in a process of its own: one that has a session open has a hundred
// descriptors, which each of its children gets and has to close.
class Executor {
 public:
  explicit Executor(const std::string& program) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      Die("cannot make a pair of sockets");
    }
    if (fork() == 0) {
      close(ends[0]);
      int count = 0;
      while (read(ends[1], &count, sizeof(count)) == sizeof(count)) {
        for (int i = 0; i < count; ++i) {
          Execute(program);
        }
        if (write(ends[1], &count, sizeof(count)) != sizeof(count)) {
          break;
        }
      }
      _exit(0);
    }
    close(ends[1]);
    fd_ = ends[0];
  }
  ~Executor() { close(fd_); }
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void Run(int count) const {
    if (write(fd_, &count, sizeof(count)) != sizeof(count) ||
        read(fd_, &count, sizeof(count)) != sizeof(count)) {
      Die("the process that executes has gone");
    }
  }

 private:
  int fd_ = -1;
};

template <class Operation>
std::function<void(int)> Each(Operation operation) {
  return [=](int count) {
    for (int i = 0; i < count; ++i) {
      operation();
    }
  };
}

struct Workload {
  std::string name;
  std::function<void(int)> run;  // so many operations
  std::function<void(Watch*, Use)> watch;
  std::uint64_t events = 0;  // of each operation
};

void Drain(Watch* watch) {
  while (watch->session.Drain(1024).more) {
  }
  watch->lines.clear();
}

// ns an operation, by the median of the turns: what else the kernel has to do at times falls on few
// of them. The first one warms up.
double Measure(const Workload& workload, int operations, Watch* watch) {
  std::array<Clock::duration, kTurns> turns{};
  for (int turn = -1; turn < kTurns; ++turn) {
    const Clock::time_point begin = Clock::now();
    workload.run(operations);
    if (watch != nullptr) {
      Drain(watch);
    }
    if (turn >= 0) {
      turns[static_cast<std::size_t>(turn)] = Clock::now() - begin;
    }
  }
  std::nth_element(turns.begin(), turns.begin() + kTurns / 2, turns.end());
  return std::chrono::duration<double, std::nano>(turns[kTurns / 2]).count() / operations;
}

double MeasureWatched(const Workload& workload, int operations, Use use) {
  Watch watch{.session = ValueOf(masflow::Session::Create())};
  workload.watch(&watch, use);
  Drain(&watch);
  watch.events = 0;
  const double took = Measure(workload, operations, &watch);
  const std::uint64_t due = workload.events * static_cast<std::uint64_t>(operations) * (kTurns + 1);
  if (watch.events < due) {
    Die(workload.name + ": " + std::to_string(watch.events) + " events came of " +
        std::to_string(due));
  }
  return took;
}

void Report(const Workload& workload, int operations) {
  const double before = Measure(workload, operations, nullptr);
  const double callback = MeasureWatched(workload, operations, Use::kCallback);
  const double text = MeasureWatched(workload, operations, Use::kText);
  const double after = Measure(workload, operations, nullptr);
  const double without = (before + after) / 2;
  for (const auto& [use, took] : {std::pair{"callback", callback}, {"text", text}}) {
    std::printf("cost\t%s\t%s\t%.0f\t%.0f\t%.0f\n", workload.name.c_str(), use, took - without,
                before, after);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int operations = argc > 1 ? std::max(1, std::atoi(argv[1])) : 100;
  const std::string program = argc > 2 ? argv[2] : "/bin/true";
  const Executor executor(program);
  const Listener listener;
  const Pair pair = listener.Connect();
  const Workload workloads[] = {
      {"exec", [&](int count) { executor.Run(count); }, WatchProcesses, 2},
      {"connection", Each([&] { Close(listener.Connect()); }),
       [](Watch* watch, Use use) { WatchConnections(watch, use, masflow::TcpDataMode::kInterval); },
       4},
      {"two calls, by interval", Each([&] { Move(pair.client, pair.server, kResponse); }),
       [](Watch* watch, Use use) {
         WatchConnections(watch, use, masflow::TcpDataMode::kInterval);
       }},
      {"two calls, by call", Each([&] { Move(pair.client, pair.server, kResponse); }),
       [](Watch* watch, Use use) { WatchConnections(watch, use, masflow::TcpDataMode::kCall); }, 2},
      // Both ways: only a second message that begins like none tells that it is no HTTP.
      {"four calls, no HTTP", Each([&] {
         Move(pair.client, pair.server, "1234567890");
         Move(pair.server, pair.client, "1234567890");
       }),
       WatchExchanges},
      {"exchange", Each([&] {
         Move(pair.client, pair.server, kRequest);
         Move(pair.server, pair.client, kResponse);
       }),
       WatchExchanges, 2},
  };
  for (const Workload& workload : workloads) {
    Report(workload, workload.name == "exec" ? operations : 10 * operations);
  }
  close(pair.client);
  close(pair.server);
}
