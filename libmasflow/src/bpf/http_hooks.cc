// SPDX-License-Identifier: Apache-2.0
#include "bpf/http_hooks.h"

namespace masflow::internal {
namespace {

constexpr char kByCallLimits[] =
    "messages sent or received by io_uring, by sendmmsg and recvmmsg, and by 32-bit programs "
    "cannot be read; each call that moves bytes pays some 100 ns";

}  // namespace

std::vector<HookPoint> HttpHooks(const Environment& environment, const HttpOptions& options) {
  static_cast<void>(environment);
  std::vector<HookPoint> points{
      {.name = "http send",
       .candidates = {{.mechanism = "tp_btf sock_send_length",
                       .programs = {"mf_http_send"},
                       .limits = kByCallLimits}}},
      {.name = "http receive",
       .candidates = {{.mechanism = "tp_btf sock_recv_length",
                       .programs = {"mf_http_recv"},
                       .limits = kByCallLimits}}},
      {.name = "http end",
       .candidates = {{.mechanism = "raw_tp inet_sock_set_state, tcp_destroy_sock",
                       .programs = HttpUncountedPrograms()}}}};
  if (!options.filter.process.trees.empty()) {
    points.push_back({.name = "process fork and exit",
                      .candidates = {{.mechanism = "raw_tp sched_process_fork, sched_process_exit",
                                      .programs = {"mf_http_fork", "mf_http_exit"}}}});
  }
  return points;
}

std::vector<std::string> HttpUncountedPrograms() {
  return {"mf_http_state", "mf_http_state_2", "mf_http_destroy", "mf_http_destr_2"};
}

}  // namespace masflow::internal
