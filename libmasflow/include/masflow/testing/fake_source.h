// SPDX-License-Identifier: Apache-2.0
//
// A source of events for the tests of a host: no kernel, no privilege. Part of the
// package component "testing" (MasFlow::testing). What is pushed goes the way of
// real records: wire form, ring order, decoder, callbacks.
//
//   masflow::testing::FakeSource fake;
//   auto session = masflow::Session::Create({.source = fake.source()});
//   auto processes = masflow::ProcessStream::Open(*session);
//   processes->OnExec(…);
//   fake.Push(masflow::ProcessExec{.process = {.id = {.pid = 42}, .comm = "ls"}});
//   session->Drain(16);
#ifndef MASFLOW_TESTING_FAKE_SOURCE_H_
#define MASFLOW_TESTING_FAKE_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "masflow/events.h"
#include "masflow/http_events.h"
#include "masflow/session.h"
#include "masflow/stats.h"
#include "masflow/tcp_events.h"
#include "masflow/workload.h"

namespace masflow::testing {

// Thread-safe. May be destroyed before or after the session.
class FakeSource {
 public:
  FakeSource();
  ~FakeSource();
  FakeSource(const FakeSource&) = delete;
  FakeSource& operator=(const FakeSource&) = delete;

  // For SessionOptions::source, of one session only.
  CustomSource source() const;

  // Queued until the session drains; counted as produced. Filters are not applied.
  void Push(const ProcessExec& event);
  void Push(const ProcessExit& event);
  void Push(const ProcessFork& event);
  void Push(const ProcessExecFailure& event);
  void Push(const TcpConnect& event);
  void Push(const TcpAccept& event);
  void Push(const TcpData& event);
  void Push(const TcpClose& event);
  void Push(const TcpOpen& event);
  void Push(const TcpListen& event);
  // As the records of a connection that has this exchange only, with the end of the connection,
  // each of which counts as produced. HttpOptions::query, request_headers and response_headers
  // apply: what is not asked for is not delivered. An exchange that no connection can have comes
  // out as the nearest that one can: libmasflow/src/wire/http_encode.h says how.
  void Push(const HttpExchange& event);
  // A cgroup comes to be, and what a source of names tells; known to all events that are drained
  // later. Not counted.
  void PushCgroup(std::uint64_t cgroup_id, std::string_view path);
  void PushCgroupGone(std::uint64_t cgroup_id);
  void Push(const PodNames& pod);
  void Push(const ServiceNames& service);
  // Bytes as a kernel program would have sent them, well formed or not.
  void PushRecord(StreamKind stream, std::span<const std::byte> record);

  // Counted as produced and lost, and reported at the end of the next Drain.
  void PushLoss(const Loss& loss);

  // The session ends once all that was pushed is drained.
  void End();

 private:
  class Source;
  std::shared_ptr<Source> source_;
};

}  // namespace masflow::testing

#endif  // MASFLOW_TESTING_FAKE_SOURCE_H_
