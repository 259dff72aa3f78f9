// SPDX-License-Identifier: Apache-2.0
//
// curl, the program that everybody has, with each end that its connect() can have.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

// curl(1), "EXIT CODES".
constexpr int kFailedToConnect = 7;
constexpr int kTimedOut = 28;

constexpr char kAnswer[] = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";

std::vector<std::string> Curl(const std::string& host, std::uint16_t port,
                              std::vector<std::string> more = {}) {
  std::vector<std::string> argv{"/usr/bin/curl", "-s", "-g", "--noproxy", "*"};
  argv.insert(argv.end(), more.begin(), more.end());
  argv.push_back("http://" + host + ":" + std::to_string(port) + "/");
  return argv;
}

int CodeOf(Child& child) {
  const int status = child.Wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class CurlTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = TcpLive::Open();
    ASSERT_NE(live_, nullptr);
  }

  // The only connect of this process, and all that there is of it if it failed.
  void ExpectOnly(const Child& curl, const std::string& to, ConnectOutcome outcome, int error) {
    const TcpConnect* const connect = live_->Await<TcpConnect>({.owner = curl.pid()});
    ASSERT_NE(connect, nullptr);
    live_->CatchUp();
    EXPECT_EQ(live_->All<TcpConnect>({.owner = curl.pid()}).size(), 1u);
    EXPECT_EQ(connect->outcome, outcome);
    EXPECT_EQ(connect->error, error);
    EXPECT_EQ(connect->connection.owner->comm, "curl");
    EXPECT_EQ(connect->connection.owner->id.pid, curl.pid());
    EXPECT_EQ(ToString(connect->connection.remote), to);
    EXPECT_EQ(live_->All<TcpClose>({.owner = curl.pid()}).size(),
              outcome == ConnectOutcome::kConnected ? 1u : 0u);
  }

  std::unique_ptr<TcpLive> live_;
};

TEST_F(CurlTest, ToAServer) {
  struct Case {
    std::string listen;
    std::string host;
  };
  for (const Case& c : {Case{"127.0.0.1", "127.0.0.1"}, Case{"::1", "[::1]"},
                        Case{"127.0.0.1", "[::ffff:127.0.0.1]"}}) {
    SCOPED_TRACE(c.host);
    const Listener listener = Listen(c.listen);
    Child curl = Spawn(Curl(c.host, listener.port), {.from_stdout = true});
    UniqueFd server = Accept(listener);
    AwaitReadable(server.get(), 1);
    ASSERT_EQ(write(server.get(), kAnswer, sizeof(kAnswer) - 1), ssize_t{sizeof(kAnswer) - 1});
    const Ends ends = Reversed(EndsOf(server.get()));
    EXPECT_EQ(curl.ReadAll(), "hello");
    EXPECT_EQ(CodeOf(curl), 0);
    const TcpClose* const close = live_->Await<TcpClose>({.owner = curl.pid()});
    ASSERT_NE(close, nullptr);
    EXPECT_EQ(EndsOf(close->connection), ends);
    EXPECT_EQ(close->rx_bytes, sizeof(kAnswer) - 1);
    EXPECT_EQ(close->tx_bytes, ReadAll(server.get()));
    EXPECT_EQ(close->closed_first, TcpEnd::kLocal);
    server.Reset();
    ExpectOnly(curl, ends.remote, ConnectOutcome::kConnected, 0);
  }
}

TEST_F(CurlTest, ToAClosedPort) {
  const Listener closed = ClosedPort();
  Child curl = Spawn(Curl(kLocalhost, closed.port));
  EXPECT_EQ(CodeOf(curl), kFailedToConnect);
  ExpectOnly(curl, EndText(kLocalhost, closed.port), ConnectOutcome::kFailed, ECONNREFUSED);
}

TEST_F(CurlTest, ToAnUnreachableNetwork) {
  const std::vector<std::string> argv = Curl("192.0.2.1", 80);
  Child curl = Fork([&] { return OwnNetwork(false) ? Exec(argv[0], argv) : 125; });
  EXPECT_EQ(CodeOf(curl), kFailedToConnect);
  ExpectOnly(curl, "192.0.2.1:80", ConnectOutcome::kFailed, ENETUNREACH);
}

TEST_F(CurlTest, ToABlackHoleAndGivesUp) {
  const Listener silent = Listen();
  DropPackets(silent.fd.get());
  Child curl = Spawn(Curl(kLocalhost, silent.port, {"--connect-timeout", "0.3"}));
  EXPECT_EQ(CodeOf(curl), kTimedOut);
  ExpectOnly(curl, EndText(kLocalhost, silent.port), ConnectOutcome::kAbandoned, 0);
}

TEST_F(CurlTest, ToABlackHoleAndTimesOut) {
  constexpr std::uint16_t kPort = 8080;
  const std::vector<std::string> argv = Curl(kLocalhost, kPort);
  Child curl = Fork([&] {
    if (!OwnNetwork()) {
      return 125;
    }
    WriteFile("/proc/sys/net/ipv4/tcp_syn_retries", "1");
    const UniqueFd silent = Socket(kLocalhost);
    Bind(silent.get(), kLocalhost, kPort);
    listen(silent.get(), 8);
    DropPackets(silent.get());
    fcntl(silent.get(), F_SETFD, 0);  // curl has it from us
    return Exec(argv[0], argv);
  });
  ASSERT_NE(live_->Await<TcpConnect>({.owner = curl.pid()}), nullptr);
  EXPECT_EQ(CodeOf(curl), kTimedOut);
  ExpectOnly(curl, EndText(kLocalhost, kPort), ConnectOutcome::kFailed, ETIMEDOUT);
}

// Both streams in one session: what curl is, then what it does, then how it ends.
TEST_F(CurlTest, BetweenItsExecAndItsExit) {
  absl::StatusOr<ProcessStream> processes = ProcessStream::Open(live_->session());
  ASSERT_TRUE(processes.ok()) << processes.status();
  std::vector<ProcessExec> execs;
  std::vector<ProcessExit> exits;
  processes->OnExec([&](const ProcessExecView& exec) { execs.push_back(Own(exec)); });
  processes->OnExit([&](const ProcessExitView& exit) { exits.push_back(Own(exit)); });
  const Listener closed = ClosedPort();
  Child curl = Spawn(Curl(kLocalhost, closed.port));
  EXPECT_EQ(CodeOf(curl), kFailedToConnect);
  const TcpConnect* const connect = live_->Await<TcpConnect>({.owner = curl.pid()});
  ASSERT_NE(connect, nullptr);
  const auto of_curl = [&](const auto& event) {
    return event.process.id == connect->connection.owner->id;
  };
  EXPECT_TRUE(
      live_->Until([&] { return std::count_if(exits.begin(), exits.end(), of_curl) == 1; }));
  const auto exec = std::find_if(execs.begin(), execs.end(), of_curl);
  const auto exit = std::find_if(exits.begin(), exits.end(), of_curl);
  ASSERT_NE(exec, execs.end());
  ASSERT_NE(exit, exits.end());
  EXPECT_LT(exec->time, connect->time);
  EXPECT_LT(connect->time, exit->time);
  EXPECT_EQ(exec->process, *connect->connection.owner);
}

}  // namespace
}  // namespace masflow::kernel_test
