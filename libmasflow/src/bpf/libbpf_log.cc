// SPDX-License-Identifier: Apache-2.0
#include "bpf/libbpf_log.h"

#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <utility>

#include <absl/strings/cord.h>
#include <bpf/libbpf.h>

namespace masflow::internal {
namespace {

std::mutex print_mutex;  // guards the three below
int logs_alive = 0;
libbpf_print_fn_t host_print = nullptr;
thread_local LibbpfLog* log_of_thread = nullptr;

std::string Format(const char* format, va_list args) {
  va_list again;
  va_copy(again, args);
  std::string line(static_cast<std::size_t>(vsnprintf(nullptr, 0, format, again)), '\0');
  va_end(again);
  vsnprintf(line.data(), line.size() + 1, format, args);
  return line;
}

int Print(libbpf_print_level level, const char* format, va_list args) {
  if (log_of_thread != nullptr) {
    if (level != LIBBPF_DEBUG) {
      log_of_thread->Append(Format(format, args));
    }
    return 0;
  }
  libbpf_print_fn_t host = nullptr;
  {
    std::lock_guard lock(print_mutex);
    host = host_print;
  }
  return host == nullptr ? 0 : host(level, format, args);
}

}  // namespace

LibbpfLog::LibbpfLog() {
  std::lock_guard lock(print_mutex);
  if (logs_alive++ == 0) {
    host_print = libbpf_set_print(Print);
  }
  log_of_thread = this;
}

LibbpfLog::~LibbpfLog() {
  std::lock_guard lock(print_mutex);
  log_of_thread = nullptr;
  if (--logs_alive == 0) {
    libbpf_set_print(host_print);
  }
}

absl::Status LibbpfLog::Attach(absl::Status status) const {
  if (!status.ok() && !text_.empty()) {
    status.SetPayload(kLibbpfLogUrl, absl::Cord(text_));
  }
  return status;
}

}  // namespace masflow::internal
