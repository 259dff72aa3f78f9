// SPDX-License-Identifier: Apache-2.0
//
// connect(), however it ends: told exactly once, with the process and thread that called it.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_connects.h"
#include "tcp_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

class TcpConnectToTest : public TcpConnectTest, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(
    Each, TcpConnectToTest, testing::Values("127.0.0.1", "::1", "::ffff:127.0.0.1"),
    [](const auto& test) {
      return std::string(test.index == 0 ? "IPv4" : test.index == 1 ? "IPv6" : "Mapped");
    });

TEST_P(TcpConnectToTest, AServer) {
  const Listener listener = Listen(GetParam());
  Child child = Trying(GetParam(), listener.port);
  const Told told = Hear(child);
  ASSERT_EQ(told.error, 0);
  const UniqueFd server = Accept(listener);
  ASSERT_TRUE(WriteAll(server.get(), 7));
  const TcpConnect* const connect = ExpectConnect(child, told, ConnectOutcome::kConnected, 0);
  ASSERT_NE(connect, nullptr);
  EXPECT_EQ(told.netns, Netns(child.pid()));
  ASSERT_TRUE(connect->handshake);
  EXPECT_GT(connect->handshake->count(), 0);
  EXPECT_LT(*connect->handshake, kDeadline);
  const TcpData* const data = live_->Await<TcpData>({.owner = child.pid()});
  End(child);
  const TcpClose* const close = live_->Await<TcpClose>({.owner = child.pid()});
  ASSERT_NE(data, nullptr);
  ASSERT_NE(close, nullptr);
  EXPECT_EQ(data->connection, connect->connection);
  EXPECT_EQ(close->connection, connect->connection);
  ExpectNoOther(child);

  const auto accepts = live_->All<TcpAccept>({.owner = Self(), .local = listener.port});
  ASSERT_EQ(accepts.size(), 1u);
  EXPECT_EQ(EndsOf(accepts[0]->connection), Reversed(told.ends));
  EXPECT_NE(accepts[0]->connection.id, connect->connection.id);
}

TEST_P(TcpConnectToTest, AClosedPort) {
  const Listener closed = ClosedPort(GetParam());
  Child child = Trying(GetParam(), closed.port);
  const Told told = Hear(child);
  EXPECT_EQ(told.error, ECONNREFUSED);
  const TcpConnect* const connect =
      ExpectConnect(child, told, ConnectOutcome::kFailed, ECONNREFUSED);
  ASSERT_NE(connect, nullptr);
  EXPECT_TRUE(connect->handshake);
  End(child);
  ExpectNoOther(child);
  EXPECT_TRUE(live_->All<TcpClose>({.owner = child.pid()}).empty());
}

// No second event for the calls that collect the outcome of the first one.
TEST_P(TcpConnectToTest, WithoutBlocking) {
  for (const int expected : {0, ECONNREFUSED}) {
    const Listener server = expected == 0 ? Listen(GetParam()) : ClosedPort(GetParam());
    Child child = Fork(
        [&] {
          NameMyself();
          const UniqueFd socket = Socket(GetParam(), SOCK_NONBLOCK);
          Bind(socket.get(), GetParam());
          const Ends ends{EndsOf(socket.get()).local, EndText(GetParam(), server.port)};
          bool right = Connect(socket.get(), GetParam(), server.port) == EINPROGRESS;
          pollfd waited{.fd = socket.get(), .events = POLLOUT, .revents = 0};
          right &= poll(&waited, 1, -1) == 1;
          const int error = Connect(socket.get(), GetParam(), server.port);
          right &= expected != 0 || Connect(socket.get(), GetParam(), server.port) == EISCONN;
          Tell(ends, error);
          return right ? 0 : 1;
        },
        kBoth);
    const Told told = Hear(child);
    EXPECT_EQ(told.error, expected);
    EXPECT_EQ(child.Wait(), 0);
    const auto outcome = expected == 0 ? ConnectOutcome::kConnected : ConnectOutcome::kFailed;
    ASSERT_NE(ExpectConnect(child, told, outcome, expected), nullptr);
    ExpectNoOther(child);
  }
}

// A black hole, and an application that does not wait.
TEST_P(TcpConnectToTest, GivenUp) {
  const Listener listener = Listen(GetParam());
  DropPackets(listener.fd.get());
  Child child = Trying(GetParam(), listener.port, SOCK_NONBLOCK);
  const Told told = Hear(child);
  EXPECT_EQ(told.error, EINPROGRESS);
  End(child);
  const TcpConnect* const connect = ExpectConnect(child, told, ConnectOutcome::kAbandoned, 0);
  ASSERT_NE(connect, nullptr);
  EXPECT_TRUE(connect->handshake);
  ExpectNoOther(child);
}

TEST_F(TcpConnectTest, TimedOut) {
  std::vector<Child> children;
  std::vector<Listener> listeners;
  for (const std::string address : {"127.0.0.1", "::1", "::ffff:127.0.0.1"}) {
    listeners.push_back(Listen(address));
    DropPackets(listeners.back().fd.get());
    children.push_back(Fork(
        [&, port = listeners.back().port] {
          NameMyself();
          const UniqueFd socket = Socket(address);
          const int once = 1;
          setsockopt(socket.get(), IPPROTO_TCP, TCP_SYNCNT, &once, sizeof(once));
          Bind(socket.get(), address);
          const Ends ends{EndsOf(socket.get()).local, EndText(address, port)};
          Tell(ends, Connect(socket.get(), address, port));
          return 0;
        },
        kBoth));
  }
  for (Child& child : children) {
    const TcpConnect* const connect = live_->Await<TcpConnect>({.owner = child.pid()});
    const Told told = Hear(child);
    EXPECT_EQ(told.error, ETIMEDOUT);
    ASSERT_NE(connect, nullptr);
    ExpectConnect(child, told, ConnectOutcome::kFailed, ETIMEDOUT);
    EXPECT_GT(connect->handshake.value(), std::chrono::seconds(1));
    EXPECT_EQ(child.Wait(), 0);
    ExpectNoOther(child);
  }
}

void OnAlarm(int) {}

// connect() returns without an outcome; it is told once, when it is known.
TEST_F(TcpConnectTest, Interrupted) {
  const Listener listener = Listen();
  DropPackets(listener.fd.get());
  for (const bool by_signal : {true, false}) {
    Child child = Fork(
        [&] {
          NameMyself();
          const UniqueFd socket = Socket(kLocalhost);
          Bind(socket.get(), kLocalhost);
          const timeval soon{.tv_sec = 0, .tv_usec = 50'000};
          if (by_signal) {
            struct sigaction action {};
            action.sa_handler = OnAlarm;
            sigaction(SIGALRM, &action, nullptr);
            const itimerval again{.it_interval = soon, .it_value = soon};
            setitimer(ITIMER_REAL, &again, nullptr);
          } else {
            setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
          }
          const Ends ends{EndsOf(socket.get()).local, EndText(kLocalhost, listener.port)};
          Tell(ends, Connect(socket.get(), kLocalhost, listener.port));
          return 0;
        },
        kBoth);
    const Told told = Hear(child);
    EXPECT_EQ(told.error, by_signal ? EINTR : EINPROGRESS);
    EXPECT_EQ(child.Wait(), 0);
    ASSERT_NE(ExpectConnect(child, told, ConnectOutcome::kAbandoned, 0), nullptr);
    ExpectNoOther(child);
  }
}

// Another thread shuts it down, or a signal ends the process: both amid connect().
class TcpConnectGivenUpTest : public TcpConnectTest, public testing::WithParamInterface<bool> {};

TEST_P(TcpConnectGivenUpTest, Meanwhile) {
  const bool by_signal = GetParam();
  const Listener listener = Listen();
  DropPackets(listener.fd.get());
  Child child = Fork(
      [&] {
        NameMyself();
        const UniqueFd socket = Socket(kLocalhost);
        Bind(socket.get(), kLocalhost);
        Tell({EndsOf(socket.get()).local, EndText(kLocalhost, listener.port)}, 0);
        std::thread([&] {
          AwaitWord();
          shutdown(socket.get(), SHUT_RDWR);
        }).detach();
        return Connect(socket.get(), kLocalhost, listener.port) == 0 ? 1 : 0;
      },
      kBoth);
  const Told told = Hear(child);
  const std::string in_connect = std::to_string(SYS_connect) + " ";
  while (ReadFile(ProcFile(child.pid(), "syscall")).rfind(in_connect, 0) != 0) {
  }
  if (by_signal) {
    child.Signal(SIGKILL);
  } else {
    child.Send("\n");
  }
  EXPECT_EQ(child.Wait(), by_signal ? SIGKILL : 0);
  ASSERT_NE(ExpectConnect(child, told, ConnectOutcome::kAbandoned, 0), nullptr);
  ExpectNoOther(child);
}

INSTANTIATE_TEST_SUITE_P(By, TcpConnectGivenUpTest, testing::Values(true, false),
                         [](const auto& test) { return test.param ? "Signal" : "Shutdown"; });

// The error of the first attempt was collected by other means than a second connect().
TEST_F(TcpConnectTest, TriedAgainAfterItsError) {
  Child child = Fork([] {
    if (!OwnNetwork()) {
      return 1;
    }
    const Listener closed = ClosedPort();
    const UniqueFd socket = Socket(kLocalhost, SOCK_NONBLOCK);
    bool right = Connect(socket.get(), kLocalhost, closed.port) == EINPROGRESS;
    pollfd waited{.fd = socket.get(), .events = POLLOUT, .revents = 0};
    right &= poll(&waited, 1, -1) == 1;
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    right &= error == ECONNREFUSED && Connect(socket.get(), "192.0.2.1", 80) == ECONNABORTED &&
             Connect(socket.get(), "192.0.2.1", 80) == ENETUNREACH;
    return right ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
  ExpectNoOther(child, 2);
  const auto connects = live_->All<TcpConnect>({.owner = child.pid()});
  EXPECT_EQ(connects[0]->error, ECONNREFUSED);
  EXPECT_EQ(connects[1]->error, ENETUNREACH);
  EXPECT_EQ(ToString(connects[1]->connection.remote), "192.0.2.1:80");
}

// The outcome comes when the thread that called is long gone.
TEST_F(TcpConnectTest, FromAThreadThatEnds) {
  const Listener listener = Listen();
  DropPackets(listener.fd.get());
  Child child = Fork(
      [&] {
        NameMyself();
        const UniqueFd socket = Socket(kLocalhost, SOCK_NONBLOCK);
        pid_t tid = 0;
        int error = 0;
        std::thread([&] {
          prctl(PR_SET_NAME, "another-name");
          tid = gettid();
          error = Connect(socket.get(), kLocalhost, listener.port);
        }).join();
        const Ends ends{EndsOf(socket.get()).local, EndText(kLocalhost, listener.port)};
        Tell(ends, error, tid);
        AwaitEndOfStdin();
        return 0;
      },
      kBoth);
  const Told told = Hear(child);
  EXPECT_EQ(told.error, EINPROGRESS);
  EXPECT_NE(told.tid, child.pid());
  PassPackets(listener.fd.get());  // the SYN is sent again
  const TcpConnect* const connect = ExpectConnect(child, told, ConnectOutcome::kConnected, 0);
  ASSERT_NE(connect, nullptr);
  EXPECT_GT(connect->handshake.value(), std::chrono::milliseconds(500));
  End(child);
  ExpectNoOther(child);
}

// One socket, one after the other: each attempt is a connection of its own.
TEST_F(TcpConnectTest, OneSocketManyTimes) {
  const Listener listener = Listen();
  const Listener closed = ClosedPort();
  const Listener silent = Listen();
  DropPackets(silent.fd.get());
  Child child = Fork([&] {
    const UniqueFd socket = Socket(kLocalhost);
    const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
    bool right = Connect(socket.get(), kLocalhost, closed.port) == ECONNREFUSED;
    right &= Connect(socket.get(), kLocalhost, closed.port) == ECONNREFUSED;
    fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    right &= Connect(socket.get(), kLocalhost, silent.port) == EINPROGRESS;
    right &= connect(socket.get(), &nobody, sizeof(nobody)) == 0;  // gives it up
    fcntl(socket.get(), F_SETFL, 0);
    right &= Connect(socket.get(), kLocalhost, listener.port) == 0;
    right &= connect(socket.get(), &nobody, sizeof(nobody)) == 0;
    right &= Connect(socket.get(), kLocalhost, listener.port) == 0;
    return right ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
  ASSERT_NE(live_->Await<TcpClose>({.owner = child.pid()}, 2), nullptr);
  ExpectNoOther(child, 5);
  using Outcome = std::tuple<std::uint16_t, ConnectOutcome, int>;
  std::vector<Outcome> outcomes;
  for (const TcpConnect* connect : live_->All<TcpConnect>({.owner = child.pid()})) {
    outcomes.emplace_back(connect->connection.remote.port, connect->outcome, connect->error);
  }
  EXPECT_EQ(outcomes, (std::vector<Outcome>{{closed.port, ConnectOutcome::kFailed, ECONNREFUSED},
                                            {closed.port, ConnectOutcome::kFailed, ECONNREFUSED},
                                            {silent.port, ConnectOutcome::kAbandoned, 0},
                                            {listener.port, ConnectOutcome::kConnected, 0},
                                            {listener.port, ConnectOutcome::kConnected, 0}}));
}

TEST_F(TcpConnectTest, InAnotherNetwork) {
  Child child = Fork(
      [] {
        NameMyself();
        if (!OwnNetwork()) {
          return 1;
        }
        const Listener listener = Listen();
        const Pair pair = ConnectPair(listener);
        Tell(EndsOf(pair.client.get()), 0);
        AwaitWord();
        return 0;
      },
      kBoth);
  const Told told = Hear(child);
  EXPECT_NE(told.netns, Netns(Self()));
  ASSERT_NE(ExpectConnect(child, told, ConnectOutcome::kConnected, 0), nullptr);
  const TcpAccept* const accept = live_->Await<TcpAccept>({.owner = child.pid()});
  ASSERT_NE(accept, nullptr);
  EXPECT_EQ(accept->connection.netns, told.netns);
  EXPECT_EQ(EndsOf(accept->connection), Reversed(told.ends));
  End(child);
  for (const TcpClose* close : {live_->Await<TcpClose>({.owner = child.pid()}, 1),
                                live_->Await<TcpClose>({.owner = child.pid()}, 2)}) {
    ASSERT_NE(close, nullptr);
    EXPECT_EQ(close->connection.netns, told.netns);
  }
  ExpectNoOther(child);
}

}  // namespace
}  // namespace masflow::kernel_test
