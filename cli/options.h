// SPDX-License-Identifier: Apache-2.0
//
// The table of all options.
#ifndef MASFLOW_CLI_OPTIONS_H_
#define MASFLOW_CLI_OPTIONS_H_

#include <span>
#include <string_view>

#include <absl/status/status.h>

#include "flags.h"

namespace masflow_cli {

// What has to be shown for an option to mean something.
// kLiveNames is about where names of pods come from: nothing that a recording has.
enum class Needs { kNothing, kLiveNames, kProcesses, kTcp, kHttp, kConnections };

struct Option {
  const char* name;
  const char* value;  // how --help calls its value; null: takes none
  const char* help;
  Needs needs;
  // Of filters that are for several streams the first one in Flags is set.
  absl::Status (*apply)(std::string_view value, Flags* flags);
};

// In the order of --help.
std::span<const Option> AllOptions();

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_OPTIONS_H_
