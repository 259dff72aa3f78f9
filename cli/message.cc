// SPDX-License-Identifier: Apache-2.0
#include "message.h"

#include <string.h>
#include <unistd.h>

#include <utility>

#include "masflow/format.h"
#include "writer.h"

namespace masflow_cli {

void Say(std::string_view text) {
  std::string line = "masflow: ";
  masflow::AppendEscaped(text, &line);
  line += '\n';
  // One write, so that lines of several programs do not mix. If it fails, there is
  // nobody left to tell.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

int SayFailure(const absl::Status& status) {
  Say(std::string(status.message()));
  return kFailure;
}

int SayUsage(std::string_view text) {
  Say(std::string(text) + " (masflow --help shows all options)");
  return kUsage;
}

int Print(std::string text) {
  Writer writer(STDOUT_FILENO, nullptr);
  *writer.buffer() = std::move(text);
  writer.Flush();
  return writer.state() == Writer::State::kFailed ? SayWriteError(writer.error()) : kOk;
}

int SayWriteError(int error) {
  const char* const reason = strerrordesc_np(error);
  Say("cannot write to stdout: " + std::string(reason != nullptr ? reason : "unknown error"));
  return kFailure;
}

}  // namespace masflow_cli
