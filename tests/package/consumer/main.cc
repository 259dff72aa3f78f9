// SPDX-License-Identifier: Apache-2.0
//
// A host program outside of the project's tree: events from the fake source, once through
// Drain() and once through the host's io_context.
#include <cstdio>
#include <string>

#include <boost/asio/io_context.hpp>

#include <masflow/asio.h>
#include <masflow/masflow.h>
#include <masflow/testing/fake_source.h>

namespace {

using Run = void (*)(masflow::Session&);

void RunDrained(masflow::Session& session) {
  while (!session.Drain(16).ended) {
  }
}

void RunOnIoContext(masflow::Session& session) {
  boost::asio::io_context io;
  masflow::AsioDriver driver(io.get_executor(), session);
  io.run();
}

// The names of the processes seen, and the totals.
std::string Observe(Run run) {
  masflow::testing::FakeSource fake;
  absl::StatusOr<masflow::Session> session = masflow::Session::Create({.source = fake.source()});
  if (!session.ok()) {
    return session.status().ToString();
  }
  absl::StatusOr<masflow::ProcessStream> processes = masflow::ProcessStream::Open(*session);
  if (!processes.ok()) {
    return processes.status().ToString();
  }
  std::string seen;
  processes->OnExec(
      [&seen](const masflow::ProcessExecView& e) { seen += std::string(e.process.comm) + " "; });
  fake.Push(masflow::ProcessExec{.process = {.id = {.pid = 42}, .comm = "ls"}});
  fake.Push(masflow::ProcessExec{.process = {.id = {.pid = 43}, .comm = "cat"}});
  fake.End();
  run(*session);
  const masflow::SessionStats stats = session->stats();
  seen += std::to_string(stats[masflow::StreamKind::kProcess].delivered);
  return seen;
}

}  // namespace

int main() {
  int failures = 0;
  for (Run run : {&RunDrained, &RunOnIoContext}) {
    const std::string seen = Observe(run);
    std::printf("%s\n", seen.c_str());
    failures += seen != "ls cat 2";
  }
  return failures;
}
