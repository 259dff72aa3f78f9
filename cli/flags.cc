// SPDX-License-Identifier: Apache-2.0
#include "flags.h"

#include <getopt.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <absl/status/status.h>

#include "values.h"

namespace masflow_cli {
namespace {

absl::Status Invalid(std::string message) {
  return absl::InvalidArgumentError(std::move(message));
}

// One row per option: what it is called, what --help says, what it does.
struct Option {
  const char* name;
  const char* value;  // how --help calls its value; null: takes none
  const char* help;
  absl::Status (*apply)(std::string_view value, Flags* flags);
};

absl::Status ApplyStreams(std::string_view value, Flags*) {
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string name(value.substr(0, comma));
    if (name == "tcp" || name == "http") {
      return Invalid("the stream '" + name + "' is not available in this version: use process");
    }
    if (name != "process") {
      return Invalid("there is no stream '" + name + "': use process");
    }
    if (comma == std::string_view::npos) {
      return absl::OkStatus();
    }
    value.remove_prefix(comma + 1);
  }
}

absl::Status ApplyComm(std::string_view value, Flags* flags) {
  constexpr std::size_t kMostBytes = 15;
  if (value.empty() || value.size() > kMostBytes) {
    return Invalid("'" + std::string(value) + "' is no process name: those have 1 to 15 bytes");
  }
  flags->process.filter.comms.emplace_back(value);
  return absl::OkStatus();
}

absl::Status ApplyUser(std::string_view value, Flags* flags) {
  return ParseUser(value, &flags->process.filter.uids.emplace_back());
}

absl::Status ApplyArgsLimit(std::string_view value, Flags* flags) {
  constexpr std::uint64_t kMost = 16'383;
  std::uint64_t bytes = 0;
  absl::Status status = ParseBytes(value, &bytes);
  if (status.ok() && bytes > kMost) {
    status = Invalid("'" + std::string(value) + "' is too much: 16383 is the most");
  }
  flags->process.args_limit = static_cast<std::uint32_t>(bytes);
  return status;
}

absl::Status ApplyRingBytes(std::string_view value, Flags* flags) {
  std::uint64_t bytes = 0;
  absl::Status status = ParseBytes(value, &bytes);
  if (status.ok() && !std::has_single_bit(bytes)) {
    status = Invalid("'" + std::string(value) + "' is no power of two");
  }
  flags->process.ring_bytes = bytes;
  return status;
}

absl::Status ApplyDuration(std::string_view value, Flags* flags) {
  return ParseDuration(value, &flags->duration.emplace());
}

absl::Status ApplyColor(std::string_view value, Flags* flags) {
  if (value == "auto") {
    flags->color = Color::kAuto;
  } else if (value == "always") {
    flags->color = Color::kAlways;
  } else if (value == "never") {
    flags->color = Color::kNever;
  } else {
    return Invalid("'" + std::string(value) + "' is none of auto, always, never");
  }
  return absl::OkStatus();
}

absl::Status SetPath(std::string_view value, std::string* path) {
  *path = value;
  return value.empty() ? Invalid("the name of the file is empty") : absl::OkStatus();
}

absl::Status Set(bool* flag) {
  *flag = true;
  return absl::OkStatus();
}

using Value = std::string_view;
constexpr Option kOptions[] = {
    {"json", nullptr, "one JSON object a line instead of text",
     [](Value, Flags* f) { return Set(&f->json); }},
    {"streams", "LIST", "what to show; process is all this version has", ApplyStreams},
    {"pid", "N[,N…]", "only these processes",
     [](Value v, Flags* f) { return ParsePids(v, &f->process.filter.pids); }},
    {"tree", "N[,N…]", "only these and all their descendants",
     [](Value v, Flags* f) { return ParsePids(v, &f->process.filter.trees); }},
    {"uid", "USER", "only processes of this user (id or name)", ApplyUser},
    {"comm", "NAME", "only processes of this name (at most 15 bytes)", ApplyComm},
    {"cgroup", "PATH", "only processes in this cgroup or below it",
     [](Value v, Flags* f) { return SetPath(v, &f->process.filter.cgroups.emplace_back()); }},
    {"forks", nullptr, "show forks too", [](Value, Flags* f) { return Set(&f->process.forks); }},
    {"failed", nullptr, "show failed execs too",
     [](Value, Flags* f) { return Set(&f->process.failed_execs); }},
    {"snapshot", nullptr, "first show what already runs",
     [](Value, Flags* f) { return Set(&f->process.snapshot); }},
    {"args-limit", "BYTES", "bytes of arguments to capture (default 4096)", ApplyArgsLimit},
    {"ring-bytes", "BYTES", "buffer between kernel and command (default 1M)", ApplyRingBytes},
    {"duration", "TIME", "end after this time: 500ms, 10s, 5m, 2h", ApplyDuration},
    {"record", "FILE", "also write all to FILE, for --replay",
     [](Value v, Flags* f) { return SetPath(v, &f->record); }},
    {"replay", "FILE", "show what --record wrote; needs no privilege",
     [](Value v, Flags* f) { return SetPath(v, &f->replay); }},
    {"color", "WHEN", "auto (on a terminal, unless NO_COLOR is set), always, never", ApplyColor},
    {"help", nullptr, "show this text",
     [](Value, Flags* f) {
       f->action = Action::kHelp;
       return absl::OkStatus();
     }},
    {"version", nullptr, "show the version",
     [](Value, Flags* f) {
       f->action = Action::kVersion;
       return absl::OkStatus();
     }},
};
constexpr std::size_t kOptionCount = std::size(kOptions);
// getopt reports an option by a number that no character has.
constexpr int kFirstOption = 256;

absl::Status Apply(int found, std::string_view argument, Flags* flags) {
  const auto index = static_cast<std::size_t>(found - kFirstOption);
  if (found == 'h') {
    flags->action = Action::kHelp;
    return absl::OkStatus();
  }
  if (found == ':') {
    return Invalid("the option '" + std::string(argument) + "' needs a value");
  }
  if (index >= kOptionCount) {
    return optopt >= kFirstOption
               ? Invalid("the option '" + std::string(argument) + "' takes no value")
               : Invalid("there is no option '" + std::string(argument) + "'");
  }
  const Option& option = kOptions[index];
  const absl::Status status = option.apply(optarg == nullptr ? "" : optarg, flags);
  return status.ok()
             ? status
             : Invalid("--" + std::string(option.name) + ": " + std::string(status.message()));
}

absl::Status ApplyWords(int argc, char** argv, bool any_option, Flags* flags) {
  if (optind == argc || flags->action != Action::kRun) {
    return absl::OkStatus();
  }
  if (std::string_view(argv[optind]) != "doctor") {
    return Invalid("'" + std::string(argv[optind]) + "' is not understood");
  }
  if (any_option || optind + 1 < argc) {
    return Invalid("doctor takes no options");
  }
  flags->action = Action::kDoctor;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(int argc, char** argv) {
  std::array<option, kOptionCount + 1> long_options{};
  for (std::size_t i = 0; i < kOptionCount; ++i) {
    long_options[i] = {kOptions[i].name,
                       kOptions[i].value == nullptr ? no_argument : required_argument, nullptr,
                       kFirstOption + static_cast<int>(i)};
  }
  Flags flags;
  bool any_option = false;
  opterr = 0;
  int found = 0;
  while ((found = getopt_long(argc, argv, ":h", long_options.data(), nullptr)) != -1) {
    any_option = true;
    if (absl::Status status = Apply(found, argv[optind - 1], &flags); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = ApplyWords(argc, argv, any_option, &flags); !status.ok()) {
    return status;
  }
  return flags;
}

std::string HelpText() {
  std::string text =
      "Usage: masflow [options]   show the processes of this machine as they come and go\n"
      "       masflow doctor      show what this kernel lets masflow do\n"
      "\n"
      "Options:\n";
  constexpr std::size_t kHelpColumn = 22;
  for (const Option& option : kOptions) {
    std::string line = "  --" + std::string(option.name);
    std::size_t columns = line.size();
    if (option.value != nullptr) {
      const std::string_view value = option.value;
      line += ' ';
      line += value;
      columns += 1 + value.size() - (value.ends_with("…]") ? 2 : 0);  // … has three bytes
    }
    line.append(columns < kHelpColumn ? kHelpColumn - columns : 1, ' ');
    text += line + option.help + '\n';
  }
  text +=
      "\n"
      "--pid, --tree, --uid, --comm and --cgroup can be given several times; different\n"
      "ones are joined by \"and\" (but --pid and --tree by \"or\"). Without --replay root, or\n"
      "CAP_BPF and CAP_PERFMON, is needed. Events go to stdout, all else to stderr. Exit\n"
      "code: 0 ended as asked, 1 failure, 2 wrong use.\n";
  return text;
}

}  // namespace masflow_cli
