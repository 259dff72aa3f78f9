// SPDX-License-Identifier: Apache-2.0
//
// What a session says it takes is what the kernel says of its maps.
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "live.h"
#include "sockets.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

// Of all maps that this process holds, by the kernel's own count.
std::uint64_t MapBytes() {
  std::map<std::uint32_t, std::uint64_t> bytes;  // by id: some are held twice
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::istringstream lines(ReadFile(entry.path()));
    std::optional<std::uint64_t> memlock;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string key;
      std::uint64_t value = 0;
      fields >> key >> value;
      if (key == "memlock:") {
        memlock = value;
      } else if (key == "map_id:" && memlock.has_value()) {
        bytes[static_cast<std::uint32_t>(value)] = *memlock;
      }
    }
  }
  std::uint64_t sum = 0;
  for (const auto& [id, of_map] : bytes) {
    sum += of_map;
  }
  return sum;
}

class MemoryTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    utsname name{};
    uname(&name);
    int major = 0;
    int minor = 0;
    ASSERT_EQ(std::sscanf(name.release, "%d.%d", &major, &minor), 2);
    if (major < 6 || (major == 6 && minor < 4)) {
      GTEST_SKIP() << "this kernel does not count what maps take";
    }
  }

  void Open(const ProcessOptions& process, const TcpOptions& tcp, const HttpOptions& http) {
    absl::StatusOr<Session> session = CreateSession({});
    ASSERT_TRUE(session.ok()) << session.status();
    session_.emplace(*std::move(session));
    auto processes = ProcessStream::Open(*session_, process);
    auto connections = TcpStream::Open(*session_, tcp);
    auto exchanges = HttpStream::Open(*session_, http);
    ASSERT_TRUE(processes.ok() && connections.ok() && exchanges.ok());
    processes_.emplace(*std::move(processes));
    connections_.emplace(*std::move(connections));
    exchanges_.emplace(*std::move(exchanges));
  }

  std::uint64_t Said() const {
    const MemoryStats memory = session_->stats().memory;
    return memory.rings + memory.tables;
  }

  // Once the tables of connections are full: the kernel counts of them what is in use.
  void ExpectAsTheKernelSays() {
    const double said = static_cast<double>(Said());
    const double counted = static_cast<double>(MapBytes());
    EXPECT_GT(counted, 0);
    EXPECT_NEAR(said / counted, 1.0, 0.05) << said << " against " << counted;
  }

  std::optional<Session> session_;
  std::optional<ProcessStream> processes_;
  std::optional<TcpStream> connections_;
  std::optional<HttpStream> exchanges_;
};

// As a machine with few connections feels it.
TEST_F(MemoryTest, ByDefault) {
  Open({}, {}, {});
  EXPECT_LE(MapBytes(), Said());
  EXPECT_LE(MapBytes(), std::uint64_t{32} << 20);
  const MemoryStats memory = session_->stats().memory;
  const std::uint64_t rings =
      ProcessOptions().ring_bytes + TcpOptions().ring_bytes + HttpOptions().ring_bytes;
  EXPECT_GT(memory.rings, rings);
  EXPECT_LT(memory.rings, rings + (std::uint64_t{2} << 20));  // that of cgroups, too
  EXPECT_LT(memory.total(), std::uint64_t{320} << 20);
}

TEST_F(MemoryTest, WithTheTablesOfConnectionsFull) {
  constexpr std::uint32_t kMost = 512;
  Open({.ring_bytes = 65536},
       {.pre_existing = false, .max_connections = kMost, .ring_bytes = std::uint64_t{1} << 20},
       {.max_connections = kMost, .ring_bytes = 65536});
  const Listener listener = Listen();
  std::vector<Pair> pairs;
  for (std::uint32_t i = 0; i <= kMost / 2; ++i) {  // with two ends each
    pairs.push_back(ConnectPair(listener));
    ASSERT_TRUE(WriteAll(pairs.back().client.get(), 1));
    ASSERT_EQ(ReadAll(pairs.back().server.get(), 1), 1u);
  }
  ExpectAsTheKernelSays();
}

TEST_F(MemoryTest, SmallAndFiltered) {
  ProcessFilter filter;
  filter.trees = {static_cast<std::uint32_t>(getpid())};
  filter.comms = {"a"};
  TcpFilter by_tree{.process = filter, .ports = {1}};
  Open({.filter = filter, .ring_bytes = 65536},
       {.filter = by_tree, .pre_existing = false, .max_connections = 64, .ring_bytes = 65536},
       {.filter = by_tree, .max_connections = 64, .ring_bytes = 65536});
  ExpectAsTheKernelSays();
}

TEST_F(MemoryTest, NothingOnceItIsStopped) {
  Open({}, {}, {});
  session_->Stop();
  EXPECT_EQ(session_->stats().memory.total(), 0u);
}

}  // namespace
}  // namespace masflow::kernel_test
