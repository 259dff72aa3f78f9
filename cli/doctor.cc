// SPDX-License-Identifier: Apache-2.0
#include "doctor.h"

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "masflow/format.h"
#include "masflow/http_stream.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/tcp_stream.h"
#include "message.h"

namespace masflow_cli {

int RunDoctor() {
  absl::StatusOr<masflow::Session> session = masflow::Session::Create();
  if (!session.ok()) {
    return SayFailure(session.status());
  }
  const auto processes = masflow::ProcessStream::Open(
      *session, {.forks = true, .failed_execs = true, .snapshot = true});
  const auto tcp =
      masflow::TcpStream::Open(*session, {.data = masflow::TcpDataMode::kCall, .listeners = true});
  const auto http = masflow::HttpStream::Open(*session);
  std::string table;
  if (processes.ok() || tcp.ok() || http.ok()) {
    AppendText(session->support(), &table);
  }
  int code = Print(table);
  for (const absl::Status& status : {processes.status(), tcp.status(), http.status()}) {
    code = status.ok() ? code : SayFailure(status);
  }
  return code;
}

}  // namespace masflow_cli
