// SPDX-License-Identifier: Apache-2.0
#include "spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <gtest/gtest.h>

extern char** environ;

namespace masflow::kernel_test {
namespace {

struct PipeEnds {
  int read = -1;
  int write = -1;
};

PipeEnds MakePipe(bool wanted) {
  std::array<int, 2> ends{-1, -1};
  if (wanted && pipe2(ends.data(), O_CLOEXEC) != 0) {
    ADD_FAILURE() << "pipe2: " << std::strerror(errno);
  }
  return {ends[0], ends[1]};
}

void Close(int fd) {
  if (fd >= 0) {
    close(fd);
  }
}

}  // namespace

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      stdin_(std::exchange(other.stdin_, -1)),
      stdout_(std::exchange(other.stdout_, -1)),
      reaped_(other.reaped_),
      status_(other.status_) {}

Child::~Child() {
  Close(stdin_);
  Close(stdout_);
  if (pid_ > 0 && !reaped_) {
    kill(pid_, SIGKILL);
    Wait();
  }
}

void Child::Send(std::string_view text) const {
  if (write(stdin_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    ADD_FAILURE() << "write: " << std::strerror(errno);
  }
}

void Child::Release() {
  Close(std::exchange(stdin_, -1));
}

std::string Child::ReadLine() {
  std::string line;
  for (char byte = 0; read(stdout_, &byte, 1) == 1 && byte != '\n';) {
    line += byte;
  }
  return line;
}

std::string Child::ReadAll() {
  std::string all;
  std::array<char, 4096> chunk;
  for (ssize_t n = 0; (n = read(stdout_, chunk.data(), chunk.size())) > 0;) {
    all.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return all;
}

void Child::Signal(int number) const {
  kill(pid_, number);
}

int Child::Wait() {
  while (!reaped_) {
    reaped_ = waitpid(pid_, &status_, 0) == pid_;
    if (!reaped_ && errno != EINTR) {
      ADD_FAILURE() << "waitpid: " << std::strerror(errno);
      reaped_ = true;
    }
  }
  return status_;
}

std::vector<char*> Pointers(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& arg : argv) {
    pointers.push_back(const_cast<char*>(arg.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

Child Spawn(const std::vector<std::string>& argv, Pipes pipes) {
  const PipeEnds in = MakePipe(pipes.to_stdin);
  const PipeEnds out = MakePipe(pipes.from_stdout);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (pipes.to_stdin) {
    posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
  }
  if (pipes.from_stdout) {
    posix_spawn_file_actions_adddup2(&actions, out.write, STDOUT_FILENO);
  }
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, argv[0].c_str(), &actions, nullptr, Pointers(argv).data(), environ);
  if (error != 0) {
    ADD_FAILURE() << "cannot run " << argv[0] << ": " << std::strerror(error);
    pid = -1;
  }
  posix_spawn_file_actions_destroy(&actions);
  Close(in.read);
  Close(out.write);
  return Child(pid, in.write, out.read);
}

Child Fork(const std::function<int()>& body, Pipes pipes) {
  const PipeEnds in = MakePipe(pipes.to_stdin);
  const PipeEnds out = MakePipe(pipes.from_stdout);
  const pid_t pid = fork();
  if (pid == 0) {
    if (pipes.to_stdin) {
      dup2(in.read, STDIN_FILENO);
    }
    if (pipes.from_stdout) {
      dup2(out.write, STDOUT_FILENO);
    }
    Close(in.write);
    _exit(body());
  }
  if (pid < 0) {
    ADD_FAILURE() << "fork: " << std::strerror(errno);
  }
  Close(in.read);
  Close(out.write);
  return Child(pid, in.write, out.read);
}

int Exec(const std::string& path, const std::vector<std::string>& argv) {
  execve(path.c_str(), Pointers(argv).data(), environ);
  return 126;
}

std::string ChildProgram() {
  return MASFLOW_TEST_CHILD;
}

std::vector<std::string> ChildArgv(std::vector<std::string> args) {
  args.insert(args.begin(), ChildProgram());
  return args;
}

}  // namespace masflow::kernel_test
