// SPDX-License-Identifier: Apache-2.0
//
// What a single record costs whose neighbours are far: a send() of ten bytes each 20 us, alone and
// with TcpDataMode::kCall, which makes a record of it. That is where a wake-up of the reader for
// each record would show, which costs some 3 us. Needs root.
//
//   masflow_isolated [pairs [sends a turn]]
//
// Prints how much longer a send() takes: median and quartiles over the pairs of turns.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "loopback.h"
#include <masflow/masflow.h>

namespace {

using namespace masflow_bench;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::microseconds kApart(20);
constexpr std::string_view kMessage = "0123456789";

template <class Result>
Result ValueOrDie(absl::StatusOr<Result> result) {
  if (!result.ok()) {
    Die(std::string(result.status().message()));
  }
  return *std::move(result);
}

// ns that the median send() takes. It is received at once, or the socket would fill.
double SendTime(const Pair& pair, int sends) {
  std::vector<Clock::duration> took;
  Clock::time_point due = Clock::now();
  char message[kMessage.size()];
  while (took.size() < static_cast<std::size_t>(sends)) {
    due += kApart;
    while (Clock::now() < due) {
    }
    const Clock::time_point begin = Clock::now();
    const ssize_t sent = send(pair.client, kMessage.data(), kMessage.size(), 0);
    took.push_back(Clock::now() - begin);
    if (sent != static_cast<ssize_t>(kMessage.size()) ||
        recv(pair.server, message, sizeof(message), MSG_WAITALL) != sent) {
      Die("cannot move a message");
    }
  }
  const auto middle = took.begin() + static_cast<std::ptrdiff_t>(took.size() / 2);
  std::nth_element(took.begin(), middle, took.end());
  return std::chrono::duration<double, std::nano>(*middle).count();
}

double SendTimeWatched(const Pair& pair, int sends) {
  masflow::Session session = ValueOrDie(masflow::Session::Create());
  masflow::TcpStream tcp =
      ValueOrDie(masflow::TcpStream::Open(session, {.data = masflow::TcpDataMode::kCall}));
  tcp.OnData([](const masflow::TcpDataView&) {});
  if (!session.RunInThread().ok()) {
    Die("cannot start the thread of the session");
  }
  const double took = SendTime(pair, sends);
  session.Stop();
  const masflow::StreamStats stats = session.stats()[masflow::StreamKind::kTcp];
  if (stats.produced < 2 * static_cast<std::uint64_t>(sends) || stats.lost_total() > 0) {
    Die("records are missing");  // of the sends, and of their receipt
  }
  return took;
}

}  // namespace

int main(int argc, char** argv) {
  const int pairs = argc > 1 ? std::max(1, std::atoi(argv[1])) : 20;
  const int sends = argc > 2 ? std::max(1, std::atoi(argv[2])) : 20'000;
  const Listener listener;
  const Pair pair = listener.Connect();
  SendTime(pair, sends);  // warm
  std::vector<double> longer;
  double shortest = 1e9;
  for (int i = 0; i < pairs; ++i) {
    // Now the one first, now the other: the machine's pace drifts.
    double off = i % 2 == 0 ? SendTime(pair, sends) : 0;
    const double on = SendTimeWatched(pair, sends);
    off = i % 2 == 0 ? off : SendTime(pair, sends);
    longer.push_back(on - off);
    shortest = std::min(shortest, off);
  }
  Reset(pair);
  std::sort(longer.begin(), longer.end());
  const auto at = [&](std::size_t quarter) { return longer[(longer.size() - 1) * quarter / 4]; };
  std::printf(
      "a send() of %.0f ns takes with its record %.0f ns more (%.0f to %.0f), %d pairs of %d\n",
      shortest, at(2), at(1), at(3), pairs, sends);
}
