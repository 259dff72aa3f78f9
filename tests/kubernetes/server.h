// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_KUBERNETES_TEST_SERVER_H_
#define MASFLOW_KUBERNETES_TEST_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace masflow::kubernetes_test {

// One request, and the way to answer it: well or badly. Of the thread of its connection.
class Exchange {
 public:
  virtual ~Exchange() = default;

  const std::string& target() const { return target_; }
  // "pods?watch=1" is in "/api/v1/pods?watch=1&…".
  bool Asks(std::string_view part) const { return target_.find(part) != std::string::npos; }
  std::string Header(const std::string& name) const;  // empty: there is none
  // The value of a parameter, as it was sent.
  std::string Parameter(const std::string& name) const;

  // A whole reply; `headers`: further lines, each with its end.
  void Reply(int status, std::string_view body, const std::string& headers = {});
  // One in pieces.
  void BeginChunks();
  void Chunk(std::string_view text);
  void EndChunks();
  // Anything else. False: the client is gone.
  virtual bool Write(std::string_view bytes) = 0;
  // Until the client is gone or the server ends.
  virtual void Hang() = 0;
  // The connection ends when the handler returns; by RST with this.
  virtual void Reset() = 0;

 protected:
  std::string target_;
  std::string head_;
};

// Files of PEM for a server on 127.0.0.1, made by openssl(1).
struct Identity {
  std::string certificate;
  std::string key;
};

// A real server on a port of 127.0.0.1, with a thread for each connection.
class Server {
 public:
  using Handler = std::function<void(Exchange&)>;

  explicit Server(Handler handler);                   // http
  Server(Handler handler, const Identity& identity);  // https
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;
  std::string url() const;  // with 127.0.0.1
  // The targets asked for so far.
  std::vector<std::string> targets() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace masflow::kubernetes_test

#endif  // MASFLOW_KUBERNETES_TEST_SERVER_H_
