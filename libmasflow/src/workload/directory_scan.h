// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_WORKLOAD_DIRECTORY_SCAN_H_
#define MASFLOW_WORKLOAD_DIRECTORY_SCAN_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "core/unique_fd.h"

namespace masflow::internal {

// Reads the entries of a directory in portions, so that a large one holds nobody up.
class DirectoryScan {
 public:
  using Found = std::function<void(std::string_view name, bool is_directory)>;

  // Begins anew. errno, or 0.
  int Open(const std::string& path);
  // There is more to read.
  bool active() const { return directory_.valid(); }
  // What one system call tells, some hundred entries at most; how many. After the last, or an
  // error, it is no longer active.
  std::size_t Next(const Found& found);
  // What ended it; 0: the end.
  int error() const { return error_; }

 private:
  UniqueFd directory_;
  int error_ = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_WORKLOAD_DIRECTORY_SCAN_H_
