// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_CREDENTIAL_MASK_H_
#define MASFLOW_REPLAY_CREDENTIAL_MASK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/record_source.h"
#include "masflow/http_stream.h"
#include "masflow_bpf/wire.h"
#include "replay/connection_memory.h"

namespace masflow::internal {

// Overwrites in a text that comes in pieces the values of the headers Authorization,
// Proxy-Authorization, Cookie and Set-Cookie, with the lines that they are folded over. It
// knows of lines only: a line of a body that looks like one of these is overwritten as well.
class LineMask {
 public:
  void Mask(std::span<char> text, HttpQuery query);

  // Bytes are missing here: the name of a header may have been among them.
  void Lose() { at_ = At::kValue; }
  void BeginLine() { at_ = At::kLine; }  // as at the begin

 private:
  enum class At : std::uint8_t {
    kLine,       // at its begin
    kName,       // as far as it is one of the names
    kAfterName,  // in the spaces before the colon
    kValue,
    kAfterValue,  // at the begin of the next line, which may go on with the value
    kOther,
  };

  // Of a line that can be the first one of a request: a word, a space, then the target.
  enum class Target : std::uint8_t { kBefore, kPath, kKey, kValue, kNone };

  char Take(char c, HttpQuery query);
  void TakeName(char c);
  bool TakeTarget(char c, HttpQuery query);

  At at_ = At::kLine;
  Target target_ = Target::kBefore;
  std::uint8_t length_ = 0;      // of the name so far
  std::uint8_t candidates_ = 0;  // the names that begin so, by bit
};

// Keeps credentials out of recordings. By one thread at a time.
class CredentialMask {
 public:
  // A record of the HTTP stream as it may be stored, of the same size; valid until the next
  // call. Each record once and in order.
  RecordBytes Mask(RecordBytes record);

  // Queries of URLs, too, from now on; kKeep leaves them. Their bytes are overwritten.
  void MaskQueries(HttpQuery query) { query_ = query; }

  std::size_t connections() const { return connections_.size(); }

 private:
  struct Way {
    bool known = false;
    std::uint64_t next = 0;   // offset behind the last byte seen
    std::uint64_t begin = 0;  // of the last record: it may come again
    LineMask mask{};
    LineMask mask_at_begin{};
  };
  struct State {
    bool pre_existing = false;
    std::array<Way, MF_WAYS> ways{};
  };
  static constexpr std::size_t kMaxConnections = std::size_t{1} << 18;

  void NoteConnection(RecordBytes record);
  RecordBytes MaskData(RecordBytes record);
  RecordBytes MaskEnd(RecordBytes record);
  RecordBytes MaskTails(RecordBytes record, std::size_t ways_at);
  State& StateOf(const ConnectionId& id);

  ConnectionMemory<State> connections_{kMaxConnections};
  HttpQuery query_ = HttpQuery::kKeep;
  std::vector<std::byte> copy_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_CREDENTIAL_MASK_H_
