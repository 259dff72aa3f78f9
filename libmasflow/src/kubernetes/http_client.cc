// SPDX-License-Identifier: Apache-2.0
#include "kubernetes/http_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace masflow::internal {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::iequals;
using Clock = std::chrono::steady_clock;
using Error = boost::system::error_code;
using Milliseconds = std::chrono::milliseconds;
using Text = boost::beast::string_view;
// With the executor's own type: the one that hides any costs code and time.
using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
using Resolver = asio::ip::basic_resolver<asio::ip::tcp, asio::io_context::executor_type>;
using TlsStream = asio::ssl::stream<Socket&>;

constexpr int kOk = 200;

// A peer that vanished without a word is noticed within a minute, also where it is owed nothing.
void KeepAlive(int socket) {
  constexpr int kOn = 1;
  constexpr int kIdleSeconds = 30;
  constexpr int kIntervalSeconds = 10;
  constexpr int kProbes = 3;
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof kOn);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof kIdleSeconds);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kIntervalSeconds, sizeof kIntervalSeconds);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

// "Retry-After: 5"; a date is taken as no wish.
std::chrono::seconds RetryAfter(Text value) {
  constexpr int kMost = 600;
  int seconds = 0;
  std::from_chars(value.data(), value.data() + value.size(), seconds);
  return std::chrono::seconds(std::clamp(seconds, 0, kMost));
}

// Beast's parser of HTTP/1, by its callbacks: the body goes to the consumer piece by piece.
class ReplyParser final : public http::basic_parser<false> {
 public:
  explicit ReplyParser(const BodyConsumer& body) : body_(body) {
    eager(true);
    body_limit(std::numeric_limits<std::uint64_t>::max());  // the consumer knows how much it wants
  }

  const HttpReply& reply() const { return reply_; }
  const absl::Status& consumed() const { return consumed_; }

 private:
  void Take(Text piece, Error& error) {
    constexpr std::size_t kMostErrorBytes = 65'536;
    if (reply_.status == kOk) {
      consumed_ = body_({piece.data(), piece.size()});
    } else {
      // What the server says about it is welcome, but not needed.
      const std::size_t room = kMostErrorBytes - reply_.error_body.size();
      reply_.error_body.append(piece.data(), std::min(room, piece.size()));
    }
    if (!consumed_.ok()) {
      error = asio::error::operation_aborted;
    }
  }

  void on_request_impl(http::verb, Text, Text, int, Error&) override {}
  void on_response_impl(int code, Text, int, Error&) override { reply_.status = code; }
  void on_field_impl(http::field, Text name, Text value, Error&) override {
    if (iequals(name, "Retry-After")) {
      reply_.retry_after = RetryAfter(value);
    }
  }
  void on_header_impl(Error& error) override { Take({}, error); }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) override {}
  std::size_t on_body_impl(Text piece, Error& error) override {
    Take(piece, error);
    return piece.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, Error&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text piece, Error& error) override {
    Take(piece, error);
    return piece.size();
  }
  void on_finish_impl(Error&) override {}

  const BodyConsumer& body_;
  HttpReply reply_;
  absl::Status consumed_;
};

}  // namespace

class HttpClient::Impl {
 public:
  Impl(Endpoint endpoint, Milliseconds connect_limit)
      : endpoint_(std::move(endpoint)), connect_limit_(connect_limit) {}

  absl::StatusOr<HttpReply> Get(const std::string& target, Milliseconds silence,
                                const BodyConsumer& body);
  void Cancel();
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  // Runs one operation to its end, which comes by Cancel() or after `limit` at the latest.
  template <class Start>
  Error Await(Milliseconds limit, Start&& start) {
    if (cancelled_) {
      return asio::error::operation_aborted;
    }
    const Clock::time_point deadline = Clock::now() + limit;
    Error result;
    bool done = false;
    start([&](const Error& error, auto&&...) {
      result = error;
      done = true;
    });
    io_.restart();
    while (!done && io_.run_one_until(deadline) != 0) {
    }
    if (done) {
      return result;
    }
    EndOperation();
    while (!done && io_.run_one() != 0) {
    }
    return asio::error::timed_out;
  }

  void EndOperation();
  absl::StatusOr<std::string> MakeRequest(const std::string& target) const;
  Error Resolve(Resolver::results_type* found);
  absl::Status Connect();
  absl::StatusOr<HttpReply> GetByTls(const std::string& request, Milliseconds silence,
                                     const BodyConsumer& body);
  absl::Status Handshake(TlsStream* stream);
  template <class Stream>
  absl::StatusOr<HttpReply> Exchange(Stream* stream, const std::string& request,
                                     Milliseconds silence, const BodyConsumer& body);
  absl::Status Explain(const Error& error, const std::string& what) const;

  const Endpoint endpoint_;
  const Milliseconds connect_limit_;
  std::atomic<bool> cancelled_ = false;
  asio::io_context io_{1};
  Resolver resolver_{io_};
  Socket socket_{io_};
};

absl::Status HttpClient::Impl::Explain(const Error& error, const std::string& what) const {
  if (cancelled_) {
    return absl::CancelledError("stopped");
  }
  const std::string text = what + " " + endpoint_.url + ": ";
  if (error == asio::error::timed_out) {
    return absl::DeadlineExceededError(text + "no answer in time");
  }
  if (error == asio::error::eof || error == http::error::partial_message ||
      error == asio::ssl::error::stream_truncated) {
    return absl::AbortedError(text + "the reply ended early");
  }
  return absl::UnavailableError(text + error.message());
}

absl::StatusOr<std::string> HttpClient::Impl::MakeRequest(const std::string& target) const {
  const bool ipv6 = endpoint_.host.find(':') != std::string::npos;
  std::string request = "GET " + target + " HTTP/1.1\r\nHost: " +
                        (ipv6 ? "[" + endpoint_.host + "]" : endpoint_.host) + ":" +
                        endpoint_.port +
                        "\r\nUser-Agent: masflow\r\nAccept: application/json\r\n"
                        "Connection: close\r\n";
  if (endpoint_.tls && !endpoint_.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadToken(endpoint_.token_file);
    if (!token.ok()) {
      return token.status();
    }
    request += "Authorization: Bearer " + *token + "\r\n";
  }
  return request + "\r\n";
}

// Of an address without Asio's resolver, which has a thread of its own.
Error HttpClient::Impl::Resolve(Resolver::results_type* found) {
  Error not_an_address;
  const asio::ip::address address = asio::ip::make_address(endpoint_.host, not_an_address);
  if (!not_an_address) {
    const auto port = static_cast<std::uint16_t>(std::stoi(endpoint_.port));  // by ParseUrl()
    *found = Resolver::results_type::create({address, port}, endpoint_.host, endpoint_.port);
    return {};
  }
  return Await(connect_limit_, [&](auto done) {
    resolver_.async_resolve(endpoint_.host, endpoint_.port,
                            [found, done](const Error& failed, auto results) {
                              *found = std::move(results);
                              done(failed);
                            });
  });
}

absl::Status HttpClient::Impl::Connect() {
  Resolver::results_type found;
  Error error = Resolve(&found);
  if (!error) {
    error = Await(connect_limit_,
                  [&](auto done) { asio::async_connect(socket_, found, std::move(done)); });
  }
  if (error) {
    return Explain(error, "cannot connect to");
  }
  KeepAlive(socket_.native_handle());
  return absl::OkStatus();
}

absl::Status HttpClient::Impl::Handshake(TlsStream* stream) {
  Error not_an_address;
  asio::ip::make_address(endpoint_.host, not_an_address);
  if (not_an_address) {
    std::string name = endpoint_.host;  // OpenSSL's macro for this casts away const
    SSL_ctrl(stream->native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             name.data());
  }
  const Error error = Await(connect_limit_, [&](auto done) {
    stream->async_handshake(asio::ssl::stream_base::client, std::move(done));
  });
  if (!error) {
    return absl::OkStatus();
  }
  const long verdict = SSL_get_verify_result(stream->native_handle());
  if (verdict != X509_V_OK) {
    return absl::UnauthenticatedError("the certificate of " + endpoint_.url +
                                      " is refused: " + X509_verify_cert_error_string(verdict) +
                                      " (trusted are those of " + endpoint_.ca_file + ")");
  }
  return Explain(error, "no TLS with");
}

template <class Stream>
absl::StatusOr<HttpReply> HttpClient::Impl::Exchange(Stream* stream, const std::string& request,
                                                     Milliseconds silence,
                                                     const BodyConsumer& body) {
  Error error = Await(silence, [&](auto done) {
    asio::async_write(*stream, asio::buffer(request), std::move(done));
  });
  ReplyParser parser(body);
  std::array<char, 16'384> piece;
  std::string unparsed;  // the beginning of a head or of a chunk's
  while (!error && !parser.is_done()) {
    std::size_t size = 0;
    error = Await(silence, [&](auto done) {
      stream->async_read_some(asio::buffer(piece),
                              [&size, done](const Error& failed, std::size_t read) {
                                size = read;
                                done(failed);
                              });
    });
    unparsed.append(piece.data(), size);
    if (error == asio::error::eof && parser.got_some()) {
      error = {};
      parser.put_eof(error);
    } else if (!error) {
      unparsed.erase(0, parser.put(asio::buffer(unparsed), error));
      error = error == http::error::need_more ? Error() : error;
    }
  }
  if (!parser.consumed().ok()) {
    return parser.consumed();
  }
  // An error's body need not be whole.
  const bool enough = parser.is_header_done() && parser.reply().status != kOk && !cancelled_;
  return error && !enough ? absl::StatusOr<HttpReply>(Explain(error, "no whole reply from"))
                          : parser.reply();
}

absl::StatusOr<HttpReply> HttpClient::Impl::GetByTls(const std::string& request,
                                                     Milliseconds silence,
                                                     const BodyConsumer& body) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  context.set_verify_mode(endpoint_.verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
  if (endpoint_.verify) {
    Error error;
    context.load_verify_file(endpoint_.ca_file, error);
    if (error) {
      return absl::FailedPreconditionError("the certificates in " + endpoint_.ca_file +
                                           " cannot be used: " + error.message());
    }
    context.set_verify_callback(asio::ssl::host_name_verification(endpoint_.host));
  }
  TlsStream stream(socket_, context);
  if (absl::Status status = Handshake(&stream); !status.ok()) {
    return status;
  }
  return Exchange(&stream, request, silence, body);
}

absl::StatusOr<HttpReply> HttpClient::Impl::Get(const std::string& target, Milliseconds silence,
                                                const BodyConsumer& body) {
  const absl::StatusOr<std::string> request = MakeRequest(target);
  if (!request.ok()) {
    return request.status();
  }
  if (absl::Status status = Connect(); !status.ok()) {
    return status;
  }
  absl::StatusOr<HttpReply> reply = endpoint_.tls ? GetByTls(*request, silence, body)
                                                  : Exchange(&socket_, *request, silence, body);
  Error ignored;  // nothing is owed to the connection any more
  socket_.close(ignored);
  return reply;
}

void HttpClient::Impl::EndOperation() {
  Error ignored;
  resolver_.cancel();
  socket_.close(ignored);
}

void HttpClient::Impl::Cancel() {
  cancelled_ = true;
  asio::post(io_, [this] { EndOperation(); });  // in the thread of Get(), whose these are
}

HttpClient::HttpClient(Endpoint endpoint, std::chrono::milliseconds connect_limit)
    : impl_(std::make_unique<Impl>(std::move(endpoint), connect_limit)) {}

HttpClient::~HttpClient() = default;

absl::StatusOr<HttpReply> HttpClient::Get(const std::string& target,
                                          std::chrono::milliseconds silence,
                                          const BodyConsumer& body) {
  return impl_->Get(target, silence, body);
}

void HttpClient::Cancel() {
  impl_->Cancel();
}

const Endpoint& HttpClient::endpoint() const {
  return impl_->endpoint();
}

}  // namespace masflow::internal
