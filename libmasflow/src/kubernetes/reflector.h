// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_REFLECTOR_H_
#define MASFLOW_KUBERNETES_REFLECTOR_H_

#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "kubernetes/backoff.h"
#include "kubernetes/http_client.h"
#include "kubernetes/known_objects.h"
#include "kubernetes/object_json.h"
#include "kubernetes/timings.h"
#include "kubernetes/worker.h"

namespace masflow::internal {

// What a reflector reads.
struct Reflected {
  Resource resource{};
  std::string node{};  // pods: only those of this node; empty: all
};

// Keeps a sink up to date with one resource of the API server: lists all, then watches what
// changes from there on. A watch that ends is begun again where it ended, for what was missed; if
// the server does not know that place any more (410), all is listed anew.
class Reflector {
 public:
  Reflector(Endpoint endpoint, Reflected reflected, Timings timings, NameSink* sink,
            std::function<void(absl::Status)> on_state);

  // The work of `worker`, until it is stopped.
  void Run(Worker& worker);
  void Cancel() { client_.Cancel(); }

 private:
  absl::Status List();
  absl::Status Watch();
  absl::Status ReadEvents(std::string_view piece, std::string* unfinished);
  absl::Status ReadEvent(std::string_view line);
  std::string Needs() const;  // which rights
  std::string Target(const std::string& parameters) const;

  HttpClient client_;
  const Reflected reflected_;
  const Timings timings_;
  const std::function<void(absl::Status)> on_state_;
  KnownObjects known_;
  Backoff backoff_;
  std::minstd_rand random_{std::random_device()()};
  std::string version_;                 // what was read is true up to here; empty: nothing was
  std::chrono::seconds retry_after_{};  // what the last reply asked for
};

}  // namespace masflow::internal

#endif  // MASFLOW_KUBERNETES_REFLECTOR_H_
