// SPDX-License-Identifier: Apache-2.0
#include "masflow/session.h"

#include <string>
#include <system_error>
#include <utility>

#include "core/session_core.h"
#include "core/source_factory.h"
#include "core/thread_runner.h"

namespace masflow {
inline namespace v0 {

absl::StatusOr<Session> Session::Create(SessionOptions options) {
  if (options.latency < std::chrono::microseconds(100) ||
      options.latency > std::chrono::seconds(1)) {
    return absl::InvalidArgumentError("SessionOptions::latency must be from 100 us to 1 s");
  }
  absl::StatusOr<std::shared_ptr<internal::RecordSource>> source = internal::MakeSource(options);
  if (!source.ok()) {
    return source.status();
  }
  return Session(std::make_shared<internal::SessionCore>(*std::move(source),
                                                         std::move(options.workloads.filter)));
}

Session::Session(std::shared_ptr<internal::SessionCore> core) : core_(std::move(core)) {}
Session::Session(Session&&) noexcept = default;

Session& Session::operator=(Session&& other) noexcept {
  Session(std::move(*this));  // ends the session that this handle held
  core_ = std::move(other.core_);
  thread_ = std::move(other.thread_);
  return *this;
}

Session::~Session() {
  if (core_ != nullptr) {
    core_->Stop();
  }
}

absl::Status Session::RunInThread() {
  if (thread_ != nullptr) {
    return absl::FailedPreconditionError("the session has a thread already");
  }
  try {
    thread_ = std::make_unique<internal::ThreadRunner>(core_);
  } catch (const std::system_error& e) {
    return absl::ResourceExhaustedError(std::string("cannot start a thread: ") + e.what());
  }
  return absl::OkStatus();
}

void Session::Wait() {
  if (thread_ != nullptr) {
    thread_->Wait();
  }
}

DrainHandle::DrainHandle(std::shared_ptr<internal::SessionCore> core) : core_(std::move(core)) {}

int DrainHandle::poll_fd() const {
  return core_->poll_fd();
}

DrainResult DrainHandle::Drain(std::size_t max_records) {
  const std::shared_ptr<internal::SessionCore> core = core_;  // a callback may destroy this
  return core->Drain(max_records);
}

DrainHandle Session::drain_handle() const {
  return DrainHandle(core_);
}

int Session::poll_fd() const {
  return core_->poll_fd();
}

DrainResult Session::Drain(std::size_t max_records) {
  return drain_handle().Drain(max_records);
}

void Session::Stop() {
  core_->Stop();
}

void Session::OnLoss(std::function<void(const Loss&)> callback) {
  core_->OnLoss(std::move(callback));
}

SessionStats Session::stats() const {
  return core_->stats();
}

SupportReport Session::support() const {
  return core_->support();
}

WallTime Session::ToWallTime(KernelTime time) const {
  return core_->ToWallTime(time);
}

absl::Status Session::status() const {
  return core_->status();
}

}  // namespace v0
}  // namespace masflow
