// SPDX-License-Identifier: Apache-2.0
#include "masflow/http_stream.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/options_check.h"
#include "core/session_core.h"
#include "http/head_parser.h"
#include "http/header_choice.h"
#include "http/http_stream_core.h"

namespace masflow {
inline namespace v0 {
namespace {

constexpr std::size_t kMostHeaders = 64;
constexpr std::uint32_t kSmallestCapture = 256;
constexpr std::uint32_t kLargestCapture = MF_HTTP_CAPTURE_MAX;

absl::Status CheckHeader(const std::string& option, const std::string& name) {
  constexpr std::array<std::string_view, 4> kSecret = {"authorization", "cookie", "set-cookie",
                                                       "proxy-authorization"};
  if (!internal::IsToken(name)) {
    return absl::InvalidArgumentError(option + ": \"" + name +
                                      "\" is no header's name (RFC 9110 5.1)");
  }
  if (std::any_of(kSecret.begin(), kSecret.end(), [&](std::string_view secret) {
        return internal::EqualsIgnoringCase(name, secret);
      })) {
    return absl::InvalidArgumentError(option + ": " + name +
                                      " holds credentials, which this library does not hand out");
  }
  return absl::OkStatus();
}

absl::Status CheckHeaders(const std::string& option, const std::vector<std::string>& names) {
  if (names.size() > kMostHeaders) {
    return absl::InvalidArgumentError(option + " holds more than 64 names");
  }
  absl::Status status;
  for (const std::string& name : names) {
    status.Update(CheckHeader(option, name));
  }
  return status;
}

absl::Status CheckCapture(const std::string& option, std::uint32_t bytes) {
  if (bytes < kSmallestCapture || bytes > kLargestCapture) {
    return absl::InvalidArgumentError(option + " must be from 256 to 15,360");
  }
  return absl::OkStatus();
}

absl::Status Check(const HttpOptions& options) {
  absl::Status status =
      internal::CheckMaxConnections("HttpOptions::max_connections", options.max_connections);
  status.Update(CheckCapture("HttpOptions::request_capture", options.request_capture));
  status.Update(CheckCapture("HttpOptions::response_capture", options.response_capture));
  status.Update(CheckHeaders("HttpOptions::request_headers", options.request_headers));
  status.Update(CheckHeaders("HttpOptions::response_headers", options.response_headers));
  status.Update(internal::CheckRingBytes(options.ring_bytes));
  status.Update(internal::CheckTcpFilter(options.filter));
  return status;
}

}  // namespace

absl::StatusOr<HttpStream> HttpStream::Open(Session& session, HttpOptions options) {
  if (absl::Status status = Check(options); !status.ok()) {
    return status;
  }
  auto core = std::make_shared<internal::HttpStreamCore>(session.core_, options);
  if (absl::Status status = session.core_->OpenStream(std::move(options), core); !status.ok()) {
    return status;
  }
  return HttpStream(std::move(core));
}

HttpStream::HttpStream(std::shared_ptr<internal::HttpStreamCore> core) : core_(std::move(core)) {}
HttpStream::HttpStream(HttpStream&&) noexcept = default;

HttpStream& HttpStream::operator=(HttpStream&& other) noexcept {
  HttpStream(std::move(*this));  // closes the stream that this handle held
  core_ = std::move(other.core_);
  return *this;
}

HttpStream::~HttpStream() {
  if (core_ != nullptr) {
    core_->session().CloseStream(StreamKind::kHttp, core_.get());
  }
}

void HttpStream::OnExchange(std::function<void(const HttpExchangeView&)> callback) {
  core_->SetCallback<HttpExchangeView>(std::move(callback));
}

void HttpStream::StartNext(std::unique_ptr<internal::NextOperation<HttpExchange>> operation) {
  core_->StartNext(std::move(operation));
}

}  // namespace v0
}  // namespace masflow
