// SPDX-License-Identifier: Apache-2.0
#include "truth.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "spawn.h"

namespace masflow::kernel_test {
namespace {

// Where the root of this process lies, "" if it is the root of the mount namespace.
std::string RootPrefix() {
  Child child = Fork(
      [] {
        const int proc = open("/proc", O_RDONLY | O_DIRECTORY);
        const int self = open("/proc/self/ns/mnt", O_RDONLY);
        std::array<char, PATH_MAX> text{};
        const std::string root = std::to_string(getppid()) + "/root";
        // Entering a mount namespace, even one's own, moves the caller to its root.
        if (setns(self, CLONE_NEWNS) != 0 ||
            readlinkat(proc, root.c_str(), text.data(), text.size() - 1) < 0) {
          return 1;
        }
        const std::size_t size = std::strlen(text.data());
        return write(STDOUT_FILENO, text.data(), size) == static_cast<ssize_t>(size) ? 0 : 1;
      },
      {.from_stdout = true});
  const std::string root = child.ReadAll();
  EXPECT_EQ(child.Wait(), 0) << "cannot find the root of the mount namespace";
  return root == "/" ? "" : root;
}

}  // namespace

TempDir::TempDir() : path_("/tmp/masflow_kernel_XXXXXX") {
  EXPECT_NE(mkdtemp(path_.data()), nullptr) << std::strerror(errno);
  chmod(path_.c_str(), 0755);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteFile(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content << std::flush;
  EXPECT_TRUE(file.good()) << "cannot write " << path << ": " << std::strerror(errno);
}

std::string ReadLink(const std::string& path) {
  std::array<char, PATH_MAX> text{};
  const ssize_t n = readlink(path.c_str(), text.data(), text.size());
  return n < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(n));
}

std::string ProcFile(std::uint32_t pid, const std::string& name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

void CopyProgram(const std::string& from, const std::string& to, unsigned mode) {
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  EXPECT_FALSE(error) << from << " to " << to << ": " << error.message();
  EXPECT_EQ(chmod(to.c_str(), mode), 0) << std::strerror(errno);
}

std::string FromMountRoot(const std::string& path) {
  static const std::string prefix = RootPrefix();
  std::error_code error;
  const std::string absolute = std::filesystem::canonical(path, error);
  EXPECT_FALSE(error) << path << ": " << error.message();
  return prefix + absolute;
}

std::string Joined(const std::vector<std::string>& argv) {
  std::string bytes;
  for (const std::string& arg : argv) {
    bytes += arg + '\0';
  }
  return bytes;
}

std::string CgroupPath(std::uint32_t pid, const SupportReport& support) {
  EXPECT_FALSE(support.cgroup_mount.empty()) << support.cgroup_hierarchy << " is not mounted";
  const std::string v1 = "cgroup v1 ";
  const bool is_v1 = support.cgroup_hierarchy.starts_with(v1);
  const std::string controller = is_v1 ? support.cgroup_hierarchy.substr(v1.size()) : "";
  std::istringstream lines(ReadFile(ProcFile(pid, "cgroup")));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t list = line.find(':') + 1;
    const std::size_t path = line.find(':', list) + 1;
    const std::string names = "," + line.substr(list, path - list - 1) + ",";
    if (is_v1 ? names.find("," + controller + ",") != std::string::npos : line.starts_with("0::")) {
      return line.substr(path);
    }
  }
  ADD_FAILURE() << "no line for " << support.cgroup_hierarchy << " in /proc/" << pid << "/cgroup";
  return {};
}

std::uint64_t CgroupId(std::uint32_t pid, const SupportReport& support) {
  const std::string directory = support.cgroup_mount + CgroupPath(pid, support);
  struct stat info {};
  EXPECT_EQ(stat(directory.c_str(), &info), 0) << directory << ": " << std::strerror(errno);
  return info.st_ino;
}

std::chrono::nanoseconds StartInTicks(std::uint32_t pid) {
  const std::string stat = ReadFile(ProcFile(pid, "stat"));
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) {
    fields >> skipped;
  }
  std::int64_t ticks = 0;
  fields >> ticks;
  return std::chrono::nanoseconds(ticks * (1'000'000'000 / sysconf(_SC_CLK_TCK)));
}

std::chrono::nanoseconds InTicks(std::chrono::nanoseconds start) {
  const std::int64_t tick = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  return std::chrono::nanoseconds(start.count() / tick * tick);
}

std::vector<std::uint32_t> Ids(std::uint32_t pid, const std::string& which) {
  std::istringstream lines(ReadFile(ProcFile(pid, "status")));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(which + ":")) {
      std::istringstream fields(line.substr(which.size() + 1));
      std::vector<std::uint32_t> ids(3);
      fields >> ids[0] >> ids[1] >> ids[2];
      return ids;
    }
  }
  ADD_FAILURE() << "no line " << which << " for process " << pid;
  return {0, 0, 0};
}

std::chrono::nanoseconds BootTime() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

KernelTime Now() {
  return std::chrono::time_point_cast<KernelTime::duration>(KernelTime::clock::now());
}

}  // namespace masflow::kernel_test
