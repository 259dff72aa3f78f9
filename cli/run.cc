// SPDX-License-Identifier: Apache-2.0
#include "run.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "kubernetes.h"
#include "masflow/asio.h"
#include "masflow/session.h"
#include "masflow/stats.h"
#include "message.h"
#include "printer.h"
#include "rights.h"
#include "stop_request.h"
#include "streams.h"
#include "totals.h"
#include "writer.h"

namespace masflow_cli {
namespace {

using Clock = std::chrono::steady_clock;

masflow::SessionOptions SessionOptionsOf(const Flags& flags, const NameServers& servers) {
  masflow::SessionOptions options;
  if (!flags.replay.empty()) {
    options.source = masflow::Replay{.path = flags.replay};
  }
  options.record_to = flags.record;
  options.workloads = flags.workloads;
  servers.AddTo(&options.workloads);
  return options;
}

void SayReady(const Flags& flags, Clock::time_point start) {
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
  Say("ready (" + DescribeStreams(flags) + (flags.replay.empty() ? "" : "; from " + flags.replay) +
      ") in " + std::to_string(taken.count()) + " ms");
}

// Makes an io_context that waits for events also wake at the end that `stop` announces, and
// when the reader of stdout goes away: on an idle machine no write would tell for long.
class StopWatch {
 public:
  StopWatch(boost::asio::io_context* io, const StopRequest& stop)
      : signals_(*io, dup(stop.fd())), reader_(*io, epoll_create1(EPOLL_CLOEXEC)), deadline_(*io) {
    // Through an epoll of its own, as Asio would make stdout non-blocking, for all who
    // share it. A plain file has no reader, and is refused.
    epoll_event errors_only{};
    epoll_ctl(reader_.native_handle(), EPOLL_CTL_ADD, STDOUT_FILENO, &errors_only);
    reader_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [](const boost::system::error_code&) {});
    signals_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                        [](const boost::system::error_code&) {});
    if (stop.deadline().has_value()) {
      deadline_.expires_at(*stop.deadline());
      deadline_.async_wait([](const boost::system::error_code&) {});
    }
  }

 private:
  boost::asio::posix::stream_descriptor signals_;
  boost::asio::posix::stream_descriptor reader_;
  boost::asio::steady_timer deadline_;
};

// Shows events until a stop is requested, stdout is gone or a recording ends.
void Follow(const Flags& flags, masflow::Session* session, const StopRequest& stop,
            Writer* writer) {
  boost::asio::io_context io(1);
  // A recording is never idle and ends by itself, which leaves io without work.
  std::optional<StopWatch> watch;
  if (flags.replay.empty()) {
    watch.emplace(&io, stop);
  }
  masflow::AsioDriver driver(io.get_executor(), *session);
  // One handler is at most one turn of the session: so much is written at once.
  while (writer->open() && !stop.requested() && io.run_one() != 0) {
    writer->Flush();
    writer->NoteReader();
  }
}

// What happened before the stop is still shown: who stops the command right after
// something expects to see it.
void ShowRest(masflow::Session* session, const StopRequest& stop, Writer* writer) {
  constexpr std::size_t kRecordsPerTurn = 256;
  const masflow::SessionStats due = session->stats();
  bool more = true;
  while (more && writer->open() && stop.patience_ms() != 0 && !AllSettled(due, session->stats())) {
    more = session->Drain(kRecordsPerTurn).more;
    writer->Flush();
  }
}

// `programs`: as they were before the session was stopped, for then they are gone.
int Finish(const Flags& flags, const masflow::Session& session,
           const std::vector<masflow::ProgramCost>& programs, const Printer& printer,
           const Writer& writer) {
  int code = kOk;
  if (writer.state() == Writer::State::kFailed) {
    code = SayWriteError(writer.error());
  }
  if (const absl::Status status = session.status(); !status.ok()) {
    code = SayFailure(status);
  }
  const bool blocked = writer.state() == Writer::State::kGaveUp;
  Say(Totals(session.stats(), flags,
             {.filtered = printer.filtered(), .unwritten = blocked ? writer.lost_lines() : 0}));
  if (flags.costs) {
    Say(Costs(programs));
  }
  return code;
}

}  // namespace

int RunEvents(const Flags& flags, Clock::time_point start) {
  StopRequest stop;
  const absl::StatusOr<NameServers> servers = NameServers::Make(flags.kubernetes);
  if (!servers.ok()) {
    return SayUsage(std::string(servers.status().message()));
  }
  absl::StatusOr<masflow::Session> session =
      masflow::Session::Create(SessionOptionsOf(flags, *servers));
  if (!session.ok()) {
    return SayFailure(session.status());
  }
  absl::StatusOr<Streams> streams = OpenStreams(flags, &*session);
  if (absl::IsInvalidArgument(streams.status())) {
    return SayUsage(std::string(streams.status().message()));
  }
  if (!streams.ok()) {
    return SayFailure(streams.status());
  }
  Writer writer(STDOUT_FILENO, &stop);
  Printer printer(flags, *session, &writer);
  printer.Attach(&*session, &*streams);
  absl::Status begun = GiveUpRights(flags);
  if (begun.ok()) {
    begun = servers->Begin();
  }
  if (!begun.ok()) {
    return SayFailure(begun);
  }
  SayReady(flags, start);
  if (flags.duration.has_value()) {
    stop.SetDeadline(Clock::now() + *flags.duration);
  }
  Follow(flags, &*session, stop, &writer);
  if (flags.replay.empty()) {
    ShowRest(&*session, stop, &writer);
  }
  const std::vector<masflow::ProgramCost> programs = session->stats().programs;
  session->Stop();
  return Finish(flags, *session, programs, printer, writer);
}

}  // namespace masflow_cli
