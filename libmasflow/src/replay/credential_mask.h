// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_REPLAY_CREDENTIAL_MASK_H_
#define MASFLOW_REPLAY_CREDENTIAL_MASK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/record_source.h"
#include "masflow_bpf/wire.h"
#include "replay/connection_memory.h"

namespace masflow::internal {

// Overwrites in a text that comes in pieces the values of the headers Authorization,
// Proxy-Authorization, Cookie and Set-Cookie, with the lines that they are folded over. It
// knows of lines only: a line of a body that looks like one of these is overwritten as well.
class LineMask {
 public:
  void Mask(std::span<char> text);

  // Bytes are missing here: the name of a header may have been among them.
  void Lose() { at_ = At::kValue; }
  void BeginLine() { at_ = At::kLine; }

 private:
  enum class At : std::uint8_t {
    kLine,       // at its begin
    kName,       // as far as it is one of the names
    kAfterName,  // in the spaces before the colon
    kValue,
    kAfterValue,  // at the begin of the next line, which may go on with the value
    kOther,
  };

  char Take(char c);
  void TakeName(char c);

  At at_ = At::kLine;
  std::uint8_t length_ = 0;      // of the name so far
  std::uint8_t candidates_ = 0;  // the names that begin so, by bit
};

// Keeps credentials out of recordings. By one thread at a time.
class CredentialMask {
 public:
  // A record of the HTTP stream as it may be stored, of the same size; valid until the next
  // call. Each record once and in order.
  RecordBytes Mask(RecordBytes record);

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
  std::vector<std::byte> copy_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_REPLAY_CREDENTIAL_MASK_H_
