// SPDX-License-Identifier: Apache-2.0
#include "workload/directory_watch.h"

#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace masflow::internal {
namespace {

constexpr std::uint32_t kEntries = IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t kItself = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kItsEnd = kItself | IN_UNMOUNT | IN_IGNORED;
constexpr int kReadsATurn = 8;  // of 16 KiB
constexpr int kMaxLinks = 40;   // as the kernel follows
constexpr int kMaxLooks = 16;   // at a path that changes under our eyes

std::string Parent(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string WithoutSlash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

// Where a link leads; empty: it is none.
std::string LinkTarget(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  if (size <= 0) {
    return {};
  }
  std::string text(target.data(), static_cast<std::size_t>(size));
  return WithoutSlash(text.starts_with('/') ? text : Parent(path) + "/" + text);
}

absl::Status Unwatchable(int error, const std::string& path) {
  const std::string why = std::generic_category().message(error);
  return error == EACCES || error == EPERM
             ? absl::PermissionDeniedError("cannot read " + path + ": " + why +
                                           ": names of pods are not known from there")
             : absl::UnavailableError("cannot watch " + path + ": " + why +
                                      ": names of pods are not known from there");
}

}  // namespace

// What of a path could be watched.
struct DirectoryWatch::Nearest {
  int watch = -1;
  bool itself = false;
  int error = 0;
  std::string path{};
};

DirectoryWatch::DirectoryWatch(UniqueFd inotify, std::vector<std::string> paths)
    : inotify_(std::move(inotify)) {
  for (std::string& path : paths) {
    directories_.push_back({.path = WithoutSlash(std::move(path)), .state = {}});
  }
  // At once, so that the descriptor tells of what comes before the first Read().
  FollowPaths();
}

bool DirectoryWatch::Read(Listener& listener) {
  alignas(inotify_event) std::array<char, 16384> buffer;
  bool more = true;
  for (int reads = 0; more && reads < kReadsATurn; ++reads) {
    const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
    more = size > 0;  // else EAGAIN
    for (ssize_t at = 0; at < size;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* const name = buffer.data() + at + sizeof(event);
      Take(event.wd, event.mask, std::string_view(name, strnlen(name, event.len)), listener);
      at += static_cast<ssize_t>(sizeof(event) + event.len);
    }
  }
  if (std::exchange(astray_, false)) {
    more = FollowPaths() || more;
  }
  for (std::size_t i = 0; i < directories_.size(); ++i) {
    if (std::exchange(directories_[i].anew, false)) {
      listener.OnAnew(i);
    }
  }
  return more;
}

void DirectoryWatch::Take(int watch, std::uint32_t mask, std::string_view name,
                          Listener& listener) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    astray_ = true;
    overflowed_ = true;
    return;
  }
  if (!watches_.contains(watch)) {
    return;  // of one that was given up
  }
  bool told = false;
  for (std::size_t i = 0; i < directories_.size() && (mask & kItsEnd) == 0; ++i) {
    if (directories_[i].there && directories_[i].watch == watch) {
      told = true;
      listener.OnEntry(i, name, (mask & IN_ISDIR) != 0, (mask & (IN_CREATE | IN_MOVED_TO)) != 0);
    }
  }
  astray_ = astray_ || !told;
}

int DirectoryWatch::AddWatch(const std::string& path, std::uint32_t mask) {
  const int watch = inotify_add_watch(inotify_.get(), path.c_str(), mask);
  if (watch >= 0) {
    watches_.insert(watch);
  }
  return watch;
}

// As long as the number of a watch is the same, so is the directory, and nothing was missed.
bool DirectoryWatch::FollowPaths() {
  const absl::flat_hash_set<int> before = std::exchange(watches_, {});
  const bool overflowed = std::exchange(overflowed_, false);
  for (const Directory& directory : directories_) {
    int links_left = kMaxLinks;
    WatchWay(directory.path, &links_left);
  }
  for (Directory& directory : directories_) {
    const int was = directory.there ? directory.watch : -1;
    FollowPath(&directory);
    const int is = directory.there ? directory.watch : -1;
    directory.anew = directory.anew || overflowed || was != is;
  }
  bool removed = false;
  for (const int watch : before) {
    if (!watches_.contains(watch)) {
      removed = inotify_rm_watch(inotify_.get(), watch) == 0 || removed;
    }
  }
  return removed;
}

// What is above the directory, and each link on the way: only whether it goes. To set this first
// ends the watch of entries that one of them may have from a time when the path led no further.
void DirectoryWatch::WatchWay(const std::string& path, int* links_left) {
  for (std::size_t slash = path.find('/', 1); !path.empty(); slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const std::string target = LinkTarget(part);
    if (slash != std::string::npos || !target.empty()) {
      AddWatch(part, kItself | IN_DONT_FOLLOW);
    }
    if (!target.empty() && --*links_left > 0) {
      WatchWay(target, links_left);
    }
    if (slash == std::string::npos) {
      return;
    }
  }
}

void DirectoryWatch::FollowPath(Directory* directory) {
  directory->there = false;
  if (directory->path.empty()) {
    return;
  }
  // Once more after one above is watched: what it lacked can have come before that.
  int watch = -1;
  for (int look = 0; look < kMaxLooks; ++look) {
    const Nearest nearest = WatchNearest(directory->path);
    if (nearest.watch < 0) {
      directory->state = Unwatchable(nearest.error, nearest.path);
      return;
    }
    directory->there = nearest.itself;
    if (nearest.itself || std::exchange(watch, nearest.watch) == nearest.watch) {
      directory->watch = nearest.watch;
      break;
    }
  }
  directory->state = directory->there
                         ? absl::OkStatus()
                         : absl::NotFoundError("there is no " + directory->path +
                                               ": names of pods are not known from there (yet)");
}

DirectoryWatch::Nearest DirectoryWatch::WatchNearest(const std::string& path) {
  Nearest nearest{.itself = true, .path = path};
  for (int links = 0;;) {
    nearest.watch = AddWatch(nearest.path, kEntries | kItself | IN_ONLYDIR | IN_MASK_ADD);
    nearest.error = errno;
    const bool missing =
        nearest.error == ENOENT || nearest.error == ENOTDIR || nearest.error == ELOOP;
    if (nearest.watch >= 0 || !missing || nearest.path == "/" || nearest.path == ".") {
      return nearest;
    }
    // A link that leads to nothing is waited for where it leads to.
    std::string target = LinkTarget(nearest.path);
    const bool is_link = !target.empty() && ++links <= kMaxLinks;
    nearest.itself = nearest.itself && is_link;
    nearest.path = is_link ? std::move(target) : Parent(nearest.path);
  }
}

}  // namespace masflow::internal
