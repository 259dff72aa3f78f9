// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <utility>

#include "kubernetes/backoff.h"
#include "kubernetes/http_client.h"
#include "kubernetes/known_objects.h"
#include "kubernetes/requests.h"
#include "kubernetes/sources.h"
#include "kubernetes/worker.h"

namespace masflow {
namespace internal {
namespace {

// Asks the kubelet for all its pods again and again: it cannot be watched.
class KubeletSource final : public NameSource {
 public:
  KubeletSource(Endpoint endpoint, std::chrono::milliseconds interval, Timings timings)
      : interval_(interval), timings_(timings), client_(std::move(endpoint), timings.connect) {}
  ~KubeletSource() override { worker_.Stop(); }
  KubeletSource(const KubeletSource&) = delete;
  KubeletSource& operator=(const KubeletSource&) = delete;

  std::string name() const override { return "kubelet " + client_.endpoint().url; }

  absl::Status Start(NameSink* sink) override {
    if (known_.has_value()) {
      return absl::InvalidArgumentError("a source of names is for one session only");
    }
    known_.emplace(sink);
    sink->OnState(absl::UnknownError("no answer yet"));
    worker_.Start([this, sink](Worker&) { Run(sink); }, [this] { client_.Cancel(); });
    return absl::OkStatus();
  }

  void Stop() override { worker_.Stop(); }

 private:
  void Run(NameSink* sink) {
    Backoff backoff(timings_.first_pause, timings_.longest_pause);
    while (true) {
      std::chrono::seconds retry_after{};
      const absl::Status state = List(&retry_after);
      if (absl::IsCancelled(state)) {
        return;
      }
      sink->OnState(state);
      std::chrono::milliseconds pause = interval_;
      if (state.ok()) {
        backoff.Reset();
      } else {
        pause = backoff.Next(retry_after);
      }
      if (!worker_.Pause(pause)) {
        return;
      }
    }
  }

  absl::Status List(std::chrono::seconds* retry_after) {
    absl::StatusOr<ObjectList> list =
        AskForList(&client_, "/pods", "get of nodes/proxy", timings_.silence, Resource::kPods,
                   NamesFrom::kKubelet, retry_after);
    if (!list.ok()) {
      return list.status();
    }
    known_->BeginList();
    for (KubeObject& object : list->objects) {
      known_->Put(std::move(object));
    }
    known_->EndList();
    return absl::OkStatus();
  }

  const std::chrono::milliseconds interval_;
  const Timings timings_;
  HttpClient client_;
  std::optional<KnownObjects> known_;  // once started, of the worker
  Worker worker_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<NameSource>> MakeKubelet(KubeletOptions options, Timings timings) {
  absl::StatusOr<Endpoint> endpoint = ParseUrl(options.url);
  if (!endpoint.ok()) {
    return endpoint.status();
  }
  if (options.interval < std::chrono::seconds(1) || options.interval > std::chrono::hours(1)) {
    return absl::InvalidArgumentError("the kubelet is asked every 1 s to 1 h, not otherwise");
  }
  endpoint->ca_file = std::move(options.ca_file);
  endpoint->verify = options.verify;
  endpoint->token_file = std::move(options.token_file);
  return std::make_shared<KubeletSource>(*std::move(endpoint), options.interval, timings);
}

}  // namespace internal

inline namespace v0 {

absl::StatusOr<std::shared_ptr<NameSource>> MakeKubeletSource(KubeletOptions options) {
  return internal::MakeKubelet(std::move(options), {});
}

}  // namespace v0
}  // namespace masflow
