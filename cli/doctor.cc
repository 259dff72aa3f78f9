// SPDX-License-Identifier: Apache-2.0
#include "doctor.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "kubernetes.h"
#include "masflow/format.h"
#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/stats.h"
#include "masflow/tcp_stream.h"
#include "message.h"

namespace masflow_cli {
namespace {

// Servers that are asked for names get some time to answer: there is nothing else to do, and
// nothing that tells of it.
masflow::SupportReport ReportWithAnswers(const masflow::Session& session) {
  using namespace std::chrono_literals;
  const auto end = std::chrono::steady_clock::now() + 5s;
  masflow::SupportReport report = session.support();
  const auto unanswered = [](const masflow::NameSourceState& names) {
    return absl::IsUnknown(names.state);
  };
  while (std::any_of(report.names.begin(), report.names.end(), unanswered) &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(20ms);
    report = session.support();
  }
  return report;
}

std::string MiB(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

std::string MemoryLine(const masflow::MemoryStats& memory) {
  return "memory     " + MiB(memory.rings) + " of rings and " + MiB(memory.tables) +
         " of tables in the kernel; here at most " + MiB(memory.host_most) + "\n";
}

}  // namespace

int RunDoctor(const Flags& flags) {
  const absl::StatusOr<NameServers> servers = NameServers::Make(flags.kubernetes);
  if (!servers.ok()) {
    return SayUsage(std::string(servers.status().message()));
  }
  masflow::SessionOptions options;
  options.workloads = flags.workloads;
  servers->AddTo(&options.workloads);
  absl::StatusOr<masflow::Session> session = masflow::Session::Create(options);
  if (!session.ok()) {
    return SayFailure(session.status());
  }
  if (const absl::Status status = servers->Begin(); !status.ok()) {
    return SayFailure(status);
  }
  const auto processes = masflow::ProcessStream::Open(
      *session, {.forks = true, .failed_execs = true, .snapshot = true});
  const auto tcp =
      masflow::TcpStream::Open(*session, {.data = masflow::TcpDataMode::kCall, .listeners = true});
  const auto http = masflow::HttpStream::Open(*session);
  std::string table;
  if (processes.ok() || tcp.ok() || http.ok()) {
    AppendText(ReportWithAnswers(*session), &table);
    table += MemoryLine(session->stats().memory);
  }
  int code = Print(table);
  for (const absl::Status& status : {processes.status(), tcp.status(), http.status()}) {
    code = status.ok() ? code : SayFailure(status);
  }
  return code;
}

}  // namespace masflow_cli
