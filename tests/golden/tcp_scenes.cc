// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "masflow/stats.h"
#include "masflow/tcp_events.h"
#include "scenes.h"

namespace masflow_golden {

using masflow::Connection;
using masflow::Endpoint;
using masflow::Process;
using masflow::TcpRole;

Endpoint V4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
  return {.address = {.bytes = {a, b, c, d}}, .port = port};
}

Endpoint V6(std::uint8_t last, std::uint16_t port) {
  Endpoint end{.address = {.is_v6 = true}, .port = port};
  end.address.bytes[0] = 0xFD;
  end.address.bytes[15] = last;
  return end;
}

Connection MakeConnection(const Endpoint& local, const Endpoint& remote,
                          std::optional<TcpRole> role, std::optional<Process> owner) {
  static std::uint32_t tag = 0xA0;
  Connection c;
  c.id = {NextTime(), ++tag};
  c.local = local;
  c.remote = remote;
  c.role = role;
  c.netns = 4'026'531'840;
  c.owner = std::move(owner);
  return c;
}

Connection PreExisting(Connection c) {
  c.pre_existing = true;
  return c;
}

namespace {

using masflow::testing::FakeSource;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

const Endpoint kAnyV6{.address = {.is_v6 = true}};

masflow::TcpConnect MakeConnect(const Connection& c, masflow::ConnectOutcome outcome, int error,
                                std::optional<nanoseconds> handshake) {
  masflow::TcpConnect e;
  e.time = NextTime();
  e.connection = c;
  e.tid = c.owner->id.pid;
  e.outcome = outcome;
  e.error = error;
  e.handshake = handshake;
  return e;
}

masflow::TcpConnect MakeConnected(const Connection& c) {
  return MakeConnect(c, masflow::ConnectOutcome::kConnected, 0, 1'204us);
}

masflow::TcpAccept MakeAccept(const Connection& c, std::optional<nanoseconds> queued) {
  masflow::TcpAccept e;
  e.time = NextTime();
  e.connection = c;
  e.tid = c.owner->id.pid;
  e.queued = queued;
  return e;
}

masflow::TcpData MakeData(const Connection& c, std::uint64_t tx, std::uint64_t rx,
                          std::uint64_t tx_total, std::uint64_t rx_total) {
  masflow::TcpData e;
  e.time = NextTime();
  e.connection = c;
  e.tx_bytes = tx;
  e.rx_bytes = rx;
  e.tx_total_bytes = tx_total;
  e.rx_total_bytes = rx_total;
  e.span = 1s;
  return e;
}

masflow::TcpData MakeCall(const Connection& c, std::uint64_t tx, std::uint64_t rx,
                          std::uint32_t tid) {
  masflow::TcpData e;
  e.time = NextTime();
  e.connection = c;
  e.tx_bytes = tx;
  e.rx_bytes = rx;
  e.tid = tid;
  return e;
}

masflow::TcpClose MakeClose(const Connection& c, masflow::CloseReason reason, int error,
                            std::optional<masflow::TcpEnd> first) {
  masflow::TcpClose e;
  e.time = NextTime();
  e.connection = c;
  e.reason = reason;
  e.error = error;
  e.closed_first = first;
  if (!c.pre_existing) {
    e.duration = 3'200us;
  }
  e.tx_bytes = 1024;
  e.rx_bytes = 77;
  e.tx_segments = 5;
  e.rx_segments = 4;
  e.smoothed_rtt = 45us;
  e.min_rtt = 31us;
  return e;
}

masflow::TcpOpen MakeOpen(const Connection& c) {
  masflow::TcpOpen e;
  e.time = NextTime();
  e.connection = c;
  return e;
}

masflow::TcpListen MakeListen(const Connection& c, std::uint32_t backlog) {
  masflow::TcpListen e;
  e.time = NextTime();
  e.connection = c;
  e.backlog = backlog;
  return e;
}

void PushConnects(FakeSource* fake) {
  using Outcome = masflow::ConnectOutcome;
  const Process curl = MakeProcess(1300, 1200, "curl");
  fake->Push(MakeConnected(
      MakeConnection(V4(10, 0, 0, 7, 40'001), V4(192, 0, 2, 1, 443), TcpRole::kClient, curl)));
  masflow::TcpConnect threaded =
      MakeConnected(MakeConnection(V6(7, 40'002), V6(1, 443), TcpRole::kClient, curl));
  threaded.tid = 1305;
  fake->Push(threaded);
  fake->Push(MakeConnect(MakeConnection(V6(7, 40'003), V6(1, 81), TcpRole::kClient, curl),
                         Outcome::kFailed, ECONNREFUSED, 85us));
  // No route: it was given no address, and no SYN was sent.
  fake->Push(MakeConnect(MakeConnection({}, V4(198, 51, 100, 1, 80), TcpRole::kClient, curl),
                         Outcome::kFailed, ENETUNREACH, std::nullopt));
  fake->Push(MakeConnect(MakeConnection(kAnyV6, V6(9, 80), TcpRole::kClient, curl),
                         Outcome::kFailed, 4000, std::nullopt));
  fake->Push(MakeConnect(
      MakeConnection(V4(10, 0, 0, 7, 40'004), V4(203, 0, 113, 9, 80), TcpRole::kClient, curl),
      Outcome::kAbandoned, 0, 2s));
  // On its way when the stream was opened.
  fake->Push(MakeConnect(PreExisting(MakeConnection(V4(10, 0, 0, 7, 40'005), V4(192, 0, 2, 1, 22),
                                                    TcpRole::kClient, curl)),
                         Outcome::kConnected, 0, std::nullopt));
  fake->Push(
      MakeConnected(MakeConnection(V4(10, 0, 0, 7, 40'006), V4(192, 0, 2, 1, 443), TcpRole::kClient,
                                   MakeProcess(1301, 1, "\r\x1b[2K\u202E\xFF -> "))));
}

void PushServer(FakeSource* fake) {
  const Process worker = MakeProcess(901, 900, "nginx");
  Connection listener =
      MakeConnection({.address = {.is_v6 = true}, .port = 8080}, kAnyV6, TcpRole::kServer, worker);
  fake->Push(MakeListen(listener, 511));
  listener = PreExisting(
      MakeConnection(V4(0, 0, 0, 0, 22), {}, TcpRole::kServer, MakeProcess(700, 1, "sshd")));
  fake->Push(MakeListen(listener, 128));

  const Connection in =
      MakeConnection(V4(10, 0, 0, 7, 8080), V4(10, 0, 0, 9, 51'000), TcpRole::kServer, worker);
  fake->Push(MakeAccept(in, 12us));
  fake->Push(MakeData(in, 1000, 70, 1000, 70));
  fake->Push(MakeData(in, 24, 7, 1024, 77));
  masflow::TcpClose close = MakeClose(in, masflow::CloseReason::kFin, 0, masflow::TcpEnd::kRemote);
  close.user = masflow::SocketUser{MakeProcess(902, 900, "").id, "php) by 1(x"};
  fake->Push(close);

  Connection inferred = MakeConnection(V6(7, 8080), V6(9, 51'001), TcpRole::kServer, worker);
  inferred.owner_inferred = true;
  fake->Push(MakeAccept(inferred, std::nullopt));

  // Nobody took it.
  close = MakeClose(MakeConnection(V6(7, 8080), V6(9, 51'002), TcpRole::kServer, std::nullopt),
                    masflow::CloseReason::kRemoteReset, ECONNRESET, masflow::TcpEnd::kRemote);
  close.accepted = false;
  close.tx_bytes = 0;
  close.smoothed_rtt.reset();
  close.min_rtt.reset();
  fake->Push(close);
}

void PushOpenAlready(FakeSource* fake) {
  const Process sshd = MakeProcess(700, 1, "sshd");
  Connection served = PreExisting(
      MakeConnection(V4(10, 0, 0, 7, 22), V4(10, 0, 0, 9, 52'000), TcpRole::kServer, sshd));
  served.role_inferred = true;
  fake->Push(MakeOpen(served));
  const Connection unknown = PreExisting(
      MakeConnection(V6(7, 40'007), V6(9, 9000), std::nullopt, MakeProcess(701, 1, "peer")));
  fake->Push(MakeOpen(unknown));
  fake->Push(MakeData(unknown, 5, 0, 5, 0));
  fake->Push(MakeClose(served, masflow::CloseReason::kFin, 0, masflow::TcpEnd::kLocal));
  fake->Push(MakeClose(unknown, masflow::CloseReason::kTimeout, ETIMEDOUT, std::nullopt));
}

void PushUncommonCloses(FakeSource* fake) {
  const Connection c = MakeConnection(V4(127, 0, 0, 1, 40'008), V4(127, 0, 0, 1, 80),
                                      TcpRole::kClient, MakeProcess(1302, 1200, "wget"));
  using masflow::CloseReason;
  using masflow::TcpEnd;
  fake->Push(MakeClose(c, CloseReason::kLocalReset, 0, TcpEnd::kLocal));
  fake->Push(MakeClose(c, CloseReason::kRemoteReset, ECONNRESET, TcpEnd::kLocal));
  masflow::TcpClose ended = MakeClose(c, CloseReason::kError, ECONNABORTED, std::nullopt);
  ended.retransmits = 3;
  fake->Push(ended);
}

void PushLosses(FakeSource* fake) {
  masflow::Loss loss;
  loss.stream = masflow::StreamKind::kTcp;
  loss.reason = masflow::LossReason::kTableFull;
  loss.count = 3;
  loss.until = NextTime();
  loss.since = loss.until - 1ms;
  fake->PushLoss(loss);
  // Shorter than any record.
  fake->PushRecord(masflow::StreamKind::kTcp, std::array<std::byte, 8>{});
}

}  // namespace

void PushTcp(FakeSource* fake) {
  PushOpenAlready(fake);
  PushConnects(fake);
  PushServer(fake);
  PushUncommonCloses(fake);
  PushLosses(fake);
}

void PushTcpCalls(FakeSource* fake) {
  const Connection c = MakeConnection(V4(127, 0, 0, 1, 40'010), V4(127, 0, 0, 1, 80),
                                      TcpRole::kClient, MakeProcess(1303, 1200, "nc"));
  fake->Push(MakeConnected(c));
  fake->Push(MakeCall(c, 1024, 0, 1303));
  fake->Push(MakeCall(c, 0, 12, 1309));  // a thread
  masflow::TcpData child = MakeCall(c, 1, 0, 1310);
  child.user = masflow::SocketUser{MakeProcess(1310, 1303, "").id, "my\nchild"};
  fake->Push(child);
  fake->Push(MakeClose(c, masflow::CloseReason::kFin, 0, masflow::TcpEnd::kLocal));
}

void PushTalk(FakeSource* fake) {
  const Process curl = MakeProcess(1300, 1200, "curl");
  const Process nginx = MakeProcess(901, 900, "nginx");
  const Endpoint client = V4(127, 0, 0, 1, 40'020);
  const Endpoint server = V4(127, 0, 0, 1, 8080);
  const Connection ssh = PreExisting(MakeConnection(V4(10, 0, 0, 7, 22), V4(10, 0, 0, 9, 52'000),
                                                    TcpRole::kServer, MakeProcess(700, 1, "sshd")));
  const Connection out = MakeConnection(client, server, TcpRole::kClient, curl);
  const Connection in = MakeConnection(server, client, TcpRole::kServer, nginx);
  const Connection ended = MakeConnection(V6(7, 40'021), V6(1, 443), TcpRole::kClient, curl);
  fake->Push(MakeOpen(ssh));
  fake->Push(MakeConnected(out));
  fake->Push(MakeAccept(in, 12us));
  fake->Push(MakeConnected(ended));
  fake->Push(MakeData(out, 100, 0, 100, 0));
  fake->Push(MakeData(in, 0, 100, 0, 100));
  fake->Push(MakeData(ssh, 48, 36, 48, 36));
  fake->Push(MakeClose(ended, masflow::CloseReason::kFin, 0, masflow::TcpEnd::kLocal));
  fake->Push(MakeData(in, 5000, 0, 5000, 100));
}

}  // namespace masflow_golden
