// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

namespace masflow::kubernetes_test {

namespace asio = boost::asio;
using asio::ip::tcp;

std::string Exchange::Header(const std::string& name) const {
  const std::size_t begin = head_.find("\r\n" + name + ": ");
  if (begin == std::string::npos) {
    return {};
  }
  const std::size_t value = begin + name.size() + 4;
  return head_.substr(value, head_.find("\r\n", value) - value);
}

std::string Exchange::Parameter(const std::string& name) const {
  for (const char* mark : {"?", "&"}) {
    const std::size_t begin = target_.find(mark + name + "=");
    if (begin != std::string::npos) {
      const std::size_t value = begin + name.size() + 2;
      return target_.substr(value, target_.find('&', value) - value);
    }
  }
  return {};
}

void Exchange::Reply(int status, std::string_view body, const std::string& headers) {
  Write("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n" +
        headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  Write(body);
}

void Exchange::BeginChunks() {
  Write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

void Exchange::Chunk(std::string_view text) {
  char size[32];
  snprintf(size, sizeof size, "%zx\r\n", text.size());
  Write(size + std::string(text) + "\r\n");
}

void Exchange::EndChunks() {
  Write("0\r\n\r\n");
}

class Server::Impl {
 public:
  Impl(Handler handler, const Identity* identity)
      : handler_(std::move(handler)),
        acceptor_(io_, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)),
        port_(acceptor_.local_endpoint().port()),
        end_(eventfd(0, EFD_CLOEXEC)) {
    if (identity != nullptr) {
      tls_.emplace(asio::ssl::context::tls_server);
      tls_->use_certificate_chain_file(identity->certificate);
      tls_->use_private_key_file(identity->key, asio::ssl::context::pem);
    }
    accepting_ = std::thread([this] { Accept(); });
  }

  ~Impl() {
    const std::uint64_t one = 1;
    if (write(end_, &one, sizeof one) < 0) {
      abort();
    }
    accepting_.join();
    for (std::thread& connection : connections_) {
      connection.join();
    }
    close(end_);
  }

  int port() const { return port_; }
  bool tls() const { return tls_.has_value(); }
  std::vector<std::string> targets() const {
    std::lock_guard lock(lock_);
    return targets_;
  }

 private:
  template <class Stream>
  class Connection final : public Exchange {
   public:
    Connection(Impl* server, tcp::socket* socket, Stream* stream)
        : server_(server), socket_(socket), stream_(stream) {}

    bool ReadHead() {
      boost::system::error_code error;
      asio::read_until(*stream_, asio::dynamic_buffer(head_), "\r\n\r\n", error);
      const std::size_t begin = head_.find(' ') + 1;
      if (!error) {
        target_ = head_.substr(begin, head_.find(' ', begin) - begin);
      }
      return !error;
    }

    bool Write(std::string_view bytes) override {
      boost::system::error_code error;
      asio::write(*stream_, asio::buffer(bytes), error);
      return !error;
    }

    void Hang() override { server_->ReadableBeforeEnd(socket_->native_handle(), POLLRDHUP); }

    void Reset() override {
      boost::system::error_code ignored;
      socket_->set_option(asio::socket_base::linger(true, 0), ignored);
      socket_->close(ignored);
    }

   private:
    Impl* server_;
    tcp::socket* socket_;
    Stream* stream_;
  };

  // False: the end comes first.
  bool ReadableBeforeEnd(int fd, short what) const {
    pollfd waited[] = {{.fd = fd, .events = what, .revents = 0},
                       {.fd = end_, .events = POLLIN, .revents = 0}};
    poll(waited, 2, -1);
    return waited[1].revents == 0;
  }

  void Accept() {
    while (ReadableBeforeEnd(acceptor_.native_handle(), POLLIN)) {
      auto socket = std::make_shared<tcp::socket>(acceptor_.accept());
      connections_.emplace_back([this, socket] { Serve(socket.get()); });
    }
  }

  void Serve(tcp::socket* socket) {
    if (!ReadableBeforeEnd(socket->native_handle(), POLLIN)) {
      return;
    }
    boost::system::error_code error;
    if (!tls_.has_value()) {
      Connection<tcp::socket> connection(this, socket, socket);
      Handle(&connection);
    } else {
      asio::ssl::stream<tcp::socket&> stream(*socket, *tls_);
      stream.handshake(asio::ssl::stream_base::server, error);
      if (!error) {
        Connection<asio::ssl::stream<tcp::socket&>> connection(this, socket, &stream);
        Handle(&connection);
      }
    }
    socket->shutdown(tcp::socket::shutdown_both, error);
  }

  template <class AnyConnection>
  void Handle(AnyConnection* connection) {
    if (!connection->ReadHead()) {
      return;
    }
    {
      std::lock_guard lock(lock_);
      targets_.push_back(connection->target());
    }
    handler_(*connection);
  }

  const Handler handler_;
  asio::io_context io_;
  tcp::acceptor acceptor_;
  const int port_;
  const int end_;
  std::optional<asio::ssl::context> tls_;
  mutable std::mutex lock_;
  std::vector<std::string> targets_;
  std::thread accepting_;
  std::vector<std::thread> connections_;  // of the accepting thread, then of the destructor
};

Server::Server(Handler handler) : impl_(std::make_unique<Impl>(std::move(handler), nullptr)) {}

Server::Server(Handler handler, const Identity& identity)
    : impl_(std::make_unique<Impl>(std::move(handler), &identity)) {}

Server::~Server() = default;

int Server::port() const {
  return impl_->port();
}

std::string Server::url() const {
  return (impl_->tls() ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port());
}

std::vector<std::string> Server::targets() const {
  return impl_->targets();
}

}  // namespace masflow::kubernetes_test
