// SPDX-License-Identifier: Apache-2.0
//
// The program that the kernel tests run where no program of the system does what is
// to be observed. Static, so that copies of it run anywhere and start fast.
//
//   mf_child exit CODE                    ends at once
//   mf_child hold CODE                    ends when its stdin does
//   mf_child exec PROGRAM [ARG...]        execs
//   mf_child thread-exec PROGRAM [ARG...] prints the id of its second thread, which execs
//   mf_child raise SIGNAL                 ends by the signal, with a core dump if the limits let it
//   mf_child leader-first HOW CODE        the leader ends with code 1; when stdin ends the last
//                                         thread does: HOW = thread, group or kill
//   mf_child race THREADS                 so many threads end at once, the leader among them
//   mf_child threads THREADS              starts and joins so many, one after the other
//   mf_child vfork | clone-parent         prints the id of a child that ends with code 5
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

[[noreturn]] void EndThread(int code) {
  syscall(SYS_exit, code);
  __builtin_unreachable();
}

void AwaitEndOfStdin() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

void Print(long id) {
  std::printf("%ld\n", id);
  std::fflush(stdout);
}

void StartThread(void* (*body)(void*), void* argument) {
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, body, argument) != 0) {
    std::abort();
  }
}

void* ExecInThread(void* argv) {
  auto** const program = static_cast<char**>(argv);
  Print(syscall(SYS_gettid));
  execv(program[0], program);
  std::abort();
}

int ThreadExec(char** program) {
  StartThread(ExecInThread, program);
  for (;;) {
    pause();
  }
}

int Raise(int number) {
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CORE, &limit);
  signal(number, SIG_DFL);
  raise(number);
  return 99;
}

// The leader has ended once its state is Z, though the process goes on.
bool LeaderEnded() {
  const int fd = open("/proc/self/stat", O_RDONLY);
  std::array<char, 512> text{};
  const ssize_t n = read(fd, text.data(), text.size() - 1);
  close(fd);
  const char* const name_end = n > 0 ? std::strrchr(text.data(), ')') : nullptr;
  return name_end != nullptr && name_end[2] == 'Z';
}

struct Last {
  std::string how;
  int code = 0;
};

void* EndLast(void* argument) {
  const Last& last = *static_cast<Last*>(argument);
  while (!LeaderEnded()) {
    sched_yield();
  }
  Print(syscall(SYS_gettid));
  AwaitEndOfStdin();
  if (last.how == "group") {
    _exit(last.code);
  }
  if (last.how == "kill") {
    raise(last.code);
  }
  EndThread(last.code);
}

int LeaderFirst(const char* how, int code) {
  static Last last;
  last = {how, code};
  StartThread(EndLast, &last);
  EndThread(1);
}

std::atomic<int> g_still_coming;

// Spins, so that the threads are as close together as the machine lets them.
[[noreturn]] void MeetAndEnd(int code) {
  g_still_coming.fetch_sub(1);
  for (int spins = 0; g_still_coming.load() > 0; ++spins) {
    if (spins > 2000) {
      sched_yield();  // fewer processors than threads
    }
  }
  EndThread(code);
}

void* Racer(void*) {
  MeetAndEnd(2);
}

int Race(int threads) {
  g_still_coming = threads;
  for (int i = 1; i < threads; ++i) {
    StartThread(Racer, nullptr);
  }
  MeetAndEnd(2);
}

void* Nothing(void*) {
  return nullptr;
}

int Threads(int count) {
  for (int i = 0; i < count; ++i) {
    pthread_t thread{};
    pthread_create(&thread, nullptr, Nothing, nullptr);
    pthread_join(thread, nullptr);
  }
  return 0;
}

int Vfork() {
  const pid_t child = vfork();
  if (child == 0) {
    _exit(5);
  }
  Print(child);
  waitpid(child, nullptr, 0);
  return 0;
}

// The child becomes a sibling of this process: its parent is ours.
int CloneParent() {
  const long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) {
    _exit(5);
  }
  Print(child);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  const auto number = [&](int at) { return argc > at ? std::atoi(argv[at]) : 0; };
  if (verb == "exit") {
    _exit(number(2));
  }
  if (verb == "hold") {
    AwaitEndOfStdin();
    return number(2);
  }
  if (verb == "exec" && argc > 2) {
    execv(argv[2], argv + 2);
    return 98;
  }
  if (verb == "thread-exec" && argc > 2) {
    return ThreadExec(argv + 2);
  }
  if (verb == "raise") {
    return Raise(number(2));
  }
  if (verb == "leader-first" && argc > 3) {
    return LeaderFirst(argv[2], number(3));
  }
  if (verb == "race") {
    return Race(number(2));
  }
  if (verb == "threads") {
    return Threads(number(2));
  }
  if (verb == "vfork") {
    return Vfork();
  }
  if (verb == "clone-parent") {
    return CloneParent();
  }
  return 97;
}
