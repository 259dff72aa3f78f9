// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_LIBBPF_LOG_H_
#define MASFLOW_BPF_LIBBPF_LOG_H_

#include <string>

#include <absl/status/status.h>

namespace masflow::internal {

// The Status payload under which the messages of libbpf and the verifier are found.
inline constexpr char kLibbpfLogUrl[] = "masflow/libbpf-log";

// While it lives, what libbpf says on this thread is kept here instead of being printed.
//
// libbpf has one print function a process, so this is the one place where MasFlow touches
// something shared: the first LibbpfLog puts its function in front of the host's, the last
// one takes it away, and lines of other threads go to the host's in between. Do not nest.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  const std::string& text() const { return text_; }
  void Clear() { text_.clear(); }
  // `status` with the text as a payload.
  absl::Status Attach(absl::Status status) const;

  void Append(std::string line) { text_ += line; }

 private:
  std::string text_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_LIBBPF_LOG_H_
