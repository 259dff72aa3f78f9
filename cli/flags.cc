// SPDX-License-Identifier: Apache-2.0
#include "flags.h"

#include <getopt.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>

#include "options.h"

namespace masflow_cli {
namespace {

absl::Status Invalid(std::string message) {
  return absl::InvalidArgumentError(std::move(message));
}

// getopt reports an option by a number that no character has.
constexpr int kFirstOption = 256;

// Options that were given, in that order.
using Given = std::vector<const Option*>;

absl::Status Apply(int found, std::string_view argument, Flags* flags, Given* given) {
  const auto index = static_cast<std::size_t>(found - kFirstOption);
  if (found == 'h') {
    flags->action = Action::kHelp;
    return absl::OkStatus();
  }
  if (found == ':') {
    return Invalid("the option '" + std::string(argument) + "' needs a value");
  }
  if (index >= AllOptions().size()) {
    return optopt >= kFirstOption
               ? Invalid("the option '" + std::string(argument) + "' takes no value")
               : Invalid("there is no option '" + std::string(argument) + "'");
  }
  const Option& option = AllOptions()[index];
  given->push_back(&option);
  const absl::Status status = option.apply(optarg == nullptr ? "" : optarg, flags);
  return status.ok()
             ? status
             : Invalid("--" + std::string(option.name) + ": " + std::string(status.message()));
}

absl::Status ApplyWords(int argc, char** argv, const Given& given, Flags* flags) {
  if (optind == argc || flags->action != Action::kRun) {
    return absl::OkStatus();
  }
  if (std::string_view(argv[optind]) != "doctor") {
    return Invalid("'" + std::string(argv[optind]) + "' is not understood");
  }
  const bool only_names = std::all_of(given.begin(), given.end(), [](const Option* option) {
    return option->needs == Needs::kLiveNames;
  });
  if (!only_names || optind + 1 < argc) {
    return Invalid(
        "doctor takes options about the names of pods only, from --log-dir to --token-file");
  }
  flags->action = Action::kDoctor;
  return absl::OkStatus();
}

// What an option is about, if that is not shown; else null.
const char* Missing(Needs needs, const Flags& flags) {
  switch (needs) {
    case Needs::kNothing:
    case Needs::kLiveNames:
      return nullptr;
    case Needs::kProcesses:
      return flags.show_processes ? nullptr : "processes";
    case Needs::kTcp:
      return flags.show_tcp ? nullptr : "TCP connections";
    case Needs::kHttp:
      return flags.show_http ? nullptr : "HTTP exchanges";
    case Needs::kConnections:
      return flags.show_tcp || flags.show_http ? nullptr : "connections";
  }
  return nullptr;
}

// What has nothing to work on is a mistake, not a wish.
absl::Status CheckNeeds(const Given& given, const Flags& flags) {
  for (const Option* option : given) {
    const std::string name = "--" + std::string(option->name);
    if (const char* const missing = Missing(option->needs, flags); missing != nullptr) {
      return Invalid(name + " is about " + missing + ", which --streams leaves out");
    }
    if (option->needs == Needs::kLiveNames && !flags.replay.empty()) {
      return Invalid(name + " is about this machine; a recording has the names of its own");
    }
    if (name == "--interval" && flags.tcp.data != masflow::TcpDataMode::kInterval) {
      return Invalid("--interval goes with --data interval only");
    }
  }
  return absl::OkStatus();
}

absl::Status Parse(int argc, char** argv, Flags* flags) {
  const std::span<const Option> options = AllOptions();
  std::vector<option> long_options;
  for (const Option& option : options) {
    long_options.push_back({option.name, option.value == nullptr ? no_argument : required_argument,
                            nullptr, kFirstOption + static_cast<int>(long_options.size())});
  }
  long_options.push_back({});
  Given given;
  opterr = 0;
  int found = 0;
  while ((found = getopt_long(argc, argv, ":h", long_options.data(), nullptr)) != -1) {
    if (absl::Status status = Apply(found, argv[optind - 1], flags, &given); !status.ok()) {
      return status;
    }
  }
  absl::Status status = ApplyWords(argc, argv, given, flags);
  if (flags->action == Action::kRun) {
    status.Update(CheckNeeds(given, *flags));
    status.Update(CheckKubernetes(flags->kubernetes));
  }
  return status;
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(int argc, char** argv) {
  Flags flags;
  if (absl::Status status = Parse(argc, argv, &flags); !status.ok()) {
    return status;
  }
  flags.tcp.filter.process = flags.process.filter;
  flags.http.filter = flags.tcp.filter;
  flags.http.max_connections = flags.tcp.max_connections;
  if (flags.ring_bytes.has_value()) {
    flags.process.ring_bytes = flags.tcp.ring_bytes = flags.http.ring_bytes = *flags.ring_bytes;
  }
  return flags;
}

}  // namespace masflow_cli
