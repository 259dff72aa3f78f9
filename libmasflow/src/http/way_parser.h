// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_HTTP_WAY_PARSER_H_
#define MASFLOW_HTTP_WAY_PARSER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/chunk_parser.h"
#include "http/head_parser.h"
#include "http/secret_text.h"
#include "masflow/events.h"
#include "masflow/http_events.h"

namespace masflow::internal {

// Bytes of one way, in order: some that are here, then some that passed unread.
struct WayChunk {
  std::uint64_t offset = 0;
  std::string_view bytes{};
  std::uint64_t unread = 0;
  std::optional<KernelTime> time{};  // absent: when they passed was not seen
  bool turn = false;
  bool start = false;
  bool fresh = true;        // nothing of it was used
  std::string_view tail{};  // of the unread ones, or of those that came before

  bool is_used_up() const { return bytes.empty() && unread == 0 && tail.empty(); }
};

enum class Framing : std::uint8_t {
  kNone,  // no body
  kLength,
  kChunked,
  kUntilClose,
  kUnclear,  // till the next message begins, wherever that is
};

// One way of a connection: finds the heads and the ends of messages in what is seen of it.
// What the body of a message is, the connection says when it has seen the head, for of a
// response that depends on the request.
class WayParser {
 public:
  enum class Step : std::uint8_t {
    kMore,     // the chunk is used up
    kHead,     // head() is valid until BeginBody(), which must be called next
    kEnd,      // of the body that was begun; body() and end_time() tell of it
    kNotHead,  // where a head was due there is something else: call Lose() or nothing more
    kLost,     // where a head was due bytes passed unread
  };

  // Which heads can come.
  struct Expected {
    bool request = true;
    bool response = true;
  };
  // What heads are read with, and the last one that was.
  struct HeadReader {
    HeaderChoice request_headers{};
    HeaderChoice response_headers{};
    MessageHead head{};
    std::string chosen{};  // see ParseHead
  };
  // Takes the chunk, which is not used up, to the next step.
  Step Advance(WayChunk* chunk, Expected expected, HeadReader* reader);

  // `uncertain`: the body may be shorter than that, so the next head ends it too.
  void BeginBody(Framing framing, std::uint64_t length, bool uncertain);
  // The rest of an unfinished head will not come. True: what there is tells something; go on as
  // after kHead.
  bool CutHead(Expected expected, HeadReader* reader);

  // Resume at the next chunk that looks like the begin of a message.
  void Lose();
  // Take all that comes for something else, until Lose().
  void Hold();

  // Where the way is, how far its bytes were here, and when the last one passed.
  std::uint64_t next() const { return next_; }
  std::uint64_t seen_end() const { return seen_end_; }
  bool awaits_head() const { return state_ == State::kHead && partial_ == nullptr; }
  bool has_partial_head() const { return partial_ != nullptr; }
  // What there is of an unfinished head can become none of these.
  bool partial_head_is_none(Expected expected) const {
    return partial_ != nullptr && !MayBe(expected, *partial_);
  }
  bool is_guess() const { return guessed_; }
  bool is_lost() const { return state_ == State::kLost; }
  bool in_unclear_body() const { return state_ == State::kUnclear; }
  bool in_body_until_close() const { return state_ == State::kUntilClose; }
  // The last bytes of a chunked body were seen, and they do not end it.
  bool is_surely_unfinished() const { return state_ == State::kChunked || tail_says_more_; }
  std::optional<KernelTime> last_time() const { return last_time_; }

  // Of the message in hand or, after kEnd, of the one that ended.
  KernelTime head_time() const { return head_time_; }
  const HttpBody& body() const { return body_; }
  std::optional<KernelTime> end_time() const { return end_time_; }

  std::size_t held_bytes() const { return partial_ == nullptr ? 0 : partial_->capacity(); }

 private:
  enum class State : std::uint8_t {
    kHead,
    kLength,
    kChunked,
    kUntilClose,
    kUnclear,
    kLost,
    kHeld,
  };

  Step InHead(WayChunk* chunk, Expected expected, HeadReader* reader);
  Step InPartialHead(WayChunk* chunk, Expected expected, HeadReader* reader);
  Step InLength(WayChunk* chunk);
  Step InChunked(WayChunk* chunk);
  Step InUnclear(WayChunk* chunk);
  Step NotHead(WayChunk* chunk);
  Step End(std::optional<KernelTime> time, bool exact);
  static bool MayBe(Expected expected, std::string_view bytes);
  HeadStatus Parse(std::string_view bytes, bool is_all, Expected expected, HeadReader* reader);
  bool EndsBefore(const WayChunk& chunk, Expected expected) const;
  void Use(WayChunk* chunk, std::size_t bytes, std::uint64_t unread);
  void UseAll(WayChunk* chunk);

  std::uint64_t next_ = 0;  // offset of the first byte that has not come
  std::uint64_t seen_end_ = 0;
  std::uint64_t left_ = 0;  // kLength: of the body
  HttpBody body_{};
  KernelTime head_time_{};
  std::optional<KernelTime> last_time_{};
  std::optional<KernelTime> end_time_{};
  std::unique_ptr<SecretText> partial_;  // what there is of an unfinished head
  ChunkParser chunks_;
  State state_ = State::kHead;
  bool guessed_ = false;    // kHead: found by its looks, not by where the last message ended
  bool uncertain_ = false;  // see BeginBody
  bool chunked_ = false;    // kUnclear: chunked, so its end can be told by the last bytes
  bool tail_says_more_ = false;
};

}  // namespace masflow::internal

#endif  // MASFLOW_HTTP_WAY_PARSER_H_
