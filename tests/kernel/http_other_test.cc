// SPDX-License-Identifier: Apache-2.0
//
// What is not HTTP gives no exchange.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "http_live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

class HttpOtherTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    live_ = HttpLive::Open();
    ASSERT_NE(live_, nullptr);
  }

  void ExpectNone(std::uint16_t port) {
    live_->ExpectBoth(port, {});
    EXPECT_TRUE(live_->Settle()) << Describe(live_->stats());
    EXPECT_EQ(live_->stats().lost_total(), 0u);
  }

  // A message and an answer, several times over one connection that is closed then.
  void ExpectNoneOf(std::string_view message, std::string_view answer) {
    const Listener listener = Listen();
    {
      const Pair pair = ConnectPair(listener);
      for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(Ask(pair, message, answer));
      }
    }
    ExpectNone(listener.port);
  }

  std::unique_ptr<HttpLive> live_;
};

TEST_F(HttpOtherTest, WordsOfOtherProtocols) {
  ExpectNoneOf(std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
               "\x16\x03\x03");
  ExpectNoneOf("GET key\r\n", "$5\r\nvalue\r\n");                       // Redis, inline
  ExpectNoneOf("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n", "$5\r\nvalue\r\n");  // Redis
  ExpectNoneOf("EHLO example.com\r\n", "250 example.com\r\n");          // SMTP
  ExpectNoneOf("OPTIONS sip:a@example.com SIP/2.0\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n");
  ExpectNoneOf("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", std::string_view("\0\0\0\4\0\0\0\0\0", 9));
  ExpectNoneOf("DESCRIBE rtsp://h/a RTSP/1.0\r\n\r\n", "RTSP/1.0 200 OK\r\n\r\n");
  ExpectNoneOf("SSH-2.0-x\r\n", "SSH-2.0-y\r\n");
}

TEST_F(HttpOtherTest, AnyBytes) {
  std::mt19937 random(1);  // the same ones each time
  const auto bytes = [&] {
    std::string text(1 + random() % 300, ' ');
    for (char& c : text) {
      c = static_cast<char>(random());
    }
    return text;
  };
  for (int i = 0; i < 200; ++i) {
    const Listener listener = Listen();
    {
      const Pair pair = ConnectPair(listener);
      for (int messages = 0; messages < 3; ++messages) {
        ASSERT_TRUE(Ask(pair, bytes(), bytes()));
      }
    }
    if (i % 50 == 0) {
      ExpectNone(listener.port);
    }
  }
  live_->CatchUp();
  for (const HttpExchange& e : live_->events()) {
    EXPECT_NE(
        e.connection.owner->id.pid == static_cast<std::uint32_t>(getpid()) && e.target != "/last",
        true)
        << Brief(e);
  }
}

// It is no connection, though its protocol is TCP: what lies behind a socket there is not what lies
// behind this one.
TEST_F(HttpOtherTest, ARawSocketOfTheProtocolTcp) {
  const auto live =
      HttpLive::Open({.filter = {.process = {.pids = {static_cast<std::uint32_t>(getpid())}}}});
  ASSERT_NE(live, nullptr);
  const UniqueFd raw(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
  ASSERT_GE(raw.get(), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(raw.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_TRUE(Say(raw.get(), Get("/a")));
  EXPECT_EQ(live->stats().produced, 0u);
}

TEST_F(HttpOtherTest, Tls) {
  const TempDir dir;
  ASSERT_EQ(
      Spawn({"/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-keyout", dir / "key", "-out", dir / "cert", "-batch"})
          .Wait(),
      0);
  Child server = Spawn({"/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:0", "-key",
                        dir / "key", "-cert", dir / "cert", "-www", "-naccept", "1"},
                       {.from_stdout = true});
  std::string line;
  do {
    line = server.ReadLine();
  } while (!line.empty() && line.find("ACCEPT 127.0.0.1:") == std::string::npos);
  ASSERT_FALSE(line.empty()) << "the server does not start";
  const auto port = static_cast<std::uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
  Child client = Spawn(
      {"/usr/bin/openssl", "s_client", "-quiet", "-connect", "127.0.0.1:" + std::to_string(port)},
      {.to_stdin = true, .from_stdout = true});
  client.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_NE(client.ReadAll().find("HTTP/1.0 200 ok"), std::string::npos) << "no conversation";
  client.Release();
  client.Wait();
  server.Wait();
  ExpectNone(port);
}

TEST_F(HttpOtherTest, Redis) {
  const TempDir dir;
  Listener port = ClosedPort();
  port.fd.Reset();
  Child server = Spawn({"/usr/bin/redis-server", "--bind", "127.0.0.1", "--port",
                        std::to_string(port.port), "--save", "", "--dir", dir.path()},
                       {.from_stdout = true});
  std::string line;
  do {
    line = server.ReadLine();
  } while (!line.empty() && line.find("eady to accept connections") == std::string::npos);
  ASSERT_FALSE(line.empty()) << "the server does not start";
  Child cli = Spawn({"/usr/bin/redis-cli", "-p", std::to_string(port.port)},
                    {.to_stdin = true, .from_stdout = true});
  cli.Send("SET key value\nGET key\nPUBLISH a b\nDEL key\nPING\nGET key\n");
  cli.Release();
  EXPECT_NE(cli.ReadAll().find("PONG"), std::string::npos) << "no conversation";
  EXPECT_EQ(cli.Wait(), 0);
  server.Signal(SIGTERM);
  server.Wait();
  ExpectNone(port.port);
}

}  // namespace
}  // namespace masflow::kernel_test
