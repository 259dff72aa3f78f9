// SPDX-License-Identifier: Apache-2.0
//
// A raw socket of the protocol TCP is no connection, though it can be "connected".
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

UniqueFd RawSocket(const std::string& address) {
  const int family = Address(address, 0).get()->sa_family;
  return UniqueFd(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
}

TcpOptions OfSelf() {
  TcpOptions options{.data = TcpDataMode::kOff};
  options.filter.process.trees = {static_cast<std::uint32_t>(getpid())};
  return options;
}

using TcpRawSocketTest = KernelTest;

TEST_F(TcpRawSocketTest, IsNotFoundOpen) {
  const UniqueFd v4 = RawSocket(kLocalhost);
  const UniqueFd v6 = RawSocket("::1");
  ASSERT_EQ(Connect(v4.get(), kLocalhost, 0), 0);
  ASSERT_EQ(Connect(v6.get(), "::1", 0), 0);
  const auto live = TcpLive::Open(OfSelf());
  ASSERT_NE(live, nullptr);
  live->CatchUp();
  EXPECT_EQ(live->All<TcpOpen>().size(), 0u);
  EXPECT_EQ(live->events().size(), 1u);  // of CatchUp()
}

TEST_F(TcpRawSocketTest, ConnectsWithoutAWord) {
  const auto live = TcpLive::Open(OfSelf());
  ASSERT_NE(live, nullptr);
  const UniqueFd v4 = RawSocket(kLocalhost);
  ASSERT_EQ(Connect(v4.get(), kLocalhost, 0), 0);
  Child child = Fork([] {
    if (!OwnNetwork()) {  // without routes
      return 1;
    }
    const UniqueFd raw = RawSocket(kLocalhost);
    return Connect(raw.get(), "192.0.2.1", 0) == ENETUNREACH ? 0 : 1;
  });
  EXPECT_EQ(child.Wait(), 0);
  live->CatchUp();
  EXPECT_EQ(live->events().size(), 1u);
}

}  // namespace
}  // namespace masflow::kernel_test
