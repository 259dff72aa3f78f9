// SPDX-License-Identifier: Apache-2.0
#include "doctor.h"

#include <string>

#include <absl/status/statusor.h>

#include "masflow/format.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "message.h"

namespace masflow_cli {

int RunDoctor() {
  absl::StatusOr<masflow::Session> session = masflow::Session::Create();
  if (!session.ok()) {
    return SayFailure(session.status());
  }
  masflow::ProcessOptions everything;
  everything.forks = true;
  everything.failed_execs = true;
  everything.snapshot = true;
  const auto processes = masflow::ProcessStream::Open(*session, everything);
  if (!processes.ok()) {
    return SayFailure(processes.status());
  }
  std::string table;
  AppendText(session->support(), &table);
  return Print(table);
}

}  // namespace masflow_cli
