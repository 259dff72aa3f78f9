// SPDX-License-Identifier: Apache-2.0
#include "sockets.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "truth.h"

namespace masflow::kernel_test {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;

std::string EndText(const sockaddr_storage& storage) {
  Endpoint end;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    std::memcpy(end.address.bytes.data(), &v4.sin_addr, sizeof(v4.sin_addr));
    end.port = ntohs(v4.sin_port);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    end.address.is_v6 = !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
    if (end.address.is_v6) {
      std::memcpy(end.address.bytes.data(), &v6.sin6_addr, sizeof(v6.sin6_addr));
    } else {
      std::memcpy(end.address.bytes.data(), v6.sin6_addr.s6_addr + 12, 4);
    }
    end.port = ntohs(v6.sin6_port);
  }
  return ToString(end);
}

void SetOption(int fd, int option, const void* value, socklen_t size) {
  setsockopt(fd, SOL_SOCKET, option, value, size);
}

}  // namespace

Address::Address(const std::string& text, std::uint16_t port) {
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage_);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage_);
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    size_ = sizeof(v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    size_ = sizeof(v6);
  }
}

Ends EndsOf(const Connection& connection) {
  return {ToString(connection.local), ToString(connection.remote)};
}

Ends EndsOf(int fd) {
  sockaddr_storage local{};
  sockaddr_storage remote{};
  socklen_t size = sizeof(local);
  getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size);
  size = sizeof(remote);
  getpeername(fd, reinterpret_cast<sockaddr*>(&remote), &size);
  return {EndText(local), EndText(remote)};
}

std::string EndText(const std::string& address, std::uint16_t port) {
  sockaddr_storage storage{};
  const Address whole(address, port);
  std::memcpy(&storage, whole.get(), whole.size());
  return EndText(storage);
}

Ends Reversed(const Ends& ends) {
  return {ends.remote, ends.local};
}

std::uint16_t LocalPort(int fd) {
  sockaddr_in6 local{};
  socklen_t size = sizeof(local);
  getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size);
  return ntohs(local.sin6_port);  // where IPv4 has it as well
}

UniqueFd Socket(const std::string& address, int flags) {
  return UniqueFd(
      socket(Address(address, 0).get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

int Bind(int fd, const std::string& address, std::uint16_t port) {
  const Address to(address, port);
  return bind(fd, to.get(), to.size()) == 0 ? 0 : errno;
}

int Connect(int fd, const std::string& address, std::uint16_t port) {
  const Address to(address, port);
  return connect(fd, to.get(), to.size()) == 0 ? 0 : errno;
}

Listener Listen(const std::string& address, int backlog) {
  Listener listener = ClosedPort(address);
  listen(listener.fd.get(), backlog);
  return listener;
}

Listener ClosedPort(const std::string& address) {
  Listener bound{.fd = Socket(address)};
  Bind(bound.fd.get(), address);
  bound.port = LocalPort(bound.fd.get());
  return bound;
}

UniqueFd Accept(const Listener& listener) {
  return UniqueFd(accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

Pair ConnectPair(const Listener& listener, const std::string& address) {
  Pair pair{.client = Socket(address), .server = {}};
  Connect(pair.client.get(), address, listener.port);
  pair.server = Accept(listener);
  return pair;
}

void ResetOnClose(int fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  SetOption(fd, SO_LINGER, &at_once, sizeof(at_once));
}

void DropPackets(int fd) {
  sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{.len = 1, .filter = &none};
  SetOption(fd, SO_ATTACH_FILTER, &program, sizeof(program));
}

void PassPackets(int fd) {
  const int unused = 0;
  SetOption(fd, SO_DETACH_FILTER, &unused, sizeof(unused));
}

bool WriteAll(int fd, std::size_t bytes) {
  static const std::vector<char> chunk(kChunk, 'x');
  while (bytes > 0) {
    const ssize_t n = write(fd, chunk.data(), std::min(bytes, chunk.size()));
    if (n <= 0) {
      return false;
    }
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

std::size_t ReadAll(int fd, std::size_t bytes) {
  static std::vector<char> chunk(kChunk);
  std::size_t done = 0;
  for (ssize_t n = 1; done < bytes && n > 0;) {
    n = read(fd, chunk.data(), std::min(bytes - done, chunk.size()));
    done += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
  }
  return done;
}

void AwaitReadable(int fd, std::size_t bytes) {
  int mark = static_cast<int>(bytes);
  SetOption(fd, SO_RCVLOWAT, &mark, sizeof(mark));
  pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
  poll(&waited, 1, -1);
  mark = 1;  // as ever
  SetOption(fd, SO_RCVLOWAT, &mark, sizeof(mark));
}

std::uint32_t Netns(std::uint32_t pid) {
  struct stat info {};
  stat(ProcFile(pid, "ns/net").c_str(), &info);
  return static_cast<std::uint32_t>(info.st_ino);
}

bool OwnNetwork(bool loopback) {
  if (unshare(CLONE_NEWNET) != 0) {
    return false;
  }
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  return !loopback || ioctl(Socket(kLocalhost).get(), SIOCSIFFLAGS, &request) == 0;
}

}  // namespace masflow::kernel_test
