// SPDX-License-Identifier: Apache-2.0
//
// masflow: the processes, TCP connections and HTTP exchanges of this machine, live on stdout. See
// docs/command.md.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <new>
#include <string>

#include <absl/status/statusor.h>

#include "doctor.h"
#include "flags.h"
#include "masflow/version.h"
#include "message.h"
#include "run.h"

namespace masflow_cli {
namespace {

// If one of the first three descriptors is closed, the next file to be opened would get
// its number, and the lines meant for stdout.
void ReserveStandardDescriptors() {
  while (true) {
    const int fd = open("/dev/null", O_RDONLY);  // so a write to it fails, as to a closed one
    if (fd < 0 || fd > STDERR_FILENO) {
      close(fd);
      return;
    }
  }
}

int Main(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  ReserveStandardDescriptors();
  signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<Flags> flags = ParseFlags(argc, argv);
  if (!flags.ok()) {
    return SayUsage(std::string(flags.status().message()));
  }
  switch (flags->action) {
    case Action::kHelp:
      return Print(HelpText());
    case Action::kVersion:
      return Print("masflow " + std::string(masflow::kVersion) + "\n");
    case Action::kDoctor:
      return RunDoctor(*flags);
    case Action::kRun:
      return RunEvents(*flags, start);
  }
  return kFailure;
}

}  // namespace
}  // namespace masflow_cli

int main(int argc, char** argv) {
  try {
    return masflow_cli::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    masflow_cli::Say("there is no memory left for it");
    return masflow_cli::kFailure;
  } catch (const std::exception& error) {  // of Asio, as it asks the kernel for descriptors
    masflow_cli::Say(std::string("cannot go on: ") + error.what());
    return masflow_cli::kFailure;
  }
}
