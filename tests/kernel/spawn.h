// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KERNEL_SPAWN_H_
#define MASFLOW_KERNEL_SPAWN_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace masflow::kernel_test {

// A process that the test started. One that still runs when the handle goes is killed.
class Child {
 public:
  Child(pid_t process, int to_stdin, int from_stdout)
      : pid_(process), stdin_(to_stdin), stdout_(from_stdout) {}
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

  // Writes to its stdin, or ends it. Only with Pipes::to_stdin.
  void Send(std::string_view text) const;
  void Release();
  // Waits for a line, or for all, of its stdout. Only with Pipes::from_stdout.
  std::string ReadLine();
  std::string ReadAll();

  void Signal(int number) const;
  // Its status as waitpid(2) has it.
  int Wait();

 private:
  pid_t pid_ = -1;
  int stdin_ = -1;
  int stdout_ = -1;
  bool reaped_ = false;
  int status_ = 0;
};

struct Pipes {
  bool to_stdin = false;
  bool from_stdout = false;
};

// By posix_spawn; argv[0] is also the path.
Child Spawn(const std::vector<std::string>& argv, Pipes pipes = {});
// Runs `body` in a fork of this process, which ends with what it returns. Only while this
// process has one thread. No assertions in there.
Child Fork(const std::function<int()>& body, Pipes pipes = {});

// execve for `body` above; returns 126 if that fails.
int Exec(const std::string& path, const std::vector<std::string>& argv);

// The argv of a C call. Points into `argv`.
std::vector<char*> Pointers(const std::vector<std::string>& argv);

// The path of the program mf_child.
std::string ChildProgram();
// argv that runs mf_child.
std::vector<std::string> ChildArgv(std::vector<std::string> args);

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_SPAWN_H_
