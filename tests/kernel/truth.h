// SPDX-License-Identifier: Apache-2.0
//
// What is so, asked of the system by other ways than the library's.
#ifndef MASFLOW_KERNEL_TRUTH_H_
#define MASFLOW_KERNEL_TRUTH_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <masflow/masflow.h>

namespace masflow::kernel_test {

// A directory that goes with the object. Every user may enter it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& content);
std::string ReadLink(const std::string& path);
std::string ProcFile(std::uint32_t pid, const std::string& name);  // "/proc/<pid>/<name>"

// An executable copy.
void CopyProgram(const std::string& from, const std::string& to, unsigned mode = 0755);

// The path of an existing file from the root of this mount namespace: the tests may run in
// a chroot, of which hooks in the kernel know nothing.
std::string FromMountRoot(const std::string& path);

// argv as BasicProcessExec::args has it.
std::string Joined(const std::vector<std::string>& argv);

// Its cgroup in the hierarchy that events name; the path from the mount, and the id.
std::string CgroupPath(std::uint32_t pid, const SupportReport& support);
std::uint64_t CgroupId(std::uint32_t pid, const SupportReport& support);

// Of /proc/<pid>/stat: counted in ticks of 10 ms, so less exact than a ProcessId.
std::chrono::nanoseconds StartInTicks(std::uint32_t pid);
// ProcessId::start in the same measure.
std::chrono::nanoseconds InTicks(std::chrono::nanoseconds start);

// Real, effective and saved id, as /proc/<pid>/status has them ("Uid", "Gid").
std::vector<std::uint32_t> Ids(std::uint32_t pid, const std::string& which);

std::chrono::nanoseconds BootTime();
KernelTime Now();

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_TRUTH_H_
