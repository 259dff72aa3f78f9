// SPDX-License-Identifier: Apache-2.0
//
// TCP sockets of the test and of its forked children. What fails is left to be seen by its
// consequences: nothing here asserts, so that children can use it too.
#ifndef MASFLOW_KERNEL_SOCKETS_H_
#define MASFLOW_KERNEL_SOCKETS_H_

#include <sys/socket.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "core/unique_fd.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {

using internal::UniqueFd;

inline constexpr char kLocalhost[] = "127.0.0.1";

// "192.0.2.1", "::1", "::ffff:192.0.2.1".
class Address {
 public:
  Address(const std::string& text, std::uint16_t port);
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// Both ends as text, IPv4-mapped addresses as IPv4.
struct Ends {
  std::string local;
  std::string remote;

  friend auto operator<=>(const Ends&, const Ends&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Ends& ends) {
    return out << ends.local << " > " << ends.remote;
  }
};
Ends EndsOf(const Connection& connection);
Ends EndsOf(int fd);  // as getsockname and getpeername have them
std::string EndText(const std::string& address, std::uint16_t port);
Ends Reversed(const Ends& ends);

std::uint16_t LocalPort(int fd);

UniqueFd Socket(const std::string& address, int flags = 0);            // SOCK_NONBLOCK
int Bind(int fd, const std::string& address, std::uint16_t port = 0);  // 0 or errno
int Connect(int fd, const std::string& address, std::uint16_t port);   // 0 or errno

struct Listener {
  UniqueFd fd;
  std::uint16_t port = 0;
};
Listener Listen(const std::string& address = kLocalhost, int backlog = 4096);
// Nobody listens there: it refuses.
Listener ClosedPort(const std::string& address = kLocalhost);

UniqueFd Accept(const Listener& listener);

struct Pair {
  UniqueFd client;
  UniqueFd server;
};
Pair ConnectPair(const Listener& listener, const std::string& address = kLocalhost);

void ResetOnClose(int fd);  // linger 0
// Throws away all that arrives at a socket, SYNs at a listener as well.
void DropPackets(int fd);
void PassPackets(int fd);

bool WriteAll(int fd, std::size_t bytes);
// Reads up to this many bytes, or to the end; how many there were.
std::size_t ReadAll(int fd, std::size_t bytes = SIZE_MAX);
// Waits until so many bytes can be read.
void AwaitReadable(int fd, std::size_t bytes);

// The inode of its network namespace.
std::uint32_t Netns(std::uint32_t pid);
// For a forked child: a network of its own, which has no routes until loopback is up.
bool OwnNetwork(bool loopback = true);

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_SOCKETS_H_
