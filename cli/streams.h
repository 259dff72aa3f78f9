// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_CLI_STREAMS_H_
#define MASFLOW_CLI_STREAMS_H_

#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "flags.h"
#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/tcp_stream.h"

namespace masflow_cli {

// Those that the flags ask for.
struct Streams {
  std::optional<masflow::ProcessStream> processes{};
  std::optional<masflow::TcpStream> tcp{};
  std::optional<masflow::HttpStream> http{};
};

absl::StatusOr<Streams> OpenStreams(const Flags& flags, masflow::Session* session);

// "process: exec, exit; tcp: connect, accept, data by interval, close; http: exchanges"
std::string DescribeStreams(const Flags& flags);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_STREAMS_H_
