// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_TIMINGS_H_
#define MASFLOW_KUBERNETES_TIMINGS_H_

#include <chrono>

namespace masflow::internal {

// How long is waited for a server. Tests have shorter ones.
struct Timings {
  std::chrono::milliseconds connect = std::chrono::seconds(10);  // TCP, TLS
  std::chrono::milliseconds silence = std::chrono::seconds(30);  // until the next bytes of a reply
  // A watch ends by itself after this time to twice this time. A server that is silent for
  // `silence` longer is gone.
  std::chrono::seconds watch = std::chrono::minutes(5);
  std::chrono::milliseconds first_pause = std::chrono::seconds(1);
  std::chrono::milliseconds longest_pause = std::chrono::seconds(60);
};

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_TIMINGS_H_
