// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_FILE_ERROR_H_
#define MASFLOW_REPLAY_FILE_ERROR_H_

#include <string>
#include <string_view>
#include <system_error>

#include <absl/status/status.h>

namespace masflow::internal {

// "cannot open x.mfr: Permission denied: <advice>"
inline absl::Status FileError(int error, std::string_view what, std::string_view path,
                              std::string_view advice = {}) {
  std::string text(what);
  text.append(" ").append(path).append(": ").append(std::generic_category().message(error));
  if (!advice.empty()) {
    text.append(": ").append(advice);
  }
  return absl::Status(absl::ErrnoToStatusCode(error), text);
}

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_FILE_ERROR_H_
