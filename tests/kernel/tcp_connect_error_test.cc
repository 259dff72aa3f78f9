// SPDX-License-Identifier: Apache-2.0
//
// connect() that fails before a packet is sent, or for want of a neighbour.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

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

class TcpConnectErrorTest : public TcpConnectTest {
 protected:
  // The one event of a connect() in a network of the child's own, made by `prepare`.
  void ExpectSyncError(const std::string& address, int error,
                       const std::function<bool()>& prepare) {
    SCOPED_TRACE(address + ": " + std::strerror(error));
    Child child = Fork(
        [&] {
          NameMyself();
          if (!prepare()) {
            return 1;
          }
          const UniqueFd socket = Socket(address);
          const bool v6 = EndText(address, 0).front() == '[';
          const Ends ends{EndText(v6 ? "::" : "0.0.0.0", 0), EndText(address, 4321)};
          Tell(ends, Connect(socket.get(), address, 4321));
          AwaitEndOfStdin();
          return 0;
        },
        kBoth);
    const Told told = Hear(child);
    ASSERT_EQ(told.error, error);
    EXPECT_EQ(told.netns, Netns(child.pid()));
    EXPECT_NE(told.netns, Netns(Self()));
    const TcpConnect* const connect = ExpectConnect(child, told, ConnectOutcome::kFailed, error);
    ASSERT_NE(connect, nullptr);
    EXPECT_FALSE(connect->handshake);
    End(child);
    ExpectNoOther(child);
  }
};

TEST_F(TcpConnectErrorTest, UnreachableNetwork) {
  const auto no_routes = [] { return OwnNetwork(); };
  for (const char* const address : {"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"}) {
    ExpectSyncError(address, ENETUNREACH, no_routes);
  }
}

TEST_F(TcpConnectErrorTest, RoutesThatRefuse) {
  const auto route = [](const std::string& type) {
    return [type] {
      const std::string command =
          "ip route add " + type + " 192.0.2.0/24 && ip route add " + type + " 2001:db8::/32";
      return OwnNetwork() && std::system(command.c_str()) == 0;
    };
  };
  for (const char* const address : {"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"}) {
    ExpectSyncError(address, EHOSTUNREACH, route("unreachable"));
    ExpectSyncError(address, EACCES, route("prohibit"));
    ExpectSyncError(address, EINVAL, route("blackhole"));
  }
}

// Both are told with the local end: it was chosen by the application.
TEST_F(TcpConnectErrorTest, NoPortFree) {
  const Listener listener = Listen();
  Child child = Fork(
      [&] {
        NameMyself();
        const int yes = 1;
        const UniqueFd first = Socket(kLocalhost);
        const UniqueFd second = Socket(kLocalhost);
        for (const int fd : {first.get(), second.get()}) {
          setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        }
        Bind(first.get(), kLocalhost);
        if (Bind(second.get(), kLocalhost, LocalPort(first.get())) != 0 ||
            Connect(first.get(), kLocalhost, listener.port) != 0) {
          return 1;
        }
        const int error = Connect(second.get(), kLocalhost, listener.port);
        Tell(EndsOf(first.get()), error);
        AwaitEndOfStdin();
        return 0;
      },
      kBoth);
  const Told told = Hear(child);
  EXPECT_EQ(told.error, EADDRNOTAVAIL);
  ASSERT_NE(live_->Await<TcpConnect>({.owner = child.pid()}, 2), nullptr);
  End(child);
  ExpectNoOther(child, 2);
  const auto connects = live_->All<TcpConnect>({.owner = child.pid()});
  EXPECT_EQ(connects[0]->outcome, ConnectOutcome::kConnected);
  EXPECT_EQ(connects[1]->outcome, ConnectOutcome::kFailed);
  EXPECT_EQ(connects[1]->error, EADDRNOTAVAIL);
  EXPECT_FALSE(connects[1]->handshake);
  EXPECT_EQ(EndsOf(connects[1]->connection), told.ends);
  EXPECT_NE(connects[0]->connection.id, connects[1]->connection.id);
}

// The one port of the range is in use already.
TEST_F(TcpConnectErrorTest, NoPortLeft) {
  Child child = Fork(
      [] {
        NameMyself();
        if (!OwnNetwork()) {
          return 1;
        }
        WriteFile("/proc/sys/net/ipv4/ip_local_port_range", "40000 40000");
        const Listener listener{.fd = Socket(kLocalhost), .port = 50000};
        Bind(listener.fd.get(), kLocalhost, listener.port);
        listen(listener.fd.get(), 8);
        const UniqueFd first = Socket(kLocalhost);
        const UniqueFd second = Socket(kLocalhost);
        const int error = Connect(first.get(), kLocalhost, listener.port);
        Tell(EndsOf(first.get()), error);
        Tell({EndText(kLocalhost, 0), EndText(kLocalhost, listener.port)},
             Connect(second.get(), kLocalhost, listener.port));
        AwaitEndOfStdin();
        return 0;
      },
      kBoth);
  EXPECT_EQ(Hear(child).error, 0);
  const Told told = Hear(child);
  EXPECT_EQ(told.error, EADDRNOTAVAIL);
  ASSERT_NE(live_->Await<TcpConnect>({.owner = child.pid()}, 2), nullptr);
  End(child);
  ExpectNoOther(child, 2);
  const TcpConnect& failed = *live_->All<TcpConnect>({.owner = child.pid()})[1];
  EXPECT_EQ(failed.error, EADDRNOTAVAIL);
  EXPECT_FALSE(failed.handshake);
  EXPECT_EQ(EndsOf(failed.connection), told.ends);
  EXPECT_EQ(failed.connection.netns, told.netns);
}

// What connect() says of the call and not of the network is no connect at all.
TEST_F(TcpConnectErrorTest, CallsThatAreWrong) {
  const Listener listener = Listen();
  Child child = Fork([&] {
    const UniqueFd socket = Socket(kLocalhost);
    const Address to(kLocalhost, listener.port);
    const bool right = connect(socket.get(), nullptr, to.size()) != 0 && errno == EFAULT &&
                       connect(-1, to.get(), to.size()) != 0 && errno == EBADF &&
                       connect(STDIN_FILENO, to.get(), to.size()) != 0 && errno == ENOTSOCK &&
                       Connect(socket.get(), kLocalhost, listener.port) == 0 &&
                       Connect(socket.get(), kLocalhost, listener.port) == EISCONN;
    return right ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
  ExpectNoOther(child);
}

// The neighbour does not answer: known only after the SYN was queued.
TEST_F(TcpConnectErrorTest, UnreachableHost) {
  Child child = Fork(
      [] {
        NameMyself();
        if (!OwnNetwork()) {
          return 1;
        }
        const UniqueFd device(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
        ifreq request{};
        std::strcpy(request.ifr_name, "tap0");
        request.ifr_flags = IFF_TAP | IFF_NO_PI;
        if (ioctl(device.get(), TUNSETIFF, &request) != 0 ||
            std::system("ip address add 192.0.2.2/24 dev tap0 && ip link set tap0 up") != 0) {
          return 1;
        }
        WriteFile("/proc/sys/net/ipv4/neigh/tap0/mcast_solicit", "1");
        WriteFile("/proc/sys/net/ipv4/neigh/tap0/retrans_time_ms", "50");
        const UniqueFd socket = Socket(kLocalhost);
        Bind(socket.get(), "192.0.2.2");
        const Ends ends{EndsOf(socket.get()).local, EndText("192.0.2.1", 80)};
        Tell(ends, Connect(socket.get(), "192.0.2.1", 80));
        return 0;
      },
      kBoth);
  const Told told = Hear(child);
  EXPECT_EQ(told.error, EHOSTUNREACH);
  EXPECT_EQ(child.Wait(), 0);
  const TcpConnect* const connect =
      ExpectConnect(child, told, ConnectOutcome::kFailed, EHOSTUNREACH);
  ASSERT_NE(connect, nullptr);
  EXPECT_TRUE(connect->handshake);
  ExpectNoOther(child);
}

}  // namespace
}  // namespace masflow::kernel_test
