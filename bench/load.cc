// SPDX-License-Identifier: Apache-2.0
//
// A load of one kind, made as fast as this machine can, and how long it took: bench/live.py runs it
// with and without somebody who watches.
//
//   masflow_load exec|connect|exchange|bulk <how many; of bulk, MiB>
//   masflow_load idle <connections>     opens them, says so, and waits for the end of its input
//
// Prints "<operations> <seconds>".
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "loopback.h"

namespace {

using namespace masflow_bench;

void MakeExchanges(int count) {
  const Listener listener;
  const Pair pair = listener.Connect();
  for (int i = 0; i < count; ++i) {
    Move(pair.client, pair.server, kRequest);
    Move(pair.server, pair.client, kResponse);
  }
  Reset(pair);
}

void MoveMebibytes(int count) {
  constexpr std::size_t kPiece = 64 << 10;
  const Listener listener;
  const Pair pair = listener.Connect();
  std::thread reader([&] {
    std::vector<char> piece(kPiece);
    while (read(pair.server, piece.data(), piece.size()) > 0) {
    }
  });
  const std::vector<char> piece(kPiece, 'x');
  for (int i = 0; i < count * 16; ++i) {
    if (write(pair.client, piece.data(), piece.size()) != static_cast<ssize_t>(piece.size())) {
      Die("cannot write");
    }
  }
  close(pair.client);
  reader.join();
  close(pair.server);
}

// Opens them in a child of its own, and says so on `ready`; it ends with its parent.
void KeepOpenInChild(int count, unsigned host, int ready) {
  if (fork() != 0) {
    return;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Listener listener;
  for (int i = 0; i < count; ++i) {
    listener.Connect(host);
  }
  if (write(ready, "", 1) != 1) {
    Die("the parent has gone");
  }
  for (;;) {
    pause();
  }
}

void KeepOpen(int count) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // As many as a process may open, and as an address has ports for.
  const int most = static_cast<int>(std::min<rlim_t>(20'000, (files.rlim_cur - 32) / 2));
  int ready[2];
  if (pipe(ready) != 0) {
    Die("cannot make a pipe");
  }
  int children = 0;
  for (int left = count; left > 0; left -= most) {
    KeepOpenInChild(std::min(left, most), static_cast<unsigned>(++children), ready[1]);
  }
  close(ready[1]);  // so that a child that is missing is noticed
  for (char byte = 0; children > 0; --children) {
    if (read(ready[0], &byte, 1) != 1) {
      Die("a child has gone");
    }
  }
  std::printf("%d open\n", count);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc > 1 ? argv[1] : "";
  const int count = argc > 2 ? std::atoi(argv[2]) : 0;
  void (*const make)(int) = kind == "exec"       ? MakeProcesses
                            : kind == "connect"  ? MakeConnections
                            : kind == "exchange" ? MakeExchanges
                            : kind == "bulk"     ? MoveMebibytes
                            : kind == "idle"     ? KeepOpen
                                                 : nullptr;
  if (make == nullptr || count <= 0) {
    Die("usage: masflow_load exec|connect|exchange|bulk|idle <count>");
  }
  const auto begin = std::chrono::steady_clock::now();
  make(count);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("%d %.6f\n", count, took.count());
}
