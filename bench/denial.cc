// SPDX-License-Identifier: Apache-2.0
//
// What an attack on the machine costs more where it is watched: as many processes, or as many
// connections, as it can make, with all streams open and with none, in turns.
//
//   masflow_denial [<pairs of runs> [<processes of a run> [<connections of a run>]]]
//
// For each attack the median ratio of the two times, and what share of a processor the reader took.
// Needs root.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "loopback.h"
#include <masflow/masflow.h>

namespace {

using namespace masflow_bench;

using Seconds = std::chrono::duration<double>;

constexpr int kAttackers = 2;

// Of the library's thread, so far.
Seconds ReaderTime() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (name == "masflow") {
      double nanoseconds = 0;
      std::ifstream(task.path() / "schedstat") >> nanoseconds;
      return Seconds(nanoseconds / 1e9);
    }
  }
  Die("the library's thread is not there");
}

Seconds Timed(const std::function<void()>& attack) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> attackers;
  attackers.reserve(kAttackers);
  for (int i = 0; i < kAttackers; ++i) {
    attackers.emplace_back(attack);
  }
  for (std::thread& attacker : attackers) {
    attacker.join();
  }
  return std::chrono::steady_clock::now() - begin;
}

struct Watched {
  Seconds time{};
  double reader = 0;  // share of a processor
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
};

Watched TimedWatched(const std::function<void()>& attack) {
  auto session = masflow::Session::Create();
  if (!session.ok()) {
    Die(session.status().ToString());
  }
  auto processes = masflow::ProcessStream::Open(*session);
  auto connections = masflow::TcpStream::Open(*session);
  auto exchanges = masflow::HttpStream::Open(*session);
  if (!processes.ok() || !connections.ok() || !exchanges.ok()) {
    Die("a stream cannot be opened");
  }
  std::uint64_t heard = 0;
  const auto hear = [&heard](const auto&) { ++heard; };
  processes->OnExec(hear);
  processes->OnExit(hear);
  connections->OnConnect(hear);
  connections->OnAccept(hear);
  connections->OnClose(hear);
  exchanges->OnExchange(hear);
  if (!session->RunInThread().ok()) {
    Die("the library's thread does not start");
  }
  Watched run;
  run.time = Timed(attack);
  run.reader = ReaderTime() / run.time;
  for (const masflow::StreamStats& stats : session->stats().streams) {
    run.delivered += stats.delivered;
    run.lost += stats.lost_total();
  }
  session->Stop();
  session->Wait();
  return run;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Compare(const char* name, int pairs, const std::function<void()>& attack) {
  attack();  // so that the first run finds all in memory
  std::vector<double> ratios;
  std::vector<double> readers;
  std::uint64_t lost = 0;
  std::uint64_t delivered = 0;
  for (int i = 0; i < pairs; ++i) {
    const Seconds alone = Timed(attack);
    const Watched watched = TimedWatched(attack);
    ratios.push_back(watched.time / alone);
    readers.push_back(watched.reader);
    lost += watched.lost;
    delivered += watched.delivered;
  }
  std::printf(
      "%-16s takes %.3f times as long (median of %d pairs); reader %.1f %% of a processor; "
      "%llu events, %llu lost\n",
      name, Median(ratios), pairs, 100 * Median(readers),
      static_cast<unsigned long long>(delivered), static_cast<unsigned long long>(lost));
}

int Argument(int argc, char** argv, int index, int otherwise) {
  const int value = argc > index ? std::atoi(argv[index]) : otherwise;
  if (value <= 0) {
    Die("usage: masflow_denial [<pairs> [<processes> [<connections>]]]");
  }
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const int pairs = Argument(argc, argv, 1, 15);
  const int processes = Argument(argc, argv, 2, 1'000);
  const int connections = Argument(argc, argv, 3, 10'000);
  Compare("exec bomb", pairs, [processes] { MakeProcesses(processes / kAttackers); });
  Compare("connect flood", pairs, [connections] { MakeConnections(connections / kAttackers); });
}
