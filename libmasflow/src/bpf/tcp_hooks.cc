// SPDX-License-Identifier: Apache-2.0
#include "bpf/tcp_hooks.h"

#include "bpf/shared_hooks.h"

namespace masflow::internal {
namespace {

constexpr char kAcceptByCall[] = "mf_accept_sx";
constexpr char kConnectByCall[] = "mf_connect_sx";

constexpr char kAcceptLimits[] =
    "an accept by io_uring or a 32-bit program is told at the first use of its socket, the owner "
    "marked as inferred (with a process filter: not at all); ";
constexpr char kConnectLimits[] =
    "errors before the first packet are not seen of io_uring and of 32-bit programs; ";
constexpr char kTracepointCost[] = "every system call of the machine pays some 20 ns";
constexpr char kSysExitCost[] = "every system call of the machine pays some 50 ns";

// A kprobe costs some 100 ns more, but no program of its kind is ever preempted.
HookPoint KprobeFirstIfPreempted(const Environment& environment, HookPoint point) {
  if (environment.PreemptsPrograms()) {
    std::swap(point.candidates[0], point.candidates[1]);
  }
  return point;
}

HookPoint AcceptPoint(const Environment& environment) {
  return {.name = "tcp accept",
          .required = false,
          .candidates = {{.mechanism = "fentry security_sock_graft",
                          .programs = {"mf_accept_fe"},
                          .unfit = environment.WhyNoFexit("security_sock_graft")},
                         {.mechanism = "kprobe security_sock_graft",
                          .programs = {"mf_accept_kp"},
                          .unfit = Environment::WhyNoKprobe()},
                         {.mechanism = "tracepoint sys_exit_accept, sys_exit_accept4",
                          .programs = {"mf_accept_tp", "mf_accept4_tp"},
                          .limits = std::string(kAcceptLimits) + kTracepointCost},
                         {.mechanism = "tp_btf sys_exit",
                          .programs = {kAcceptByCall},
                          .limits = std::string(kAcceptLimits) + kSysExitCost}}};
}

HookPoint ConnectErrorPoint(const Environment& environment) {
  return {.name = "tcp connect error",
          .required = false,
          .candidates = {{.mechanism = "fexit tcp_v4_connect, tcp_v6_connect",
                          .programs = {"mf_connect4_fx", "mf_connect6_fx"},
                          .unfit = environment.WhyNoFexit("tcp_v4_connect")},
                         {.mechanism = "kretprobe tcp_v4_connect, tcp_v6_connect",
                          .programs = {"mf_connect4_kp", "mf_connect4_krp", "mf_connect6_kp",
                                       "mf_connect6_krp"},
                          .maps = {"connect_calls"},
                          .unfit = Environment::WhyNoKprobe()},
                         {.mechanism = "tracepoint sys_exit_connect",
                          .programs = {"mf_connect_tp"},
                          .limits = std::string(kConnectLimits) + kTracepointCost},
                         {.mechanism = "tp_btf sys_exit",
                          .programs = {kConnectByCall},
                          .limits = std::string(kConnectLimits) + kSysExitCost}}};
}

constexpr char kTlsInRecords[] =
    "of what the kernel encrypts (kTLS) some is not seen, the rest as its records";

HookPoint SendPoint(const Environment& environment) {
  HookCandidate fexit{.mechanism = "fexit tcp_sendmsg",
                      .programs = {"mf_send_fx"},
                      .limits = kTlsInRecords,
                      .unfit = environment.WhyNoFexit("tcp_sendmsg")};
  HookCandidate kprobe{
      .mechanism = "kprobe tcp_sendmsg_locked, release_sock",
      .programs = {"mf_send_kp", "mf_release_kp"},
      .limits = std::string("a call that waits for room is told in parts; ") + kTlsInRecords,
      .unfit = Environment::WhyNoKprobe()};
  if (environment.FunctionArguments("tcp_sendpage") != 0) {  // sendfile, before 6.5
    fexit.mechanism += ", tcp_sendpage";
    fexit.programs.push_back("mf_sendpage_fx");
    kprobe.mechanism = "kprobe tcp_sendmsg_locked, tcp_sendpage, release_sock";
    kprobe.programs.push_back("mf_sendpage_kp");
  }
  return {.name = "tcp send",
          .candidates = {{.mechanism = "raw_tp sock_send_length",
                          .programs = {"mf_send_tp"},
                          .limits = "each send pays some 100 ns; sendfile is seen from 6.5 on, in "
                                    "parts of 64 KiB",
                          .unfit = environment.WhyNoTracepoint("sock_send_length")},
                         std::move(fexit),
                         std::move(kprobe)}};
}

HookPoint ReceivePoint(const Environment& environment) {
  constexpr char kMechanism[] = "fexit tcp_recvmsg, tcp_splice_read";
  const auto fexit = [&](int arguments) -> HookCandidate {
    return {.mechanism = std::string(kMechanism) + " (" + std::to_string(arguments) + " arguments)",
            .programs = {"mf_recv_fx" + std::to_string(arguments), "mf_splice_fx"},
            .limits = std::string("zero-copy receive is not seen; ") + kTlsInRecords,
            .unfit = environment.WhyNoFexit("tcp_recvmsg", arguments)};
  };
  return {.name = "tcp receive",
          .candidates = {{.mechanism = "raw_tp sock_recv_length",
                          .programs = {"mf_recv_tp"},
                          .limits = "each receive pays some 100 ns; splice from a socket and "
                                    "zero-copy receive are not seen",
                          .unfit = environment.WhyNoTracepoint("sock_recv_length")},
                         fexit(4),
                         fexit(5),
                         fexit(6),
                         {.mechanism = "raw_tp tcp_rcv_space_adjust",
                          .programs = {"mf_recv_ra"},
                          .limits = std::string("a call is told in parts, one a packet buffer; ") +
                                    kTlsInRecords}}};
}

}  // namespace

std::vector<HookPoint> TcpHooks(const Environment& environment, const TcpOptions& options) {
  std::vector<HookPoint> points{
      {.name = "tcp state",
       .candidates = {{.mechanism = "raw_tp inet_sock_set_state",
                       .programs = {"mf_tcp_state", "mf_tcp_state_again"}}}},
      {.name = "tcp destroy",
       .candidates = {{.mechanism = "raw_tp tcp_destroy_sock",
                       .programs = {"mf_tcp_destroy", "mf_tcp_destroy_again"}}}},
      KprobeFirstIfPreempted(environment, AcceptPoint(environment)),
      KprobeFirstIfPreempted(environment, ConnectErrorPoint(environment))};
  if (environment.PreemptsPrograms()) {  // a process that is in the second can be preempted too
    points[0].candidates[0].programs.push_back("mf_tcp_state_3");
  }
  if (options.data == TcpDataMode::kCall) {
    points.push_back(SendPoint(environment));
    points.push_back(ReceivePoint(environment));
  } else if (options.data == TcpDataMode::kInterval) {
    points.push_back(TablePassPoint(environment, "tcp pass", "mf_tcp_pass", {"pass_records"}));
  }
  if (!options.filter.process.trees.empty()) {
    points.push_back(TreePoint(environment, "mf_tcp"));
  }
  return points;
}

std::vector<std::string> TcpUncountedPrograms() {
  return {kAcceptByCall,    kConnectByCall,   "mf_tcp_state",        "mf_tcp_state_again",
          "mf_tcp_state_3", "mf_tcp_destroy", "mf_tcp_destroy_again"};
}

}  // namespace masflow::internal
