// SPDX-License-Identifier: Apache-2.0
#include "kubernetes.h"

#include <memory>
#include <utility>

#include <absl/status/statusor.h>

#ifdef MASFLOW_CLI_KUBERNETES
#include "masflow/kubernetes.h"
#endif
#include "message.h"

namespace masflow_cli {

// A source that also says how it fares, each time that this changes.
class SpeakingSource final : public masflow::NameSource, private masflow::NameSink {
 public:
  explicit SpeakingSource(std::shared_ptr<NameSource> source) : source_(std::move(source)) {}
  ~SpeakingSource() override { source_->Stop(); }

  std::string name() const override { return source_->name(); }
  absl::Status Start(NameSink* sink) override {
    sink_ = sink;
    return absl::OkStatus();
  }
  absl::Status Begin() { return source_->Start(this); }
  void Stop() override { source_->Stop(); }

 private:
  void OnPod(masflow::PodNames pod) override { sink_->OnPod(std::move(pod)); }
  void OnPodGone(const std::string& uid) override { sink_->OnPodGone(uid); }
  void OnService(masflow::ServiceNames service) override { sink_->OnService(std::move(service)); }
  void OnServiceGone(const std::string& service_namespace, const std::string& name) override {
    sink_->OnServiceGone(service_namespace, name);
  }
  // By one thread at a time, as sources have it.
  void OnState(const absl::Status& state) override {
    sink_->OnState(state);
    if (state == said_ || absl::IsUnknown(state)) {
      return;
    }
    said_ = state;
    Say(name() + ": " + (state.ok() ? "works again" : std::string(state.message())));
  }

  const std::shared_ptr<NameSource> source_;
  NameSink* sink_ = nullptr;
  absl::Status said_;
};

namespace {

using Made = absl::StatusOr<std::shared_ptr<masflow::NameSource>>;

#ifdef MASFLOW_CLI_KUBERNETES

template <class Options>
void SetFiles(const KubernetesFlags& flags, Options* options) {
  options->ca_file = flags.ca_file.empty() ? options->ca_file : flags.ca_file;
  options->token_file = flags.token_file.empty() ? options->token_file : flags.token_file;
}

Made MakeApiServer(const KubernetesFlags& flags) {
  masflow::ApiServerOptions options;
  options.url = flags.api_server == "in-cluster" ? std::string() : flags.api_server;
  options.node = flags.node;
  SetFiles(flags, &options);
  return masflow::MakeApiServerSource(std::move(options));
}

Made MakeKubelet(const KubernetesFlags& flags) {
  masflow::KubeletOptions options;
  options.url = flags.kubelet;
  options.verify = !flags.kubelet_insecure;
  SetFiles(flags, &options);
  return masflow::MakeKubeletSource(std::move(options));
}

#else

Made MakeApiServer(const KubernetesFlags& /*flags*/) {
  return absl::UnimplementedError(
      "this masflow was built without the component kubernetes, so it can ask neither the kubelet "
      "nor the API server");
}

Made MakeKubelet(const KubernetesFlags& flags) {
  return MakeApiServer(flags);
}

#endif

}  // namespace

absl::Status CheckKubernetes(const KubernetesFlags& flags) {
  if (!flags.node.empty() && flags.api_server.empty()) {
    return absl::InvalidArgumentError("--node goes with --api-server only");
  }
  if (flags.kubelet_insecure && flags.kubelet.empty()) {
    return absl::InvalidArgumentError("--kubelet-insecure goes with --kubelet only");
  }
  if (!(flags.ca_file.empty() && flags.token_file.empty()) && flags.api_server.empty() &&
      flags.kubelet.empty()) {
    return absl::InvalidArgumentError(
        "--ca-file and --token-file go with --api-server or --kubelet only");
  }
  return absl::OkStatus();
}

absl::StatusOr<NameServers> NameServers::Make(const KubernetesFlags& flags) {
  NameServers servers;
  const auto add = [&servers](Made made) {
    absl::Status status = made.status();
    if (status.ok()) {
      servers.sources_.push_back(std::make_shared<SpeakingSource>(*std::move(made)));
    }
    return status;
  };
  absl::Status status;
  if (!flags.api_server.empty()) {
    status.Update(add(MakeApiServer(flags)));
  }
  if (!flags.kubelet.empty()) {
    status.Update(add(MakeKubelet(flags)));
  }
  return status.ok() ? absl::StatusOr<NameServers>(std::move(servers)) : status;
}

void NameServers::AddTo(masflow::WorkloadOptions* workloads) const {
  workloads->sources.insert(workloads->sources.end(), sources_.begin(), sources_.end());
}

absl::Status NameServers::Begin() const {
  absl::Status status;
  for (const std::shared_ptr<SpeakingSource>& source : sources_) {
    status.Update(source->Begin());
  }
  return status;
}

}  // namespace masflow_cli
