// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_DIRECTORY_WATCH_H_
#define MASFLOW_WORKLOAD_DIRECTORY_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>

#include "core/unique_fd.h"

namespace masflow::internal {

// Directories, watched by their paths with inotify: also when they come later, go, are replaced,
// or when a link on the way to them is led elsewhere.
class DirectoryWatch {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // An entry came or went. A link is no directory.
    virtual void OnEntry(std::size_t directory, std::string_view name, bool is_directory,
                         bool came) = 0;
    // What is in it is to be read, from the beginning: it is there, is another one, is gone, or
    // more happened than could be kept.
    virtual void OnAnew(std::size_t directory) = 0;
  };

  // `inotify`: a descriptor that does not block. An empty path is never there.
  DirectoryWatch(UniqueFd inotify, std::vector<std::string> paths);

  // Readable when Read() has something to tell.
  int fd() const { return inotify_.get(); }
  // Takes a bounded part of what has happened; true: there may be more.
  bool Read(Listener& listener);

  const std::string& path(std::size_t directory) const { return directories_[directory].path; }
  bool there(std::size_t directory) const { return directories_[directory].there; }
  // Not OK: why it is not watched.
  const absl::Status& state(std::size_t directory) const { return directories_[directory].state; }

 private:
  struct Directory {
    std::string path;
    int watch = -1;
    bool there = false;  // else `watch` is that of the nearest one above that there is
    bool anew = true;    // to be told
    absl::Status state;
  };
  struct Nearest;

  void Take(int watch, std::uint32_t mask, std::string_view name, Listener& listener);
  // Looks where each path leads now. True: that ended watches, which is an event by itself.
  bool FollowPaths();
  void FollowPath(Directory* directory);
  void WatchWay(const std::string& path, int* links_left);
  Nearest WatchNearest(const std::string& path);
  int AddWatch(const std::string& path, std::uint32_t mask);

  const UniqueFd inotify_;
  std::vector<Directory> directories_;
  absl::flat_hash_set<int> watches_;
  bool astray_ = false;      // a path may lead elsewhere
  bool overflowed_ = false;  // and what happened meanwhile is not known
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_DIRECTORY_WATCH_H_
