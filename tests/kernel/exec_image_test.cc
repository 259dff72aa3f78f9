// SPDX-License-Identifier: Apache-2.0
//
// What is run: file name and path of the executable.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "constraints.h"
#include "live.h"
#include "spawn.h"
#include "truth.h"

extern char** environ;

namespace masflow::kernel_test {
namespace {

using ExecImageTest = KernelTest;

int ExecAt(int dir_fd, const char* path, const std::vector<std::string>& argv, int flags) {
  syscall(SYS_execveat, dir_fd, path, Pointers(argv).data(), environ, flags);
  return 126;
}

// Runs `body` in a child, which is to exec "mf_child hold"; calls `check` while that runs.
void WithExecOf(const std::function<int()>& body,
                const std::function<void(const ProcessExec&, std::uint32_t pid)>& check) {
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  Child child = Fork(body, {.to_stdin = true});
  const ProcessExec* const exec = live->Await<ProcessExec>(child.pid());
  ASSERT_NE(exec, nullptr);
  check(*exec, child.pid());
  child.Release();
  EXPECT_EQ(child.Wait(), 0);
}

const std::vector<std::string> kHold{"hold-it", "hold", "0"};

void CheckScript(const std::string& first_line, const std::vector<std::string>& interpreter_args) {
  TempDir dir;
  const std::string script = dir / "script.sh";
  WriteFile(script, first_line + "\nread line || exit 0\n");
  chmod(script.c_str(), 0755);
  std::vector<std::string> expected = interpreter_args;
  expected.insert(expected.end(), {script, "one", "two words"});
  WithExecOf(
      [&] {
        return Exec(script, {"ignored", "one", "two words"});
      },
      [&](const ProcessExec& exec, std::uint32_t pid) {
        EXPECT_EQ(exec.filename, script);
        EXPECT_EQ(exec.executable, FromMountRoot("/bin/sh"));
        EXPECT_EQ(exec.process.comm, "script.sh");
        EXPECT_EQ(exec.args, Joined(expected));
        EXPECT_EQ(exec.args, ReadFile(ProcFile(pid, "cmdline")));
      });
}

TEST_F(ExecImageTest, ScriptShowsItsInterpreter) {
  CheckScript("#!/bin/sh", {"/bin/sh"});
  CheckScript("#! /bin/sh -u", {"/bin/sh", "-u"});
}

TEST_F(ExecImageTest, MemfdHasABareName) {
  const int memfd = memfd_create("in memory", MFD_CLOEXEC);
  const std::string program = ReadFile(ChildProgram());
  ASSERT_EQ(write(memfd, program.data(), program.size()), static_cast<ssize_t>(program.size()));
  WithExecOf([&] { return ExecAt(memfd, "", kHold, AT_EMPTY_PATH); },
             [](const ProcessExec& exec, std::uint32_t pid) {
               EXPECT_EQ(exec.executable, "memfd:in memory");
               EXPECT_TRUE(exec.executable_unlinked);
               EXPECT_FALSE(exec.executable_truncated);
               EXPECT_EQ(exec.args, Joined(kHold));
               EXPECT_EQ(exec.process.comm + "\n", ReadFile(ProcFile(pid, "comm")));
               EXPECT_TRUE(exec.filename.starts_with("/dev/fd/")) << exec.filename;
             });
  WithExecOf([&] { return fexecve(memfd, Pointers(kHold).data(), environ); },
             [](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.executable, "memfd:in memory");
               EXPECT_TRUE(exec.executable_unlinked);
             });
  close(memfd);
}

TEST_F(ExecImageTest, RelativePathInAnotherDirectory) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "prog");
  WithExecOf([&] { return chdir(dir.path().c_str()) == 0 ? Exec("./prog", kHold) : 125; },
             [&](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.filename, "./prog");
               EXPECT_EQ(exec.executable, FromMountRoot(dir / "prog"));
               EXPECT_EQ(exec.process.comm, "prog");
             });
}

TEST_F(ExecImageTest, RelativeToADescriptor) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "prog");
  const int fd = open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  WithExecOf([&] { return ExecAt(fd, "prog", kHold, 0); },
             [&](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.filename, "/dev/fd/" + std::to_string(fd) + "/prog");
               EXPECT_EQ(exec.executable, FromMountRoot(dir / "prog"));
             });
  close(fd);
}

TEST_F(ExecImageTest, SymbolicLinkIsFollowed) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "real");
  std::filesystem::create_symlink("real", dir / "link");
  WithExecOf([&] { return Exec(dir / "link", kHold); },
             [&](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.filename, dir / "link");
               EXPECT_EQ(exec.executable, FromMountRoot(dir / "real"));
               EXPECT_EQ(exec.process.comm, "link");
             });
}

TEST_F(ExecImageTest, DeletedExecutableKeepsItsLastPath) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "gone");
  const std::string path = FromMountRoot(dir / "gone");
  const int fd = open((dir / "gone").c_str(), O_PATH | O_CLOEXEC);
  unlink((dir / "gone").c_str());
  WithExecOf([&] { return ExecAt(fd, "", kHold, AT_EMPTY_PATH); },
             [&](const ProcessExec& exec, std::uint32_t pid) {
               EXPECT_EQ(exec.executable, path);
               EXPECT_TRUE(exec.executable_unlinked);
               EXPECT_EQ(path + " (deleted)",
                         FromMountRoot("/") + ReadLink(ProcFile(pid, "exe")).substr(1));
             });
  close(fd);
}

TEST_F(ExecImageTest, PathGoesOverMountPoints) {
  TempDir dir;
  const std::string outer = dir / "outer";
  std::filesystem::create_directory(outer);
  CopyProgram(ChildProgram(), dir / "prog");
  const auto mount_twice = [&] {
    const std::string inner = outer + "/inner";
    const bool mounted = OwnMounts() && mount("tmpfs", outer.c_str(), "tmpfs", 0, nullptr) == 0 &&
                         mkdir(inner.c_str(), 0755) == 0 &&
                         mount("tmpfs", inner.c_str(), "tmpfs", 0, nullptr) == 0;
    if (!mounted) {
      return 125;
    }
    CopyProgram(dir / "prog", inner + "/prog");
    return Exec(inner + "/prog", kHold);
  };
  WithExecOf(mount_twice, [&](const ProcessExec& exec, std::uint32_t) {
    EXPECT_EQ(exec.executable, FromMountRoot(outer) + "/inner/prog");
    EXPECT_FALSE(exec.executable_truncated);
    EXPECT_FALSE(exec.executable_unlinked);
  });
}

TEST_F(ExecImageTest, BindMountShowsThePathThatWasTaken) {
  TempDir dir;
  for (const char* name : {"source", "target"}) {
    std::filesystem::create_directory(dir / name);
  }
  CopyProgram(ChildProgram(), dir / "source/prog");
  WithExecOf(
      [&] {
        const bool mounted =
            OwnMounts() && mount((dir / "source").c_str(), (dir / "target").c_str(), nullptr,
                                 MS_BIND, nullptr) == 0;
        return mounted ? Exec(dir / "target/prog", kHold) : 125;
      },
      [&](const ProcessExec& exec, std::uint32_t) {
        EXPECT_EQ(exec.executable, FromMountRoot(dir / "target") + "/prog");
      });
  // One file over another, as containers do with /etc/hosts.
  WriteFile(dir / "file", "");
  WithExecOf(
      [&] {
        const bool mounted =
            OwnMounts() && mount((dir / "source/prog").c_str(), (dir / "file").c_str(), nullptr,
                                 MS_BIND, nullptr) == 0;
        return mounted ? Exec(dir / "file", kHold) : 125;
      },
      [&](const ProcessExec& exec, std::uint32_t) {
        EXPECT_EQ(exec.executable, FromMountRoot(dir / "file"));
      });
}

// From the root of the mount namespace, whatever root the process itself has.
TEST_F(ExecImageTest, ChrootDoesNotShortenThePath) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "prog");
  WithExecOf([&] { return chroot(dir.path().c_str()) == 0 ? Exec("/prog", kHold) : 125; },
             [&](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.filename, "/prog");
               EXPECT_EQ(exec.executable, FromMountRoot(dir / "prog"));
             });
}

// Makes directories below `root`, enters them one by one, and runs a program there.
std::string Deep(const TempDir& root, int levels, const std::string& name) {
  Child builder = Fork([&] {
    if (chdir(root.path().c_str()) != 0) {
      return 125;
    }
    for (int i = 0; i < levels; ++i) {
      if (mkdir(name.c_str(), 0755) != 0 || chdir(name.c_str()) != 0) {
        return 124;
      }
    }
    std::error_code error;
    std::filesystem::copy_file(ChildProgram(), "prog", error);
    return error ? 123 : 0;
  });
  EXPECT_EQ(builder.Wait(), 0);
  std::string path = FromMountRoot(root.path());
  for (int i = 0; i < levels; ++i) {
    path += "/" + name;
  }
  return path + "/prog";
}

int ExecDeep(const TempDir& root, int levels, const std::string& name) {
  if (chdir(root.path().c_str()) != 0) {
    return 125;
  }
  for (int i = 0; i < levels; ++i) {
    if (chdir(name.c_str()) != 0) {
      return 124;
    }
  }
  return Exec("./prog", kHold);
}

TEST_F(ExecImageTest, PathOfManyPartsIsCutInFrontAndSaysSo) {
  TempDir dir;
  const std::string path = Deep(dir, 60, "d");
  WithExecOf([&] { return ExecDeep(dir, 60, "d"); },
             [&](const ProcessExec& exec, std::uint32_t) {
               ASSERT_TRUE(exec.executable.has_value());
               EXPECT_TRUE(exec.executable_truncated);
               EXPECT_TRUE(path.ends_with(*exec.executable)) << *exec.executable;
               EXPECT_GT(exec.executable->size(), 80u);
               EXPECT_EQ(exec.process.comm, "prog");
             });
}

TEST_F(ExecImageTest, PathOfManyBytesIsCutInFrontAndSaysSo) {
  TempDir dir;
  const std::string name(250, 'n');
  const std::string path = Deep(dir, 30, name);
  WithExecOf([&] { return ExecDeep(dir, 30, name); },
             [&](const ProcessExec& exec, std::uint32_t) {
               ASSERT_TRUE(exec.executable.has_value());
               EXPECT_TRUE(exec.executable_truncated);
               EXPECT_TRUE(path.ends_with(*exec.executable)) << *exec.executable;
               EXPECT_GT(exec.executable->size(), 3500u);
             });
}

TEST_F(ExecImageTest, DeepPathWithinTheLimitsIsWhole) {
  TempDir dir;
  const std::string path = Deep(dir, 30, "some-name");
  WithExecOf([&] { return ExecDeep(dir, 30, "some-name"); },
             [&](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.executable, path);
               EXPECT_FALSE(exec.executable_truncated);
             });
}

// As long as execve takes them: 4,095 bytes.
std::string LongName() {
  std::string name = ".//";
  while (name.size() < 4091) {
    name += "./";
  }
  return name + "prog";
}

TEST_F(ExecImageTest, TheLongestNameIsWhole) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "prog");
  const std::string name = LongName();
  ASSERT_EQ(name.size(), 4095u);
  WithExecOf([&] { return chdir(dir.path().c_str()) == 0 ? Exec(name, kHold) : 125; },
             [&](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.filename, name);
               EXPECT_FALSE(exec.filename_truncated);
             });
}

// Relative to a descriptor, the kernel puts that in front.
TEST_F(ExecImageTest, ALongerNameIsCutAndSaysSo) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "prog");
  const std::string name = LongName();
  const int fd = open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const std::string whole = "/dev/fd/" + std::to_string(fd) + "/" + name;
  WithExecOf([&] { return ExecAt(fd, name.c_str(), kHold, 0); },
             [&](const ProcessExec& exec, std::uint32_t) {
               EXPECT_EQ(exec.filename, whole.substr(0, 4095));
               EXPECT_TRUE(exec.filename_truncated);
               EXPECT_EQ(exec.executable, FromMountRoot(dir / "prog"));
             });
  close(fd);
}

}  // namespace
}  // namespace masflow::kernel_test
