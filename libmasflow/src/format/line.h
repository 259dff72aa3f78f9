// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_FORMAT_LINE_H_
#define MASFLOW_FORMAT_LINE_H_

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace masflow::internal {

// Appends to a string, which has all of it once this is destroyed; until then nobody else touches
// that. A line has dozens of pieces of a few bytes, of which each takes std::string half again as
// long to append: it looks for where its bytes are, keeps a NUL behind them, and calls for each.
class Line {
 public:
  explicit Line(std::string* out) : out_(out), at_(out->data() + out->size()), end_(at_) {}
  ~Line() { out_->resize(size()); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // Of the string so far, with what it began with. Valid until the next change.
  std::size_t size() const { return static_cast<std::size_t>(at_ - out_->data()); }
  std::string_view view() const { return {out_->data(), size()}; }

  // Room for so many bytes, to be written there; Take() then says up to where they were.
  char* Room(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) {
      Grow(bytes);
    }
    return at_;
  }
  void Take(char* end) { at_ = end; }

  void Append(char c) {
    *Room(1) = c;
    ++at_;
  }
  void Append(std::string_view text) { at_ += text.copy(Room(text.size()), text.size()); }
  // A literal, for which no call is needed.
  template <std::size_t kSize>
  void Append(const char (&literal)[kSize]) {
    std::memcpy(Room(kSize - 1), literal, kSize - 1);
    at_ += kSize - 1;
  }
  void Append(std::size_t count, char c) {
    std::memset(Room(count), c, count);
    at_ += count;
  }
  // In front of the byte that is there.
  void Insert(std::size_t at, char c) {
    Room(1);
    char* const place = out_->data() + at;
    std::memmove(place + 1, place, size() - at);
    *place = c;
    ++at_;
  }

 private:
  void Grow(std::size_t bytes);

  std::string* const out_;
  char* at_;
  char* end_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_FORMAT_LINE_H_
