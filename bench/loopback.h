// SPDX-License-Identifier: Apache-2.0
//
// What the benchmarks make the machine do: programs, connections and bytes over the loopback. What
// fails ends the program, with a sentence.
#ifndef MASFLOW_BENCH_LOOPBACK_H_
#define MASFLOW_BENCH_LOOPBACK_H_

#include <netinet/in.h>

#include <string>
#include <string_view>

namespace masflow_bench {

inline constexpr std::string_view kRequest =
    "GET /index.html?a=b HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: cost/1.0\r\n"
    "Accept: */*\r\n\r\n";
inline constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: cost\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
    "Connection: keep-alive\r\n\r\nHello there\n";

[[noreturn]] void Die(std::string_view what);

// Runs it to its end.
void Execute(const std::string& program);

// Both ends of a connection of this process with itself; they are closed by hand.
struct Pair {
  int client = -1;
  int server = -1;
};

class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // From 127.0.0.<host>, which has a range of ports of its own.
  Pair Connect(unsigned host = 1) const;

 private:
  const int fd_;
  sockaddr_in address_{};
};

// The client ends it, and the server follows.
void Close(const Pair& pair);
// At once, without a port that is kept back.
void Reset(const Pair& pair);

// So many one after the other: of /bin/true, and opened and reset, so that ports do not run out.
void MakeProcesses(int count);
void MakeConnections(int count);

// By one write and one read, up to 512 bytes.
void Move(int from, int to, std::string_view bytes);

}  // namespace masflow_bench

#endif  // MASFLOW_BENCH_LOOPBACK_H_
