// SPDX-License-Identifier: Apache-2.0
//
// Lines to a descriptor that may be slow, blocked, non-blocking or closed.
#ifndef MASFLOW_CLI_WRITER_H_
#define MASFLOW_CLI_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "stop_request.h"

namespace masflow_cli {

class Writer {
 public:
  enum class State {
    kOpen,
    kReaderGone,  // EPIPE: nothing more to do, and no fault
    kGaveUp,      // blocked for too long after the end was asked for
    kFailed,      // see error()
  };

  // `stop`, which outlives the writer, bounds how long Flush() waits; null: it does not.
  Writer(int fd, const StopRequest* stop) : fd_(fd), stop_(stop) {}

  // Append here, each line with its newline.
  std::string* buffer() { return &buffer_; }

  // Writes out the buffer; waits where it has to. Once not open it only empties the buffer.
  void Flush();

  // Looks whether the other end of a pipe or socket is still there.
  void NoteReader();

  State state() const { return state_; }
  bool open() const { return state_ == State::kOpen; }
  int error() const { return error_; }  // errno
  // Lines that were thrown away since the writer was not open any more.
  std::uint64_t lost_lines() const { return lost_lines_; }

 private:
  bool WaitUntilWritable() const;
  // Bytes written; 0: try again or, if no longer open, do not.
  std::size_t WriteSome(std::string_view bytes);

  const int fd_;
  const StopRequest* const stop_;
  std::string buffer_{};
  State state_ = State::kOpen;
  int error_ = 0;
  std::uint64_t lost_lines_ = 0;
};

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_WRITER_H_
