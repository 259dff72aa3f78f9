// SPDX-License-Identifier: Apache-2.0
//
// A session on a plain epoll loop, without Boost: poll_fd() is one more descriptor, and
// Drain() is called when it is readable. The loop also serves a timer and signals.
//
//   sudo ./epoll_loop                 counts by program, once a second, until Ctrl-C
//   ./epoll_loop trace.mfr            the same of a recording, which ends by itself
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>

#include <masflow/masflow.h>

namespace {

using Counts = std::map<std::string, int, std::less<>>;

void Watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    perror("epoll_loop: epoll_ctl");
    _exit(1);
  }
}

int EverySecond() {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  const itimerspec period{.it_interval = {1, 0}, .it_value = {1, 0}};
  timerfd_settime(fd, 0, &period, nullptr);
  return fd;
}

int OnInterrupt() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void Print(const Counts& counts) {
  for (const auto& [comm, count] : counts) {
    std::cout << count << ' ' << comm << '\n';
  }
  std::cout << "--" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  masflow::SessionOptions options;
  if (argc > 1) {
    options.source = masflow::Replay{.path = argv[1]};
  }
  auto session = masflow::Session::Create(options);
  if (!session.ok()) {
    std::cerr << "epoll_loop: " << session.status().message() << '\n';
    return 1;
  }
  auto processes = masflow::ProcessStream::Open(*session);
  if (!processes.ok()) {
    std::cerr << "epoll_loop: " << processes.status().message() << '\n';
    return 1;
  }
  Counts counts;
  processes->OnExec(
      [&](const masflow::ProcessExecView& e) { ++counts[std::string(e.process.comm)]; });

  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int timer = EverySecond();
  const int interrupt = OnInterrupt();
  Watch(epoll, session->poll_fd());
  Watch(epoll, timer);
  Watch(epoll, interrupt);
  for (bool running = true; running;) {
    epoll_event ready{};
    if (epoll_wait(epoll, &ready, 1, -1) != 1) {
      continue;
    }
    if (ready.data.fd == session->poll_fd()) {
      running = !session->Drain(256).ended;
    } else if (ready.data.fd == timer) {
      std::uint64_t expirations = 0;
      if (read(timer, &expirations, sizeof(expirations)) > 0) {
        Print(counts);
      }
    } else {
      running = false;
    }
  }
  Print(counts);
}
