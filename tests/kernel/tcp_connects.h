// SPDX-License-Identifier: Apache-2.0
//
// Children that call connect() and tell what came of it, for the tests of TcpConnect.
#ifndef MASFLOW_KERNEL_TCP_CONNECTS_H_
#define MASFLOW_KERNEL_TCP_CONNECTS_H_

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include "tcp_live.h"

namespace masflow::kernel_test {

inline constexpr Pipes kBoth{.to_stdin = true, .from_stdout = true};

// What a child says of its connect().
struct Told {
  Ends ends;
  int error = 0;
  std::uint32_t tid = 0;
  std::uint32_t netns = 0;
};
Told Hear(Child& child);
// Releases it.
void End(Child& child);

// In the child. It begins so, to be recognised.
void NameMyself();
// `ends` as known when it called.
void Tell(const Ends& ends, int error, pid_t tid = gettid());
void AwaitWord();
void AwaitEndOfStdin();

// A child that tries once, tells, and lives until it is released.
Child Trying(const std::string& address, std::uint16_t port, int flags = 0);

class TcpConnectTest : public KernelTest {
 protected:
  void SetUp() override;

  // The first event of what `told` knows to have ended so.
  const TcpConnect* ExpectConnect(const Child& child, const Told& told, ConnectOutcome outcome,
                                  int error);
  void ExpectNoOther(const Child& child, std::size_t connects = 1);

  std::unique_ptr<TcpLive> live_;
};

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_TCP_CONNECTS_H_
