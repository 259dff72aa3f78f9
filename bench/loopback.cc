// SPDX-License-Identifier: Apache-2.0
#include "loopback.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

extern char** environ;

namespace masflow_bench {

void Die(std::string_view what) {
  std::fprintf(stderr, "%s: %.*s\n", program_invocation_short_name, static_cast<int>(what.size()),
               what.data());
  std::exit(1);
}

void Execute(const std::string& program) {
  char* const arguments[] = {const_cast<char*>(program.c_str()), nullptr};
  pid_t child = -1;
  int status = 0;
  if (posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    Die("cannot execute " + program);
  }
}

Listener::Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  address_.sin_family = AF_INET;
  address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address_);
  auto* const any = reinterpret_cast<sockaddr*>(&address_);
  if (bind(fd_, any, size) != 0 || listen(fd_, 128) != 0 || getsockname(fd_, any, &size) != 0) {
    Die("cannot listen on the loopback");
  }
}

Listener::~Listener() {
  close(fd_);
}

Pair Listener::Connect(unsigned host) const {
  Pair pair{.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (host != 1) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl((127U << 24) | host);
    const int on = 1;
    setsockopt(pair.client, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(pair.client, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0) {
      Die("cannot bind to an address of the loopback");
    }
  }
  if (connect(pair.client, reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)) != 0) {
    Die("cannot connect");
  }
  pair.server = accept(fd_, nullptr, nullptr);
  const int on = 1;
  setsockopt(pair.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(pair.server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return pair;
}

void Close(const Pair& pair) {
  close(pair.client);
  char byte = 0;
  if (read(pair.server, &byte, 1) != 0) {
    Die("the end of a connection does not come");
  }
  close(pair.server);
}

void Reset(const Pair& pair) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(pair.client);
  close(pair.server);
}

void MakeProcesses(int count) {
  for (int i = 0; i < count; ++i) {
    Execute("/bin/true");
  }
}

void MakeConnections(int count) {
  const Listener listener;
  for (int i = 0; i < count; ++i) {
    Reset(listener.Connect());
  }
}

void Move(int from, int to, std::string_view bytes) {
  std::array<char, 512> buffer;
  if (write(from, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      read(to, buffer.data(), buffer.size()) != static_cast<ssize_t>(bytes.size())) {
    Die("cannot move bytes");
  }
}

}  // namespace masflow_bench
