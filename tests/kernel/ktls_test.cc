// SPDX-License-Identifier: Apache-2.0
//
// TLS of the kernel (kTLS): programs move plain bytes, the connection moves records of them.
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "http_live.h"
#include "sockets.h"
#include "tcp_live.h"

namespace masflow::kernel_test {
namespace {

// A header (5 bytes) and a nonce before the bytes of a record, a tag behind them.
constexpr std::uint64_t kRecord =
    5 + TLS_CIPHER_AES_GCM_128_IV_SIZE + TLS_CIPHER_AES_GCM_128_TAG_SIZE;

bool SetKey(int fd, int direction) {
  tls12_crypto_info_aes_gcm_128 key{};
  key.info.version = TLS_1_2_VERSION;
  key.info.cipher_type = TLS_CIPHER_AES_GCM_128;
  return setsockopt(fd, SOL_TLS, direction, &key, sizeof(key)) == 0;
}

class KtlsTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    listener_ = Listen();
    pair_ = ConnectEager(listener_);
    for (const int fd : {pair_.client.get(), pair_.server.get()}) {
      if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) != 0) {
        ASSERT_EQ(errno, ENOENT);
        GTEST_SKIP() << "this kernel has no TLS";
      }
    }
  }

  // As after a handshake, which would agree on better keys than zeros.
  void Encrypt() {
    for (const int fd : {pair_.client.get(), pair_.server.get()}) {
      ASSERT_TRUE(SetKey(fd, TLS_TX)) << std::strerror(errno);
      ASSERT_TRUE(SetKey(fd, TLS_RX)) << std::strerror(errno);
    }
  }

  Listener listener_;
  Pair pair_;
};

// Read where the hook sees the calls of programs; those behind see only what was encrypted, and
// take it for no HTTP.
TEST_F(KtlsTest, Http_IsReadByTheLengthsOfCallsOnly) {
  const auto live = HttpLive::Open();
  ASSERT_NE(live, nullptr);
  Encrypt();
  ASSERT_TRUE(Ask(pair_, Get("/a"), Ok("hello")));
  ASSERT_TRUE(Ask(pair_, Post("/b", "body"), Ok("hello")));
  const HookSupport sent = FindHook(live->session(), "http send");
  const HookSupport received = FindHook(live->session(), "http receive");
  Lines client;
  Lines server;
  if (sent.mechanism == "tp_btf sock_send_length") {
    client = server = {"GET /a 200 0+5 complete", "POST /b 200 4+5 complete"};
  } else {
    EXPECT_THAT(sent.limits, testing::HasSubstr("kTLS"));
    EXPECT_THAT(received.limits, testing::HasSubstr("kTLS"));
  }
  live->ExpectClient(listener_.port, client);
  live->ExpectServer(listener_.port, server);
}

// Of five bytes: the call as the program makes it, or as the kernel moves the record, or none.
void ExpectCall(const HookSupport& hook, const std::vector<const TcpData*>& calls,
                std::uint64_t TcpData::*bytes) {
  if (hook.mechanism == "raw_tp sock_send_length" || hook.mechanism == "raw_tp sock_recv_length") {
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(calls[0]->*bytes, 5u);
  } else {
    EXPECT_THAT(hook.limits, testing::HasSubstr("kTLS"));
    EXPECT_LE(calls.size(), 1u);
    EXPECT_TRUE(calls.empty() || calls[0]->*bytes == 5 + kRecord);
  }
}

TEST_F(KtlsTest, Bytes_AreThoseOfTheRecordsInTheTotals) {
  const auto live = TcpLive::Open({.data = TcpDataMode::kCall});
  ASSERT_NE(live, nullptr);
  Encrypt();
  ASSERT_TRUE(Say(pair_.client.get(), "hello"));
  ASSERT_EQ(Hear(pair_.server.get(), 5), "hello");
  pair_ = {};
  const Wanted client{.owner = {}, .local = {}, .remote = listener_.port};
  const Wanted server{.owner = {}, .local = listener_.port, .remote = {}};
  const TcpClose* const sent = live->Await<TcpClose>(client);
  const TcpClose* const received = live->Await<TcpClose>(server);
  ASSERT_TRUE(sent != nullptr && received != nullptr);
  EXPECT_EQ(sent->tx_bytes, 5 + kRecord);
  EXPECT_EQ(received->rx_bytes, 5 + kRecord);
  ExpectCall(FindHook(live->session(), "tcp send"), live->All<TcpData>(client), &TcpData::tx_bytes);
  ExpectCall(FindHook(live->session(), "tcp receive"), live->All<TcpData>(server),
             &TcpData::rx_bytes);
}

}  // namespace
}  // namespace masflow::kernel_test
