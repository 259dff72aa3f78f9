// SPDX-License-Identifier: Apache-2.0
#include "bpf/cgroup_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/unique_fd.h"

namespace masflow::internal {
namespace {

constexpr std::size_t kMaxCgroups = 100'000;

struct DirClose {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirClose>;

Directory OpenDirectory(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  Directory directory(fd.valid() ? fdopendir(fd.get()) : nullptr);
  if (directory != nullptr) {
    static_cast<void>(fd.Release());
  }
  return directory;
}

}  // namespace

// In a cgroup file system the inode number of a directory is the id of the cgroup, and readdir
// tells it with the name.
void WalkCgroups(const std::string& mount, const std::string& root,
                 const std::function<void(std::uint64_t id, std::string_view path)>& found) {
  struct stat top {};
  if (stat(mount.c_str(), &top) != 0) {
    return;
  }
  found(top.st_ino, root.empty() ? "/" : root);
  std::vector<std::string> open = {""};  // below the mount, still to be looked into
  std::size_t count = 1;
  while (!open.empty() && count < kMaxCgroups) {
    const std::string below = std::move(open.back());
    open.pop_back();
    const Directory directory = OpenDirectory(mount + below);
    while (const dirent* entry = directory == nullptr ? nullptr : readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (entry->d_type != DT_DIR || name == "." || name == "..") {
        continue;
      }
      std::string path = below + "/" + entry->d_name;
      found(entry->d_ino, root + path);
      open.push_back(std::move(path));
      ++count;
    }
  }
}

}  // namespace masflow::internal
