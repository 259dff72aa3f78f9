// SPDX-License-Identifier: Apache-2.0
#include "masflow/process_stream.h"

#include <utility>

#include "core/options_check.h"
#include "core/session_core.h"
#include "masflow_bpf/wire.h"
#include "process/process_stream_core.h"

namespace masflow {
inline namespace v0 {
namespace {

absl::Status Check(const ProcessOptions& options) {
  if (options.args_limit > MF_ARGS_MAX) {
    return absl::InvalidArgumentError("ProcessOptions::args_limit is above 16,383");
  }
  absl::Status status = internal::CheckRingBytes(options.ring_bytes);
  status.Update(internal::CheckProcessFilter(options.filter));
  return status;
}

}  // namespace

absl::StatusOr<ProcessStream> ProcessStream::Open(Session& session, ProcessOptions options) {
  if (absl::Status status = Check(options); !status.ok()) {
    return status;
  }
  auto core = std::make_shared<internal::ProcessStreamCore>(session.core_, options.snapshot);
  if (absl::Status status = session.core_->OpenStream(std::move(options), core); !status.ok()) {
    return status;
  }
  return ProcessStream(std::move(core));
}

ProcessStream::ProcessStream(std::shared_ptr<internal::ProcessStreamCore> core)
    : core_(std::move(core)) {}
ProcessStream::ProcessStream(ProcessStream&&) noexcept = default;

ProcessStream& ProcessStream::operator=(ProcessStream&& other) noexcept {
  ProcessStream(std::move(*this));  // closes the stream that this handle held
  core_ = std::move(other.core_);
  return *this;
}

ProcessStream::~ProcessStream() {
  if (core_ != nullptr) {
    core_->session().CloseStream(StreamKind::kProcess, core_.get());
  }
}

void ProcessStream::OnExec(std::function<void(const ProcessExecView&)> callback) {
  core_->SetCallback<ProcessExecView>(std::move(callback));
}

void ProcessStream::OnExit(std::function<void(const ProcessExitView&)> callback) {
  core_->SetCallback<ProcessExitView>(std::move(callback));
}

void ProcessStream::OnFork(std::function<void(const ProcessForkView&)> callback) {
  core_->SetCallback<ProcessForkView>(std::move(callback));
}

void ProcessStream::OnExecFailure(std::function<void(const ProcessExecFailureView&)> callback) {
  core_->SetCallback<ProcessExecFailureView>(std::move(callback));
}

void ProcessStream::StartNext(std::unique_ptr<internal::NextOperation<ProcessEvent>> operation) {
  core_->StartNext(std::move(operation));
}

}  // namespace v0
}  // namespace masflow
