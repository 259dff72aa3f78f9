// SPDX-License-Identifier: Apache-2.0
#include "masflow/tcp_stream.h"

#include <utility>

#include "core/options_check.h"
#include "core/session_core.h"
#include "tcp/tcp_stream_core.h"

namespace masflow {
inline namespace v0 {
namespace {

constexpr std::chrono::milliseconds kShortestInterval{10};
constexpr std::chrono::hours kLongestInterval{1};

absl::Status Check(const TcpOptions& options) {
  if (options.data_interval < kShortestInterval || options.data_interval > kLongestInterval) {
    return absl::InvalidArgumentError("TcpOptions::data_interval must be from 10 ms to 1 hour");
  }
  absl::Status status =
      internal::CheckMaxConnections("TcpOptions::max_connections", options.max_connections);
  status.Update(internal::CheckRingBytes(options.ring_bytes));
  status.Update(internal::CheckTcpFilter(options.filter));
  return status;
}

}  // namespace

absl::StatusOr<TcpStream> TcpStream::Open(Session& session, TcpOptions options) {
  if (absl::Status status = Check(options); !status.ok()) {
    return status;
  }
  auto core = std::make_shared<internal::TcpStreamCore>(session.core_);
  if (absl::Status status = session.core_->OpenStream(std::move(options), core); !status.ok()) {
    return status;
  }
  return TcpStream(std::move(core));
}

TcpStream::TcpStream(std::shared_ptr<internal::TcpStreamCore> core) : core_(std::move(core)) {}
TcpStream::TcpStream(TcpStream&&) noexcept = default;

TcpStream& TcpStream::operator=(TcpStream&& other) noexcept {
  TcpStream(std::move(*this));  // closes the stream that this handle held
  core_ = std::move(other.core_);
  return *this;
}

TcpStream::~TcpStream() {
  if (core_ != nullptr) {
    core_->session().CloseStream(StreamKind::kTcp, core_.get());
  }
}

void TcpStream::OnConnect(std::function<void(const TcpConnectView&)> callback) {
  core_->SetCallback<TcpConnectView>(std::move(callback));
}

void TcpStream::OnAccept(std::function<void(const TcpAcceptView&)> callback) {
  core_->SetCallback<TcpAcceptView>(std::move(callback));
}

void TcpStream::OnData(std::function<void(const TcpDataView&)> callback) {
  core_->SetCallback<TcpDataView>(std::move(callback));
}

void TcpStream::OnClose(std::function<void(const TcpCloseView&)> callback) {
  core_->SetCallback<TcpCloseView>(std::move(callback));
}

void TcpStream::OnOpen(std::function<void(const TcpOpenView&)> callback) {
  core_->SetCallback<TcpOpenView>(std::move(callback));
}

void TcpStream::OnListen(std::function<void(const TcpListenView&)> callback) {
  core_->SetCallback<TcpListenView>(std::move(callback));
}

void TcpStream::StartNext(std::unique_ptr<internal::NextOperation<TcpEvent>> operation) {
  core_->StartNext(std::move(operation));
}

}  // namespace v0
}  // namespace masflow
