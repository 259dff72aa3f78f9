// SPDX-License-Identifier: Apache-2.0
//
// The events of TcpStream. As in events.h each comes as a view and as an owner of its
// text, with the same fields.
//
// An event tells of one connection as one of its two ends has it: where both ends are
// on this machine, each has its own events.
#ifndef MASFLOW_TCP_EVENTS_H_
#define MASFLOW_TCP_EVENTS_H_

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "masflow/events.h"
#include "masflow/export.h"

namespace masflow {
inline namespace v0 {

// An IPv4 or IPv6 address. IPv4-mapped IPv6 addresses (::ffff:a.b.c.d) come as IPv4.
struct IpAddress {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // network byte order; IPv4: the first four

  bool is_unspecified() const { return bytes == decltype(bytes){}; }  // 0.0.0.0 or ::
  // 127.0.0.0/8 or ::1.
  MASFLOW_EXPORT bool is_loopback() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;
};

struct Endpoint {
  IpAddress address{};
  std::uint16_t port = 0;  // host byte order

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// "192.0.2.1", "2001:db8::1" (RFC 5952). Thread-safe.
MASFLOW_EXPORT std::string ToString(const IpAddress& address);
// "192.0.2.1:80", "[2001:db8::1]:80".
MASFLOW_EXPORT std::string ToString(const Endpoint& endpoint);

// One end of one connection for its whole life, and no other one after it: sockets and
// port pairs are used again, this is not. The same in all events of the connection.
struct ConnectionId {
  KernelTime birth{};     // when it was first seen
  std::uint32_t tag = 0;  // tells apart those that were first seen at the same moment

  friend auto operator<=>(const ConnectionId&, const ConnectionId&) = default;
};

enum class TcpRole : std::uint8_t {
  kClient = 1,  // the local end opened the connection
  kServer = 2,  // the remote end did
};

template <class Text>
struct BasicConnection {
  ConnectionId id{};
  // Of a connect that failed before it was given an address: unspecified, port 0.
  Endpoint local{};
  Endpoint remote{};
  std::optional<TcpRole> role{};
  bool role_inferred = false;  // pre-existing: from the listening sockets, as they were then
  std::uint32_t netns = 0;     // inode number of the network namespace (/proc/<pid>/ns/net)
  // The process that called connect() or accept(), as it was at that call; it stays the
  // owner when others get the socket by fork or fd passing. Pre-existing: the first process
  // found to hold it. Absent: nobody has accepted it.
  std::optional<BasicProcess<Text>> owner{};
  // The call was not seen (an accept by io_uring without fexit or kprobe): this is the
  // first process seen to use the socket.
  bool owner_inferred = false;
  bool pre_existing = false;  // was open before the stream; its counts begin with the stream
  // The pod or service that has the remote address, by the Kubernetes API; null: none, or not
  // known. Of a connection within this machine: what the other end's own events say is better.
  WorkloadPointer<Text> peer{};

  // The end that opened the connection, and the other one. Where the role is not known,
  // the local one and the remote one.
  const Endpoint& source() const { return role == TcpRole::kServer ? remote : local; }
  const Endpoint& destination() const { return role == TcpRole::kServer ? local : remote; }

  friend bool operator==(const BasicConnection&, const BasicConnection&) = default;
};
using ConnectionView = BasicConnection<std::string_view>;
using Connection = BasicConnection<std::string>;

// A process seen to use a socket that is another's.
template <class Text>
struct BasicSocketUser {
  ProcessId id{};
  Text comm{};

  friend bool operator==(const BasicSocketUser&, const BasicSocketUser&) = default;
};
using SocketUserView = BasicSocketUser<std::string_view>;
using SocketUser = BasicSocketUser<std::string>;

enum class ConnectOutcome : std::uint8_t {
  kConnected = 0,
  kFailed = 1,
  kAbandoned = 2,  // the application closed the socket before there was an answer
};

// connect() has come to its end, whenever that is: also of a non-blocking one. Source:
// raw_tp inet_sock_set_state (Linux 4.16), tcp_destroy_sock (4.15). Errors before the first
// packet (no route, no free port): see SupportReport, "tcp connect error".
template <class Text>
struct BasicTcpConnect {
  KernelTime time{};
  BasicConnection<Text> connection{};
  std::uint32_t tid = 0;  // the thread that called connect()
  ConnectOutcome outcome{};
  int error = 0;  // errno, e.g. ECONNREFUSED; 0 unless kFailed
  // From the first SYN to the outcome. Absent if no SYN was sent, or before the stream.
  std::optional<std::chrono::nanoseconds> handshake{};

  friend bool operator==(const BasicTcpConnect&, const BasicTcpConnect&) = default;
};
using TcpConnectView = BasicTcpConnect<std::string_view>;
using TcpConnect = BasicTcpConnect<std::string>;

// accept() has returned a connection. Source: SupportReport, "tcp accept".
template <class Text>
struct BasicTcpAccept {
  KernelTime time{};
  BasicConnection<Text> connection{};
  std::uint32_t tid = 0;  // the thread that called accept()
  // From the end of the handshake to accept(). Absent if the handshake was not seen.
  std::optional<std::chrono::nanoseconds> queued{};

  friend bool operator==(const BasicTcpAccept&, const BasicTcpAccept&) = default;
};
using TcpAcceptView = BasicTcpAccept<std::string_view>;
using TcpAccept = BasicTcpAccept<std::string>;

// Payload that a connection moved. TcpDataMode::kInterval: since its last such event, from
// the kernel's own counters: sent is what was handed to the network (each byte once),
// received is what arrived in order, read or not. The last one comes right before the
// TcpClose; all of them sum up to its totals. kCall: one system call, what it really moved.
template <class Text>
struct BasicTcpData {
  KernelTime time{};
  BasicConnection<Text> connection{};
  std::uint64_t tx_bytes = 0;  // by the local end
  std::uint64_t rx_bytes = 0;
  // kInterval: since the connection was first seen, these included. kCall: absent.
  std::optional<std::uint64_t> tx_total_bytes{};
  std::optional<std::uint64_t> rx_total_bytes{};
  std::optional<std::chrono::nanoseconds> span{};  // kInterval: the time that it covers
  std::optional<std::uint32_t> tid{};              // kCall: the thread that called
  std::optional<BasicSocketUser<Text>> user{};     // kCall: who called, if not the owner

  friend bool operator==(const BasicTcpData&, const BasicTcpData&) = default;
};
using TcpDataView = BasicTcpData<std::string_view>;
using TcpData = BasicTcpData<std::string>;

enum class CloseReason : std::uint8_t {
  kFin = 0,          // in order
  kRemoteReset = 1,  // the remote end sent a RST
  kLocalReset = 2,   // the local end sent a RST: closed with unread data, or linger 0
  kTimeout = 3,      // the remote end did not answer any more
  kError = 4,        // another error, e.g. ended by the administrator (ECONNABORTED)
  kUnseen = 5,       // the kernel did not tell: found ended later, counts as last known (rare)
};
// "fin", "remote reset", "local reset", "timeout", "error", "unseen".
MASFLOW_EXPORT std::string_view Name(CloseReason reason);

enum class TcpEnd : std::uint8_t { kLocal = 1, kRemote = 2 };

// The connection is closed in the kernel (state CLOSE, or TIME_WAIT where the kernel keeps
// no socket for it). Source: raw_tp inet_sock_set_state, with the counters of the socket.
template <class Text>
struct BasicTcpClose {
  KernelTime time{};
  BasicConnection<Text> connection{};
  CloseReason reason{};
  int error = 0;                         // errno that the socket had; 0: none
  std::optional<TcpEnd> closed_first{};  // who sent the first FIN or RST; absent: a timeout
  bool accepted = true;                  // false: nobody ever took it out of the accept queue
  std::optional<std::chrono::nanoseconds> duration{};  // since the handshake, if that was seen
  // All counts: since the handshake; of pre-existing ones since the stream was opened.
  std::uint64_t tx_bytes = 0;  // payload, each byte once
  std::uint64_t rx_bytes = 0;
  std::uint32_t tx_segments = 0;  // all: also acknowledgements, also sent again
  std::uint32_t rx_segments = 0;
  std::uint32_t retransmits = 0;                            // segments sent again
  std::optional<std::chrono::microseconds> smoothed_rtt{};  // round trip time, at the end
  std::optional<std::chrono::microseconds> min_rtt{};  // of the last minutes (tcp_min_rtt_wlen)
  std::optional<BasicSocketUser<Text>> user{};  // who closed it or used it last, if not the owner

  friend bool operator==(const BasicTcpClose&, const BasicTcpClose&) = default;
};
using TcpCloseView = BasicTcpClose<std::string_view>;
using TcpClose = BasicTcpClose<std::string>;

// Was open before the stream. Source: iter/task_file (5.8); sees the processes of the
// reader's pid namespace, in all network namespaces.
template <class Text>
struct BasicTcpOpen {
  KernelTime time{};  // when it was found
  BasicConnection<Text> connection{};

  friend bool operator==(const BasicTcpOpen&, const BasicTcpOpen&) = default;
};
using TcpOpenView = BasicTcpOpen<std::string_view>;
using TcpOpen = BasicTcpOpen<std::string>;

// A listening socket: the owner called listen(), or (pre_existing) was the first process
// found to hold it. connection.remote is unspecified. Source: as of the events above.
template <class Text>
struct BasicTcpListen {
  KernelTime time{};
  BasicConnection<Text> connection{};
  std::uint32_t backlog = 0;  // connections that may wait for accept()

  friend bool operator==(const BasicTcpListen&, const BasicTcpListen&) = default;
};
using TcpListenView = BasicTcpListen<std::string_view>;
using TcpListen = BasicTcpListen<std::string>;

// What TcpStream delivers where one type is needed (AsioDriver::AsyncNext).
using TcpEvent = std::variant<TcpConnect, TcpAccept, TcpData, TcpClose, TcpOpen, TcpListen>;

// The deep copy, and the reverse: a view of an event that the caller keeps alive.
MASFLOW_EXPORT TcpConnect Own(const TcpConnectView& view);
MASFLOW_EXPORT TcpAccept Own(const TcpAcceptView& view);
MASFLOW_EXPORT TcpData Own(const TcpDataView& view);
MASFLOW_EXPORT TcpClose Own(const TcpCloseView& view);
MASFLOW_EXPORT TcpOpen Own(const TcpOpenView& view);
MASFLOW_EXPORT TcpListen Own(const TcpListenView& view);
MASFLOW_EXPORT TcpConnectView View(const TcpConnect& event);
MASFLOW_EXPORT TcpAcceptView View(const TcpAccept& event);
MASFLOW_EXPORT TcpDataView View(const TcpData& event);
MASFLOW_EXPORT TcpCloseView View(const TcpClose& event);
MASFLOW_EXPORT TcpOpenView View(const TcpOpen& event);
MASFLOW_EXPORT TcpListenView View(const TcpListen& event);

}  // namespace v0
}  // namespace masflow

template <>
struct std::hash<masflow::ConnectionId> {
  std::size_t operator()(const masflow::ConnectionId& id) const noexcept {
    return std::hash<std::uint64_t>()(
        static_cast<std::uint64_t>(id.birth.time_since_epoch().count()) * 0x9E3779B97F4A7C15u ^
        id.tag);
  }
};

#endif  // MASFLOW_TCP_EVENTS_H_
