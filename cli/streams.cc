// SPDX-License-Identifier: Apache-2.0
#include "streams.h"

#include <utility>

namespace masflow_cli {
namespace {

template <class Stream, class Options>
absl::Status Open(masflow::Session* session, const Options& options,
                  std::optional<Stream>* stream) {
  absl::StatusOr<Stream> opened = Stream::Open(*session, options);
  if (!opened.ok()) {
    return opened.status();
  }
  stream->emplace(*std::move(opened));
  return absl::OkStatus();
}

std::string DescribeTcp(const masflow::TcpOptions& options) {
  std::string text = "tcp: connect, accept";
  switch (options.data) {
    case masflow::TcpDataMode::kInterval:
      text += ", data by interval";
      break;
    case masflow::TcpDataMode::kCall:
      text += ", data by call";
      break;
    case masflow::TcpDataMode::kOff:
      break;
  }
  text += ", close";
  text += options.listeners ? ", listen" : "";
  return text;
}

}  // namespace

absl::StatusOr<Streams> OpenStreams(const Flags& flags, masflow::Session* session) {
  Streams streams;
  absl::Status status;
  if (flags.show_processes) {
    status = Open(session, flags.process, &streams.processes);
  }
  if (flags.show_tcp && status.ok()) {
    status = Open(session, flags.tcp, &streams.tcp);
  }
  // After TCP, so that it takes the ids of connections from there.
  if (flags.show_http && status.ok()) {
    status = Open(session, flags.http, &streams.http);
  }
  if (!status.ok()) {
    return status;
  }
  return streams;
}

std::string DescribeStreams(const Flags& flags) {
  std::string text;
  if (flags.show_processes) {
    text += "process: exec, exit";
    text += flags.process.forks ? ", fork" : "";
    text += flags.process.failed_execs ? ", failed exec" : "";
  }
  if (flags.show_tcp) {
    text += text.empty() ? "" : "; ";
    text += DescribeTcp(flags.tcp);
  }
  if (flags.show_http) {
    text += text.empty() ? "" : "; ";
    text += "http: exchanges";
  }
  return text;
}

}  // namespace masflow_cli
