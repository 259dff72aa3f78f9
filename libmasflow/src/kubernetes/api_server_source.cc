// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "kubernetes/reflector.h"
#include "kubernetes/sources.h"
#include "kubernetes/state_board.h"
#include "kubernetes/worker.h"

namespace masflow {
namespace internal {
namespace {

// One reflector, with a thread of its own, for each resource.
class ApiServerSource final : public NameSource {
 public:
  ApiServerSource(Endpoint endpoint, std::vector<Reflected> reflected, Timings timings)
      : endpoint_(std::move(endpoint)), reflected_(std::move(reflected)), timings_(timings) {}
  ~ApiServerSource() override { StopAll(); }
  ApiServerSource(const ApiServerSource&) = delete;
  ApiServerSource& operator=(const ApiServerSource&) = delete;

  std::string name() const override { return "api server " + endpoint_.url; }

  absl::Status Start(NameSink* sink) override {
    if (board_.has_value()) {
      return absl::InvalidArgumentError("a source of names is for one session only");
    }
    board_.emplace(sink, reflected_.size());
    for (std::size_t i = 0; i < reflected_.size(); ++i) {
      reflectors_.push_back(std::make_unique<Reflector>(
          endpoint_, reflected_[i], timings_, sink,
          [this, i](absl::Status state) { board_->Set(i, std::move(state)); }));
      Reflector& reflector = *reflectors_.back();
      workers_.push_back(std::make_unique<Worker>());
      workers_.back()->Start([&reflector](Worker& worker) { reflector.Run(worker); },
                             [&reflector] { reflector.Cancel(); });
    }
    return absl::OkStatus();
  }

  void Stop() override { StopAll(); }

 private:
  void StopAll() {
    for (const std::unique_ptr<Worker>& worker : workers_) {
      worker->Stop();
    }
  }

  const Endpoint endpoint_;
  const std::vector<Reflected> reflected_;
  const Timings timings_;
  std::optional<StateBoard> board_;
  std::vector<std::unique_ptr<Reflector>> reflectors_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

// Of the cluster that this process runs in, as Kubernetes tells each container.
absl::StatusOr<std::string> InClusterUrl() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr) {
    return absl::FailedPreconditionError(
        "this is not in a pod, as KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not "
        "set: give the address of the API server");
  }
  const bool ipv6 = std::string_view(host).find(':') != std::string_view::npos;
  return "https://" + (ipv6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + port;
}

// It becomes a part of the request.
bool IsNodeName(std::string_view name) {
  constexpr std::size_t kMostBytes = 253;
  return name.size() <= kMostBytes && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

}  // namespace

absl::StatusOr<std::shared_ptr<NameSource>> MakeApiServer(ApiServerOptions options,
                                                          Timings timings) {
  absl::StatusOr<std::string> url =
      options.url.empty() ? InClusterUrl() : absl::StatusOr<std::string>(options.url);
  if (!url.ok()) {
    return url.status();
  }
  absl::StatusOr<Endpoint> endpoint = ParseUrl(*url);
  if (!endpoint.ok()) {
    return endpoint.status();
  }
  if (!IsNodeName(options.node)) {
    return absl::InvalidArgumentError("'" + options.node + "' is no name of a node");
  }
  endpoint->ca_file = std::move(options.ca_file);
  endpoint->token_file = std::move(options.token_file);
  std::vector<Reflected> reflected = {
      {.resource = Resource::kPods, .node = std::move(options.node)}};
  if (options.services) {
    reflected.push_back({.resource = Resource::kServices});
  }
  return std::make_shared<ApiServerSource>(*std::move(endpoint), std::move(reflected), timings);
}

}  // namespace internal

inline namespace v0 {

absl::StatusOr<std::shared_ptr<NameSource>> MakeApiServerSource(ApiServerOptions options) {
  return internal::MakeApiServer(std::move(options), {});
}

}  // namespace v0
}  // namespace masflow
