// SPDX-License-Identifier: Apache-2.0
//
// Filters of connections: by what their owner is, and by where they lead.
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "constraints.h"
#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using testing::IsEmpty;

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

class TcpFilterTest : public KernelTest {
 protected:
  void Open(TcpFilter filter) {
    live_ = TcpLive::Open({.filter = std::move(filter)});
    ASSERT_NE(live_, nullptr);
  }

  // For children: one connection, to the listener of the test.
  int ConnectOnce() const {
    const UniqueFd socket = Socket(kLocalhost);
    return Connect(socket.get(), kLocalhost, listener_.port) == 0 && WriteAll(socket.get(), 5) ? 0
                                                                                               : 1;
  }

  // A child that connects and ends; `prepare` is called in it. 0 if it fails.
  std::uint32_t Run(const std::function<bool()>& prepare = [] { return true; }) const {
    Child child = Fork([&] { return prepare() ? ConnectOnce() : 125; });
    return child.Wait() == 0 ? child.pid() : 0;
  }

  // A child that waits for its word to connect.
  Child Waiting() const {
    return Fork(
        [&] {
          char byte = 0;
          return read(STDIN_FILENO, &byte, 1) == 1 ? ConnectOnce() : 125;
        },
        {.to_stdin = true});
  }

  // `last` is the last one to pass: what does not pass had come before. But an earlier close can
  // be behind it, for an interrupt tells of it, on another CPU.
  void ExpectOwners(std::set<std::uint32_t> pids, std::uint32_t last) {
    pids.insert(last);
    for (const std::uint32_t pid : pids) {
      ASSERT_NE(live_->Await<TcpClose>({.owner = pid}), nullptr);
    }
    std::set<std::uint32_t> owners;
    for (const TcpEvent& event : live_->events()) {
      ASSERT_TRUE(ConnectionOf(event).owner);
      owners.insert(ConnectionOf(event).owner->id.pid);
    }
    EXPECT_EQ(owners, pids);
    for (const std::uint32_t pid : pids) {
      EXPECT_EQ(live_->All<TcpConnect>({.owner = pid}).size(), 1u);
      EXPECT_EQ(live_->All<TcpData>({.owner = pid}).size(), 1u);
      EXPECT_EQ(live_->All<TcpClose>({.owner = pid}).size(), 1u);
    }
    EXPECT_EQ(live_->stats().produced, live_->stats().delivered);
  }

  // The local ends of all connections that there was an event of.
  std::set<std::string> LocalEnds() const {
    std::set<std::string> ends;
    for (const TcpEvent& event : live_->events()) {
      ends.insert(EndsOf(ConnectionOf(event)).local);
    }
    return ends;
  }

  const Listener listener_ = Listen();
  std::unique_ptr<TcpLive> live_;
};

// ---- of the owner ----

TEST_F(TcpFilterTest, ByPid) {
  Child wanted = Waiting();
  Open({.process = {.pids = {wanted.pid()}}});
  Run();
  wanted.Send("\n");
  EXPECT_EQ(wanted.Wait(), 0);
  ExpectOwners({}, wanted.pid());
}

TEST_F(TcpFilterTest, ByTree) {
  Child root = Fork(
      [&] {
        char byte = 0;
        (void)!read(STDIN_FILENO, &byte, 1);
        const std::uint32_t child = Run();
        dprintf(STDOUT_FILENO, "%u\n%u\n", child, Run());
        return ConnectOnce();
      },
      {.to_stdin = true, .from_stdout = true});
  Open({.process = {.trees = {root.pid()}}});
  Run();
  root.Send("\n");
  const auto first = static_cast<std::uint32_t>(std::stoul(root.ReadLine()));
  const auto second = static_cast<std::uint32_t>(std::stoul(root.ReadLine()));
  EXPECT_EQ(root.Wait(), 0);
  ExpectOwners({first, second}, root.pid());
}

TEST_F(TcpFilterTest, ByUser) {
  Open({.process = {.trees = {Self()}, .uids = {kNobody}}});
  Run();
  ExpectOwners({}, Run([] { return setuid(kNobody) == 0; }));
}

TEST_F(TcpFilterTest, ByComm) {
  const std::string name = "mf-" + std::to_string(getpid());
  Open({.process = {.comms = {name}}});
  Run();
  ExpectOwners({}, Run([&] { return prctl(PR_SET_NAME, name.c_str()) == 0; }));
}

TEST_F(TcpFilterTest, ByCgroup) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  const std::string name = "/masflow_tcp_test_" + std::to_string(getpid());
  const std::string directory = session->support().cgroup_mount + name;
  ASSERT_EQ(mkdir(directory.c_str(), 0755), 0) << directory << ": " << std::strerror(errno);
  Open({.process = {.cgroups = {name}}});
  Run();
  ExpectOwners({}, Run([&] {
                 WriteFile(directory + "/cgroup.procs", "0");
                 return true;
               }));
  while (rmdir(directory.c_str()) != 0 && errno == EBUSY) {  // its last process is still going
  }
}

// The server's end belongs to who accepts it.
TEST_F(TcpFilterTest, OfWhoAccepts) {
  Child server = Fork([&] {
    ReadAll(Accept(listener_).get());
    return 0;
  });
  Open({.process = {.pids = {server.pid()}}});
  const std::uint32_t client = Run();
  EXPECT_EQ(server.Wait(), 0);
  ASSERT_NE(live_->Await<TcpClose>({.owner = server.pid()}), nullptr);
  EXPECT_EQ(live_->All<TcpAccept>({.owner = server.pid()}).size(), 1u);
  EXPECT_EQ(live_->Lives().size(), 1u);
  EXPECT_THAT(live_->All<TcpConnect>({.owner = client}), IsEmpty());
  // A handshake that is before the filter knows the process is not seen.
  EXPECT_FALSE(live_->All<TcpAccept>()[0]->queued);
}

TEST_F(TcpFilterTest, OfWhatWasOpenBefore) {
  const auto holding = [&] {
    return Fork(
        [&] {
          const UniqueFd socket = Socket(kLocalhost);
          char byte = 0;
          const int error = Connect(socket.get(), kLocalhost, listener_.port);
          dprintf(STDOUT_FILENO, "\n");
          (void)!read(STDIN_FILENO, &byte, 1);
          return error;
        },
        {.to_stdin = true, .from_stdout = true});
  };
  Child other = holding();
  Child wanted = holding();
  other.ReadLine();
  wanted.ReadLine();
  Open({.process = {.pids = {wanted.pid()}}});
  for (Child* child : {&other, &wanted}) {
    child->Send("\n");
    EXPECT_EQ(child->Wait(), 0);
  }
  ASSERT_NE(live_->Await<TcpClose>({.owner = wanted.pid()}), nullptr);
  EXPECT_EQ(live_->Lives().size(), 1u);
  EXPECT_EQ(live_->All<TcpOpen>().size(), 1u);
}

TEST_F(TcpFilterTest, OneThatMatchesNothingProducesNothing) {
  for (const TcpFilter& filter :
       {TcpFilter{.process = {.uids = {4'000'000'000}}}, TcpFilter{.remote_ports = {1}},
        TcpFilter{.addresses = {"203.0.113.0/24", "2001:db8:ffff::/48"}},
        TcpFilter{.process = {.pids = {Self()}}, .loopback = false}}) {
    Open(filter);
    for (int i = 0; i < 50; ++i) {
      const Pair pair = ConnectPair(listener_);
      ASSERT_TRUE(WriteAll(pair.client.get(), 5));
    }
    EXPECT_EQ(live_->stats().produced, 0u);
  }
}

// ---- of the connection ----

TEST_F(TcpFilterTest, ByPorts) {
  const Listener wanted = Listen();
  const Listener other = Listen();
  const std::string server = EndText(kLocalhost, wanted.port);
  struct Case {
    TcpFilter filter;
    bool client;
    bool server;
  };
  for (const Case& c : {Case{{.ports = {1, wanted.port}}, true, true},
                        Case{{.local_ports = {1, wanted.port}}, false, true},
                        Case{{.remote_ports = {1, wanted.port}}, true, false}}) {
    Open(c.filter);
    std::string client;
    for (const Listener* listener : {&other, &wanted}) {
      const Pair pair = ConnectPair(*listener);
      ASSERT_TRUE(WriteAll(pair.client.get(), 5));
      ASSERT_EQ(ReadAll(pair.server.get(), 5), 5u);
      client = EndsOf(pair.client.get()).local;
    }
    std::set<std::string> expected;
    if (c.client) {
      expected.insert(client);
      ASSERT_NE(live_->Await<TcpClose>({.owner = {}, .local = {}, .remote = wanted.port}), nullptr);
    }
    if (c.server) {
      expected.insert(server);
      ASSERT_NE(live_->Await<TcpClose>({.owner = {}, .local = wanted.port}), nullptr);
    }
    EXPECT_EQ(LocalEnds(), expected);
  }
}

// The local port is known only once connect() has chosen it, or has failed.
TEST_F(TcpFilterTest, ByLocalPortOfAClient) {
  const Listener closed = ClosedPort();
  Listener silent = Listen();
  DropPackets(silent.fd.get());
  UniqueFd wanted = Socket(kLocalhost);
  ASSERT_EQ(Bind(wanted.get(), kLocalhost), 0);
  const std::uint16_t port = LocalPort(wanted.get());
  Open({.local_ports = {port}});
  Connect(Socket(kLocalhost, SOCK_NONBLOCK).get(), kLocalhost, silent.port);  // given up
  Connect(Socket(kLocalhost).get(), kLocalhost, closed.port);
  ConnectPair(listener_);
  ASSERT_EQ(Connect(wanted.get(), kLocalhost, listener_.port), 0);
  wanted.Reset();
  ASSERT_NE(live_->Await<TcpClose>({.owner = Self(), .local = port}), nullptr);
  EXPECT_EQ(LocalEnds(), std::set<std::string>{EndText(kLocalhost, port)});
}

TEST_F(TcpFilterTest, ByAddress) {
  const Listener v4 = Listen("0.0.0.0");
  const Listener v6 = Listen("::1");
  const auto connect_all = [&] {
    std::vector<Pair> pairs;
    for (const char* const to :
         {"127.0.0.1", "127.1.2.3", "127.1.255.255", "127.2.0.0", "::ffff:127.1.9.9"}) {
      pairs.push_back(ConnectPair(v4, to));
    }
    pairs.push_back(ConnectPair(v6, "::1"));
    std::set<std::string> servers;
    for (const Pair& pair : pairs) {
      servers.insert(EndsOf(pair.client.get()).remote);
    }
    return servers;
  };
  struct Case {
    std::vector<std::string> addresses;
    std::vector<std::string> passing;
    std::uint16_t last_port;  // of the last one that passes
  };
  for (const Case& c : {
           Case{{"127.1.0.0/16"}, {"127.1.2.3", "127.1.255.255", "127.1.9.9"}, v4.port},
           Case{{"127.1.2.3"}, {"127.1.2.3"}, v4.port},
           Case{{"127.2.0.0/32", "::1"}, {"127.2.0.0", "::1"}, v6.port},
           Case{{"::/8"}, {"::1"}, v6.port},
       }) {
    SCOPED_TRACE(c.addresses[0]);
    Open({.process = {.pids = {Self()}}, .addresses = c.addresses});
    connect_all();
    ASSERT_NE(live_->Await<TcpClose>({.owner = Self(), .local = c.last_port},
                                     c.last_port == v6.port ? 1 : c.passing.size()),
              nullptr);
    std::set<std::string> expected;
    for (const std::string& address : c.passing) {
      expected.insert(EndText(address, address == "::1" ? v6.port : v4.port));
    }
    std::set<std::string> servers;
    for (const TcpEvent& event : live_->events()) {
      servers.insert(ToString(ConnectionOf(event).destination()));
    }
    EXPECT_EQ(servers, expected);
    EXPECT_EQ(live_->Lives().size(), 2 * expected.size());
  }
}

TEST_F(TcpFilterTest, WithoutLoopback) {
  Child child = Fork(
      [] {
        char byte = 0;
        if (!OwnNetwork() || std::system("ip address add 192.0.2.2/32 dev lo") != 0 ||
            std::system("ip address add 2001:db8::2/128 dev lo nodad") != 0) {
          return 1;
        }
        const Listener v4 = Listen("0.0.0.0");
        const Listener v6 = Listen("::");
        dprintf(STDOUT_FILENO, "\n");
        (void)!read(STDIN_FILENO, &byte, 1);
        ConnectPair(v4, "127.0.0.1");
        ConnectPair(v6, "::1");
        ConnectPair(v4, "::ffff:127.0.0.1");
        ConnectPair(v4, "192.0.2.2");
        ConnectPair(v6, "2001:db8::2");
        return 0;
      },
      {.to_stdin = true, .from_stdout = true});
  child.ReadLine();
  Open({.process = {.pids = {child.pid()}}, .loopback = false});
  child.Send("\n");
  EXPECT_EQ(child.Wait(), 0);
  ASSERT_NE(live_->Await<TcpClose>({.owner = child.pid()}, 4), nullptr);
  EXPECT_EQ(live_->Lives().size(), 4u);
  for (const TcpEvent& event : live_->events()) {
    EXPECT_FALSE(ConnectionOf(event).local.address.is_loopback());
    EXPECT_FALSE(ConnectionOf(event).remote.address.is_loopback());
  }
}

TEST_F(TcpFilterTest, KindsAreJoinedByAnd) {
  const Listener anywhere = Listen("0.0.0.0");
  const Listener other = Listen("0.0.0.0");
  Child child = Fork(
      [&] {
        char byte = 0;
        (void)!read(STDIN_FILENO, &byte, 1);
        ConnectPair(other, "127.5.0.1");
        ConnectPair(anywhere, "127.6.0.1");
        ConnectPair(anywhere, "127.5.0.1");
        return 0;
      },
      {.to_stdin = true});
  Open({.process = {.pids = {child.pid()}},
        .remote_ports = {anywhere.port},
        .addresses = {"127.5.0.0/24"}});
  ConnectPair(anywhere, "127.5.0.1");
  child.Send("\n");
  EXPECT_EQ(child.Wait(), 0);
  ASSERT_NE(live_->Await<TcpClose>({.owner = child.pid()}), nullptr);
  EXPECT_EQ(live_->Lives().size(), 1u);
  EXPECT_EQ(ToString(ConnectionOf(live_->events()[0]).remote), EndText("127.5.0.1", anywhere.port));
}

TEST_F(TcpFilterTest, Listeners) {
  const Listener before = Listen();
  live_ = TcpLive::Open({.filter = {.local_ports = {before.port}}, .listeners = true});
  ASSERT_NE(live_, nullptr);
  const Listener after = Listen();
  ConnectPair(before);
  ASSERT_NE(live_->Await<TcpClose>({.owner = Self(), .local = before.port}), nullptr);
  EXPECT_EQ(live_->All<TcpListen>().size(), 1u);
  EXPECT_EQ(live_->All<TcpListen>({.owner = Self(), .local = before.port}).size(), 1u);
}

}  // namespace
}  // namespace masflow::kernel_test
