// SPDX-License-Identifier: Apache-2.0
//
// TCP connections, IPv4 and IPv6, of all network namespaces of this machine.
#ifndef MASFLOW_TCP_STREAM_H_
#define MASFLOW_TCP_STREAM_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "masflow/export.h"
#include "masflow/next_operation.h"
#include "masflow/process_stream.h"
#include "masflow/session.h"
#include "masflow/tcp_events.h"

namespace masflow {
namespace internal {
class TcpStreamCore;
}  // namespace internal

inline namespace v0 {

// Tried in the kernel when a connection gets its owner; what does not pass costs nothing
// from then on. The lists are joined by "and", the values of one list by "or"; an empty
// list lets all pass. At most 1,024 values a list.
struct TcpFilter {
  ProcessFilter process{};             // of the owner
  std::vector<std::uint16_t> ports{};  // of either end
  std::vector<std::uint16_t> local_ports{};
  std::vector<std::uint16_t> remote_ports{};
  // Prefixes or single addresses of either end: "10.0.0.0/8", "2001:db8::/32", "192.0.2.1".
  std::vector<std::string> addresses{};
  bool loopback = true;  // false: none that has a loopback address
};

enum class TcpDataMode : std::uint8_t {
  kInterval,  // what moved, by interval, from the kernel's counters: free on the data path
  kCall,      // each send and receive call: see SupportReport, "tcp send", for cost and limits
  kOff,       // only the totals of TcpClose
};

struct TcpOptions {
  TcpFilter filter{};
  TcpDataMode data = TcpDataMode::kInterval;
  std::chrono::milliseconds data_interval = std::chrono::seconds(1);  // 10 ms to 1 hour
  bool pre_existing = true;  // first deliver what is open already (OnOpen), and follow it
  bool listeners = false;    // deliver listening sockets, those that are there and new ones
  // Open connections, both ends of local ones, that can be followed at once; 64 to 2^22.
  // Each takes some 400 bytes of kernel memory: from Linux 6.1 on as it comes, before all of them
  // at once. Of those beyond none is followed: each counts as one lost record,
  // LossReason::kTableFull (of those that were open before, once for each process that holds it).
  std::uint32_t max_connections = 65'536;
  // Ring between kernel and host: a power of two, at least a page. A connection takes some
  // 600 bytes an end. Its last quarter is kept from the events of TcpDataMode::kCall.
  std::size_t ring_bytes = std::size_t{4} << 20;
};

// Move-only handle. Threads, callbacks and errors: as ProcessStream.
class MASFLOW_EXPORT TcpStream {
 public:
  using Event = TcpEvent;

  static absl::StatusOr<TcpStream> Open(Session& session, TcpOptions options = {});

  TcpStream(TcpStream&&) noexcept;
  TcpStream& operator=(TcpStream&&) noexcept;
  // Detaches; no callback runs after it has returned.
  ~TcpStream();

  // Each replaces the former callback; null removes it.
  void OnConnect(std::function<void(const TcpConnectView&)> callback);  // failed ones too
  void OnAccept(std::function<void(const TcpAcceptView&)> callback);
  void OnData(std::function<void(const TcpDataView&)> callback);
  void OnClose(std::function<void(const TcpCloseView&)> callback);
  void OnOpen(std::function<void(const TcpOpenView&)> callback);
  void OnListen(std::function<void(const TcpListenView&)> callback);

  // See ProcessStream.
  void StartNext(std::unique_ptr<internal::NextOperation<TcpEvent>> operation);

 private:
  explicit TcpStream(std::shared_ptr<internal::TcpStreamCore> core);

  std::shared_ptr<internal::TcpStreamCore> core_;
};

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_TCP_STREAM_H_
