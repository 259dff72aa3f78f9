// SPDX-License-Identifier: Apache-2.0
#include "workload/directory_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace masflow::internal {
namespace {

// A link is none, whatever it leads to.
bool IsDirectory(int directory, unsigned char type, const char* name) {
  if (type != DT_UNKNOWN) {
    return type == DT_DIR;
  }
  struct stat info {};
  return fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

int DirectoryScan::Open(const std::string& path) {
  directory_.Reset(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  error_ = directory_.valid() ? 0 : errno;
  return error_;
}

// Not by readdir(): that keeps entries for later calls, which could be gone by then.
std::size_t DirectoryScan::Next(const Found& found) {
  if (!active()) {
    return 0;
  }
  alignas(dirent64) std::array<char, 32768> buffer;
  const long size = syscall(SYS_getdents64, directory_.get(), buffer.data(), buffer.size());
  if (size <= 0) {
    error_ = size < 0 ? errno : 0;
    directory_.Reset();
    return 0;
  }
  std::size_t count = 0;
  for (long at = 0; at < size; ++count) {
    const char* const entry = buffer.data() + at;
    unsigned short length = 0;
    std::memcpy(&length, entry + offsetof(dirent64, d_reclen), sizeof(length));
    const char* const name = entry + offsetof(dirent64, d_name);
    const auto type = static_cast<unsigned char>(entry[offsetof(dirent64, d_type)]);
    found(name, IsDirectory(directory_.get(), type, name));
    at += length;
  }
  return count;
}

}  // namespace masflow::internal
