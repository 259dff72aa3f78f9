// SPDX-License-Identifier: Apache-2.0
#include "bpf/http_hooks.h"

#include "bpf/shared_hooks.h"

namespace masflow::internal {
namespace {

constexpr char kByLengthLimits[] =
    "messages sent or received by io_uring, by sendmmsg and recvmmsg, and by 32-bit programs "
    "cannot be read; each call that moves bytes pays some 100 ns, one that is captured some 600";

constexpr char kNoTls[] = "what the kernel encrypts (kTLS) is not seen";

HookPoint SendPoint(const Environment& environment) {
  return {.name = "http send",
          .candidates = {{.mechanism = "tp_btf sock_send_length",
                          .programs = {"mf_http_send"},
                          .limits = kByLengthLimits,
                          .unfit = environment.WhyNoTracepoint("sock_send_length")},
                         {.mechanism = "fentry, fexit tcp_sendmsg_locked",
                          .programs = {"mf_http_send_fe", "mf_http_send_fx"},
                          .maps = {"http_postponed"},
                          .limits = kNoTls,
                          .unfit = environment.WhyNoFexit("tcp_sendmsg_locked")},
                         {.mechanism = "kprobe tcp_sendmsg_locked, release_sock",
                          .programs = {"mf_http_send_kp", "mf_http_rel_kp"},
                          .maps = {"http_postponed"},
                          .limits = kNoTls,
                          .unfit = Environment::WhyNoKprobe()}}};
}

HookPoint ReceivePoint(const Environment& environment) {
  constexpr char kMechanism[] = "fentry, fexit tcp_recvmsg";
  const auto fexit = [&](int arguments) -> HookCandidate {
    return {.mechanism = std::string(kMechanism) + " (" + std::to_string(arguments) + " arguments)",
            .programs = {"mf_http_recv_fe", "mf_http_recv_f" + std::to_string(arguments)},
            .maps = {"http_reads"},
            .limits = std::string("splice from a socket is counted, not read; ") + kNoTls,
            .unfit = environment.WhyNoFexit("tcp_recvmsg", arguments)};
  };
  return {.name = "http receive",
          .candidates = {
              {.mechanism = "tp_btf sock_recv_length",
               .programs = {"mf_http_recv"},
               .limits = kByLengthLimits,
               .unfit = environment.WhyNoTracepoint("sock_recv_length")},
              fexit(4),
              fexit(5),
              fexit(6),
              {.mechanism = "kprobe tcp_recvmsg, raw_tp tcp_rcv_space_adjust",
               .programs = {"mf_http_recv_kp", "mf_http_recv_ra"},
               .maps = {"http_reads"},
               .limits = std::string("a call is told in parts, one a packet buffer; ") + kNoTls,
               .unfit = Environment::WhyNoKprobe()}}};
}

}  // namespace

std::vector<HookPoint> HttpHooks(const Environment& environment, const HttpOptions& options) {
  std::vector<HookPoint> points{
      SendPoint(environment),
      ReceivePoint(environment),
      {.name = "http end",
       .candidates = {{.mechanism = "raw_tp inet_sock_set_state, tcp_destroy_sock",
                       .programs = HttpUncountedPrograms()}}},
      TablePassPoint(environment, "http pass", "mf_http_pass")};
  if (!options.filter.process.trees.empty()) {
    points.push_back(TreePoint(environment, "mf_http"));
  }
  return points;
}

std::vector<std::string> HttpUncountedPrograms() {
  return {"mf_http_state", "mf_http_state_2", "mf_http_destroy", "mf_http_destr_2"};
}

}  // namespace masflow::internal
