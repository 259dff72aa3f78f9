// SPDX-License-Identifier: Apache-2.0
//
// A fixed script of processes and traffic, and the sequences of events that it has to give, up to
// times and ids: the same on every kernel and by every mechanism, since this text is the same.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>

#include "http_live.h"
#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

ProcessFilter OwnTree() {
  return {.trees = {static_cast<std::uint32_t>(getpid())}};
}

std::string Line(const ProcessExec& e) {
  std::string args = e.args.value_or("?");
  std::replace(args.begin(), args.end(), '\0', ' ');
  return "exec " + e.filename + ": " + args;
}

std::string Line(const ProcessExit& e) {
  return "exit " + std::to_string(e.exit_code.value_or(-1));
}

std::string Line(const ProcessFork& e) {
  return "fork by " + e.process.comm;
}

std::string Line(const ProcessExecFailure& e) {
  return "no exec " + e.filename.value_or("?") + ": " + std::to_string(e.error);
}

std::string Line(const TcpEvent& event) {
  return std::visit(
      [](const auto& e) -> std::string {
        using Event = std::decay_t<decltype(e)>;
        if constexpr (std::is_same_v<Event, TcpConnect>) {
          return "connect " + std::to_string(e.error);
        } else if constexpr (std::is_same_v<Event, TcpAccept>) {
          return e.connection.owner_inferred ? "accept, inferred" : "accept";
        } else if constexpr (std::is_same_v<Event, TcpData>) {
          return "data " + std::to_string(e.tx_bytes) + "/" + std::to_string(e.rx_bytes);
        } else if constexpr (std::is_same_v<Event, TcpClose>) {
          return std::string(Name(e.reason)) + " " + std::to_string(e.tx_bytes) + "/" +
                 std::to_string(e.rx_bytes);
        } else {
          return "another";
        }
      },
      event);
}

class ScriptTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    processes_ =
        Live::Open({.process = {.filter = OwnTree(), .forks = true, .failed_execs = true}});
    tcp_ = TcpLive::Open({.filter = {.process = OwnTree()}, .data = TcpDataMode::kCall});
    http_ = HttpLive::Open({.filter = {.process = OwnTree()}});
    ASSERT_TRUE(processes_ != nullptr && tcp_ != nullptr && http_ != nullptr);
  }

  // In the order in which they came.
  Lines ProcessLines() const {
    Lines lines;
    for (const ProcessEvent& event : processes_->events()) {
      lines.push_back(std::visit([](const auto& e) { return Line(e); }, event));
    }
    return lines;
  }
  // Of one end: between the two of a connection there is no order to rely on.
  Lines TcpLines(const Wanted& end) const {
    Lines lines;
    for (const TcpEvent& event : tcp_->events()) {
      const Connection& connection = ConnectionOf(event);
      if ((!end.local || connection.local.port == *end.local) &&
          (!end.remote || connection.remote.port == *end.remote)) {
        lines.push_back(Line(event));
      }
    }
    return lines;
  }

  std::unique_ptr<Live> processes_;
  std::unique_ptr<TcpLive> tcp_;
  std::unique_ptr<HttpLive> http_;
};

TEST_F(ScriptTest, Processes) {
  Child first = Spawn({"/bin/sh", "-c", "exit 3"});
  first.Wait();
  Child second = Fork([] { return Exec("/nowhere/to/be/found", {"found"}); });
  second.Wait();
  Child third = Fork([] { return Exec("/bin/true", {"another", "name"}); });
  third.Wait();
  ASSERT_NE(processes_->Await<ProcessExit>(third.pid()), nullptr);
  EXPECT_EQ(ProcessLines(),
            (Lines{"fork by masflow_kernel_", "exec /bin/sh: /bin/sh -c exit 3 ", "exit 3",
                   "fork by masflow_kernel_", "no exec /nowhere/to/be/found: 2", "exit 126",
                   "fork by masflow_kernel_", "exec /bin/true: another name ", "exit 0"}));
}

TEST_F(ScriptTest, Traffic) {
  const Listener closed = ClosedPort();
  EXPECT_EQ(Connect(Socket(kLocalhost).get(), kLocalhost, closed.port), ECONNREFUSED);
  const Listener listener = Listen();
  {
    Pair pair = ConnectEager(listener);
    ASSERT_TRUE(Ask(pair, Get("/first"), Ok("hello")));
    ASSERT_TRUE(Ask(pair, Post("/second", "body"), Ok("")));
    pair.client = UniqueFd();
    char end = 0;
    EXPECT_EQ(read(pair.server.get(), &end, 1), 0);
  }
  {
    Pair reset = ConnectEager(listener);
    ASSERT_TRUE(Say(reset.client.get(), "abc"));
    ASSERT_EQ(Hear(reset.server.get(), 3), "abc");
    ResetOnClose(reset.client.get());
    reset.client = UniqueFd();  // first: a server that closes before may have its FIN acknowledged
  }
  const Wanted server{.owner = {}, .local = listener.port, .remote = {}};
  const Wanted client{.owner = {}, .local = {}, .remote = listener.port};
  ASSERT_NE(tcp_->Await<TcpClose>(server, 2), nullptr);
  ASSERT_NE(tcp_->Await<TcpClose>(client, 2), nullptr);
  const std::string get = std::to_string(Get("/first").size());
  const std::string post = std::to_string(Post("/second", "body").size());
  const std::string hello = std::to_string(Ok("hello").size());
  const std::string empty = std::to_string(Ok("").size());
  const std::string asked = std::to_string(Get("/first").size() + Post("/second", "body").size());
  const std::string told = std::to_string(Ok("hello").size() + Ok("").size());
  EXPECT_EQ(TcpLines({.owner = {}, .local = {}, .remote = closed.port}),
            (Lines{"connect " + std::to_string(ECONNREFUSED)}));
  EXPECT_EQ(TcpLines(client),
            (Lines{"connect 0", "data " + get + "/0", "data 0/" + hello, "data " + post + "/0",
                   "data 0/" + empty, "fin " + asked + "/" + told, "connect 0", "data 3/0",
                   "local reset 3/0"}));
  EXPECT_EQ(TcpLines(server),
            (Lines{"accept", "data 0/" + get, "data " + hello + "/0", "data 0/" + post,
                   "data " + empty + "/0", "fin " + told + "/" + asked, "accept", "data 0/3",
                   "remote reset 0/3"}));
  const Lines exchanges{"GET /first 200 0+5 complete", "POST /second 200 4+0 complete"};
  http_->ExpectBoth(listener.port, exchanges);
}

}  // namespace
}  // namespace masflow::kernel_test
