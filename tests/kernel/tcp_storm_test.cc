// SPDX-License-Identifier: Apache-2.0
//
// Many connections at once, against a pre-forked server: all of them, each with the worker
// that took it, and nothing left behind.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bpf_objects.h"
#include "live.h"
#include "sockets.h"
#include "spawn.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {
namespace {

constexpr std::size_t kWorkers = 4;

// A listening socket of its own for each worker, all at the same port.
UniqueFd ListenShared(std::uint16_t port) {
  UniqueFd fd = Socket(kLocalhost);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (Bind(fd.get(), kLocalhost, port) != 0 || listen(fd.get(), 1024) != 0) {
    return UniqueFd();
  }
  return fd;
}

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

// Takes connections until one begins with 'q', and says how many there were.
int Serve(int listener) {
  std::size_t taken = 0;
  for (;;) {
    const UniqueFd connection(accept(listener, nullptr, nullptr));
    char first = 0;
    if (!connection.valid() || read(connection.get(), &first, 1) != 1) {
      return 1;
    }
    ++taken;
    if (first == 'q') {
      close(listener);  // before the client goes on: the next one is for another worker
      const std::string text = std::to_string(taken) + "\n";
      return write(STDOUT_FILENO, text.data(), text.size()) > 0 ? 0 : 1;
    }
  }
}

bool Talk(std::uint16_t port, char word) {
  const UniqueFd fd = Socket(kLocalhost);
  char end = 0;
  return Connect(fd.get(), kLocalhost, port) == 0 && write(fd.get(), &word, 1) == 1 &&
         read(fd.get(), &end, 1) == 0;
}

class TcpStormTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    listeners_.push_back(ListenShared(0));
    ASSERT_TRUE(listeners_[0].valid());
    port_ = LocalPort(listeners_[0].get());
    for (std::size_t i = 1; i < kWorkers; ++i) {
      listeners_.push_back(ListenShared(port_));
      ASSERT_TRUE(listeners_.back().valid());
    }
    for (const UniqueFd& listener : listeners_) {
      workers_.push_back(Fork([&] { return ServeOnly(listener.get()); }, {.from_stdout = true}));
    }
    listeners_.clear();  // the workers have theirs

    TcpOptions options;
    options.filter.ports = {port_};
    absl::StatusOr<Session> session = Session::Create();
    ASSERT_TRUE(session.ok()) << session.status().message();
    absl::StatusOr<TcpStream> tcp = TcpStream::Open(*session, options);
    ASSERT_TRUE(tcp.ok()) << tcp.status().message();
    session_.emplace(*std::move(session));
    tcp_.emplace(*std::move(tcp));
    tcp_->OnConnect([this](const TcpConnectView& e) {
      connects_ += e.outcome == ConnectOutcome::kConnected ? 1 : 0;
      open_.insert(e.connection.id);
    });
    tcp_->OnAccept([this](const TcpAcceptView& e) {
      accepts_[e.connection.owner->id.pid] += 1;
      inferred_ += e.connection.owner_inferred ? 1 : 0;
      open_.insert(e.connection.id);
    });
    tcp_->OnData([this](const TcpDataView& e) { bytes_ += e.tx_bytes + e.rx_bytes; });
    tcp_->OnClose([this](const TcpCloseView& e) {
      closes_ += 1;
      unknown_closes_ += open_.erase(e.connection.id) == 1 ? 0 : 1;
      closed_bytes_ += e.tx_bytes + e.rx_bytes;
      unseen_ += e.reason == CloseReason::kUnseen ? 1 : 0;
    });
    session_->OnLoss([this](const Loss& loss) { lost_ += loss.count; });
  }

  // In a worker, which would keep the listeners of the others open.
  int ServeOnly(int listener) {
    for (const UniqueFd& other : listeners_) {
      if (other.get() != listener) {
        close(other.get());
      }
    }
    return Serve(listener);
  }

  // So many connections by so many clients at once; drives until they are over.
  void Storm(std::size_t clients, std::size_t each) {
    std::vector<Child> running;
    const std::uint16_t port = port_;
    for (std::size_t i = 0; i < clients; ++i) {
      running.push_back(Fork([port, each] {
        for (std::size_t n = 0; n < each; ++n) {
          if (!Talk(port, 'x')) {
            return 1;
          }
        }
        return 0;
      }));
    }
    made_ += clients * each;
    DriveUntilClosed();
    for (Child& client : running) {
      EXPECT_EQ(client.Wait(), 0);
    }
  }

  template <std::predicate Done>
  void DriveUntil(Done done) {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (!done() && std::chrono::steady_clock::now() < end) {
      pollfd waited{.fd = session_->poll_fd(), .events = POLLIN, .revents = 0};
      poll(&waited, 1, 1000);
      session_->Drain(1024);
    }
    EXPECT_TRUE(done());
  }

  // Both ends of all connections. A connect that is lost has no close either.
  void DriveUntilClosed() {
    DriveUntil([this] { return closes_ + lost_ >= 2 * made_; });
  }

  // Each worker tells how many it took, which is the truth.
  std::map<std::uint32_t, std::uint64_t> EndWorkers() {
    std::map<std::uint32_t, std::uint64_t> taken;
    for (std::size_t i = 0; i < kWorkers; ++i) {
      EXPECT_TRUE(Talk(port_, 'q'));
      ++made_;
    }
    DriveUntilClosed();
    for (Child& worker : workers_) {
      taken[worker.pid()] = std::stoull(worker.ReadLine());
      EXPECT_EQ(worker.Wait(), 0);
    }
    return taken;
  }

  std::optional<Session> session_;
  std::optional<TcpStream> tcp_;
  std::uint16_t port_ = 0;
  std::vector<Child> workers_;

  std::size_t made_ = 0;  // connections
  std::uint64_t connects_ = 0;
  std::map<std::uint32_t, std::uint64_t> accepts_;
  std::uint64_t inferred_ = 0;
  std::uint64_t closes_ = 0;
  std::uint64_t unknown_closes_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t closed_bytes_ = 0;
  std::uint64_t unseen_ = 0;  // closes of which the kernel did not tell
  std::uint64_t lost_ = 0;
  std::set<ConnectionId> open_;

 private:
  std::vector<UniqueFd> listeners_;
};

TEST_F(TcpStormTest, AllOf50000ConnectionsAndWhoTookThem) {
  Storm(/*clients=*/4, /*each=*/Scaled(12'500));
  const std::map<std::uint32_t, std::uint64_t> taken = EndWorkers();
  EXPECT_EQ(accepts_, taken);
  EXPECT_EQ(inferred_, 0u);
  EXPECT_EQ(connects_ + lost_, made_);
  EXPECT_EQ(closes_ + lost_, 2 * made_);
  EXPECT_EQ(unknown_closes_, 0u);
  EXPECT_TRUE(open_.empty());
  // One byte, seen from both ends. Of an end that the kernel does not tell of (see
  // docs/design) the bytes may be unknown: one in some 50,000.
  EXPECT_LE(lost_ + unseen_, made_ / 5'000);
  EXPECT_EQ(bytes_, closed_bytes_);
  EXPECT_LE(closed_bytes_, 2 * made_);
  EXPECT_GE(closed_bytes_ + lost_ + unseen_, 2 * made_);
}

TEST_F(TcpStormTest, NothingIsLeftBehindRoundAfterRound) {
  const auto resident_pages = [] {
    std::ifstream file("/proc/self/statm");
    std::size_t size = 0;
    std::size_t resident = 0;
    file >> size >> resident;
    return resident;
  };
  std::size_t after_first = 0;
  for (int round = 0; round < 10; ++round) {
    Storm(/*clients=*/4, /*each=*/Scaled(1'000));
    after_first = round == 0 ? resident_pages() : after_first;
    // A socket whose end was not told is found by the sweep, seconds later.
    DriveUntil([] { return MapEntries(Self(), "connections") == 0; });
  }
  constexpr std::size_t kSlackPages = 256;  // a leak of one entry a connection takes ten times that
  EXPECT_LE(resident_pages(), after_first + kSlackPages);
  EndWorkers();
}

}  // namespace
}  // namespace masflow::kernel_test
