// SPDX-License-Identifier: Apache-2.0
//
// The values of options, from text. Each returns OK, or INVALID_ARGUMENT with what is
// wrong about the text; the caller knows the option's name.
#ifndef MASFLOW_CLI_VALUES_H_
#define MASFLOW_CLI_VALUES_H_

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "http_match.h"

namespace masflow_cli {

// "12" or "12,34,…", added to *pids.
absl::Status ParsePids(std::string_view text, std::vector<std::uint32_t>* pids);

// The same of ports, 1 to 65535.
absl::Status ParsePorts(std::string_view text, std::vector<std::uint16_t>* ports);

// "404", "5xx", or several: "2xx,404"; added to *statuses.
absl::Status ParseStatuses(std::string_view text, std::vector<StatusRange>* statuses);

// What TcpOptions::max_connections takes.
absl::Status ParseConnections(std::string_view text, std::uint32_t* connections);

// A number or the name of a user of this machine.
absl::Status ParseUser(std::string_view text, std::uint32_t* uid);
// Also its group: of a number that no user of this machine has the same number.
absl::Status ParseUser(std::string_view text, std::uint32_t* uid, std::uint32_t* gid);

// "4096", "64K", "1M"
absl::Status ParseBytes(std::string_view text, std::uint64_t* bytes);

// "10", "10s", "500ms", "1.5m", "2h"; more than 0, at most a year
absl::Status ParseDuration(std::string_view text, std::chrono::nanoseconds* duration);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_VALUES_H_
