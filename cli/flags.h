// SPDX-License-Identifier: Apache-2.0
//
// The command line, understood.
#ifndef MASFLOW_CLI_FLAGS_H_
#define MASFLOW_CLI_FLAGS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "http_match.h"
#include "kubernetes.h"
#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/tcp_stream.h"

namespace masflow_cli {

enum class Action { kRun, kDoctor, kHelp, kVersion };
// Whom --user names.
struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

enum class Color { kAuto, kAlways, kNever };

struct Flags {
  Action action = Action::kRun;
  bool json = false;
  Color color = Color::kAuto;
  std::optional<std::chrono::nanoseconds> duration{};
  std::string replay{};  // empty: the live kernel
  std::string record{};  // empty: none
  std::optional<User> user{};
  bool seccomp = false;
  bool costs = false;
  bool show_processes = true;
  bool show_tcp = true;
  bool show_http = true;
  std::optional<std::size_t> ring_bytes{};  // of each stream; absent: what that has by itself
  masflow::WorkloadOptions workloads{};
  KubernetesFlags kubernetes{};
  masflow::ProcessOptions process{};
  masflow::TcpOptions tcp{};
  masflow::HttpOptions http{};
  HttpMatch http_match{};
};

// INVALID_ARGUMENT with a sentence for the user.
absl::StatusOr<Flags> ParseFlags(int argc, char** argv);

// What --help shows.
std::string HelpText();

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_FLAGS_H_
