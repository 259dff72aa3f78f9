// SPDX-License-Identifier: Apache-2.0
#include "http/head_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace masflow::internal {
namespace {

constexpr std::size_t kLongestMethod = 32;
constexpr std::string_view kVersion = "HTTP/1.";

constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> is_token{};
  for (unsigned c = '0'; c <= '9'; ++c) is_token[c] = true;
  for (unsigned c = 'a'; c <= 'z'; ++c) is_token[c] = is_token[c & ~0x20u] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) {
    is_token[static_cast<unsigned char>(c)] = true;
  }
  return is_token;
}();

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsSpace(char c) {
  return c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n');
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && IsSpace(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// Bytes up to the first that is no token's, at most one more than a method can have.
std::size_t TokenLength(std::string_view text) {
  const std::size_t end = std::min(text.size(), kLongestMethod + 1);
  std::size_t i = 0;
  while (i < end && kTokenBytes[static_cast<unsigned char>(text[i])]) {
    ++i;
  }
  return i;
}

// Whatever a client sent: a server that refuses it does so by a response. Only a NUL, which the
// event's text cannot hold.
bool IsTarget(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos;
}

std::string_view WithoutCr(std::string_view line) {
  if (!line.empty() && line.back() == '\r') {
    line.remove_suffix(1);
  }
  return line;
}

// `line` without its end.
bool ReadRequestLine(std::string_view line, MessageHead* head) {
  constexpr std::size_t kTail = 9;  // " HTTP/1.x"
  const std::size_t method = TokenLength(line);
  if (method == 0 || method > kLongestMethod || line.size() < method + 2 + kTail ||
      line[method] != ' ') {
    return false;
  }
  const std::string_view tail = line.substr(line.size() - kTail);
  if (tail[0] != ' ' || std::memcmp(tail.data() + 1, kVersion.data(), kVersion.size()) != 0 ||
      !IsDigit(tail.back())) {
    return false;
  }
  head->method = line.substr(0, method);
  head->target = line.substr(method + 1, line.size() - method - 1 - kTail);
  head->version_minor = static_cast<std::uint8_t>(tail.back() - '0');
  return IsTarget(head->target);
}

bool ReadStatusLine(std::string_view line, MessageHead* head) {
  constexpr std::size_t kShortest = 12;  // "HTTP/1.x 200"
  if (line.size() < kShortest || std::memcmp(line.data(), kVersion.data(), kVersion.size()) != 0 ||
      !IsDigit(line[7]) || line[8] != ' ' || !IsDigit(line[9]) || !IsDigit(line[10]) ||
      !IsDigit(line[11]) || (line.size() > kShortest && line[kShortest] != ' ')) {
    return false;
  }
  head->version_minor = static_cast<std::uint8_t>(line[7] - '0');
  head->status =
      static_cast<std::uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  return true;
}

bool ReadFirstLine(HeadKind kind, std::string_view line, MessageHead* head) {
  return kind == HeadKind::kRequest ? ReadRequestLine(line, head) : ReadStatusLine(line, head);
}

// Of a request line whose end is not here: method and the target as far as it goes.
bool ReadCutRequestLine(std::string_view bytes, MessageHead* head) {
  const std::size_t method = TokenLength(bytes);
  if (method == 0 || method > kLongestMethod || bytes.size() < method + 2 || bytes[method] != ' ') {
    return false;
  }
  head->method = bytes.substr(0, method);
  head->target = bytes.substr(method + 1);
  head->target = head->target.substr(0, head->target.find(' '));
  head->version_minor = 1;
  head->line_cut = true;
  return IsTarget(head->target);
}

// "5", or a list of equal ones.
void NoteLength(std::string_view value, MessageHead* head) {
  for (bool more = true; more;) {
    const std::size_t comma = value.find(',');
    const std::string_view item = Trim(value.substr(0, comma));
    more = comma != std::string_view::npos;
    value.remove_prefix(more ? comma + 1 : value.size());
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), length);
    const bool is_number = error == std::errc() && end == item.data() + item.size();
    if (!is_number || (head->length == LengthHeader::kKnown && head->content_length != length)) {
      head->length = LengthHeader::kUnclear;
      return;
    }
    if (head->length == LengthHeader::kAbsent) {
      head->length = LengthHeader::kKnown;
      head->content_length = length;
    }
  }
}

void NoteCoding(std::string_view value, MessageHead* head) {
  const std::size_t comma = value.rfind(',');
  const std::string_view last =
      Trim(comma == std::string_view::npos ? value : value.substr(comma + 1));
  head->coding =
      EqualsIgnoringCase(last, "chunked") ? CodingHeader::kChunked : CodingHeader::kOther;
}

// Line ends of a folded value become spaces (RFC 9112 5.2), and so do NULs, which would end it.
void AppendValue(std::string_view value, std::string* out) {
  const std::size_t begin = out->size();
  out->append(value);
  if (value.find('\n') == std::string_view::npos && value.find('\0') == std::string_view::npos) {
    return;
  }
  std::replace_if(
      out->begin() + static_cast<std::ptrdiff_t>(begin), out->end(),
      [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
}

// Those that say what the message is.
enum class KnownHeader : std::uint8_t { kNone, kHost, kContentLength, kTransferEncoding };

// `usual`: as nearly all write it, which for a size that the compiler knows is two comparisons.
template <std::size_t kSize>
bool HasName(std::string_view line, const char (&usual)[kSize], std::string_view lower) {
  constexpr std::size_t kName = kSize - 1;
  return line.size() > kName && line[kName] == ':' &&
         (std::memcmp(line.data(), usual, kName) == 0 ||
          EqualsIgnoringCase(line.substr(0, kName), lower));
}

// By a look at one or two bytes for most lines.
KnownHeader KnownHeaderOf(std::string_view line) {
  switch (line.front() | 0x20) {
    case 'h':
      return HasName(line, "Host", "host") ? KnownHeader::kHost : KnownHeader::kNone;
    case 'c':
      return HasName(line, "Content-Length", "content-length") ? KnownHeader::kContentLength
                                                               : KnownHeader::kNone;
    case 't':
      return HasName(line, "Transfer-Encoding", "transfer-encoding")
                 ? KnownHeader::kTransferEncoding
                 : KnownHeader::kNone;
    default:
      return KnownHeader::kNone;
  }
}

void NoteKnown(KnownHeader known, std::string_view value, MessageHead* head) {
  switch (known) {
    case KnownHeader::kNone:
      break;
    case KnownHeader::kHost:
      if (!head->host.has_value()) {
        head->host = value;
      }
      break;
    case KnownHeader::kContentLength:
      NoteLength(value, head);
      break;
    case KnownHeader::kTransferEncoding:
      NoteCoding(value, head);
      break;
  }
}

// `line`: the header with the lines that it is folded over.
void ReadHeader(KnownHeader known, std::string_view line, const HeaderChoice& choice,
                MessageHead* head, std::string* chosen) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return;
  }
  const std::string_view value = Trim(line.substr(colon + 1));
  NoteKnown(known, value, head);
  const std::string_view name = line.substr(0, colon);
  if (choice.MayBegin(name) && choice.Contains(name)) {
    chosen->append(name).push_back('\0');
    AppendValue(value, chosen);
    chosen->push_back('\0');
  }
}

// Where the line after the one at `begin` begins; null: its end is not here.
const char* NextLine(const char* begin, const char* end) {
  const void* const lf = std::memchr(begin, '\n', static_cast<std::size_t>(end - begin));
  return lf == nullptr ? nullptr : static_cast<const char*>(lf) + 1;
}

bool IsFold(char first) {
  return first == ' ' || first == '\t';
}

}  // namespace

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return kTokenBytes[static_cast<unsigned char>(c)];
  });
}

bool MayBeHead(HeadKind kind, std::string_view bytes) {
  const std::size_t lf = bytes.substr(0, 64).find('\n');
  MessageHead head;
  if (lf != std::string_view::npos) {
    return ReadFirstLine(kind, WithoutCr(bytes.substr(0, lf)), &head);
  }
  if (kind == HeadKind::kResponse) {
    const std::size_t size = std::min(bytes.size(), kVersion.size());
    return size > 0 && bytes.substr(0, size) == kVersion.substr(0, size);
  }
  const std::size_t method = TokenLength(bytes);
  return method > 0 && method <= kLongestMethod && (method == bytes.size() || bytes[method] == ' ');
}

HeadStatus ParseHead(HeadKind kind, std::string_view bytes, bool is_all, const HeaderChoice& choice,
                     MessageHead* head, std::string* chosen) {
  const char* const end = bytes.data() + bytes.size();
  chosen->clear();
  *head = {.kind = kind};
  const char* line = NextLine(bytes.data(), end);
  if (line == nullptr) {
    if (!MayBeHead(kind, bytes)) {
      return HeadStatus::kNone;
    }
    if (!is_all) {
      return HeadStatus::kPart;
    }
    head->truncated = true;
    head->size = bytes.size();
    return kind == HeadKind::kRequest && ReadCutRequestLine(bytes, head) ? HeadStatus::kWhole
                                                                         : HeadStatus::kNone;
  }
  const auto first = static_cast<std::size_t>(line - 1 - bytes.data());
  if (!ReadFirstLine(kind, WithoutCr(bytes.substr(0, first)), head)) {
    return HeadStatus::kNone;
  }
  while (const char* next = NextLine(line, end)) {
    if (*line == '\n' || (*line == '\r' && next - line == 2)) {
      head->size = static_cast<std::size_t>(next - bytes.data());
      return HeadStatus::kWhole;
    }
    const std::string_view first_line(line, static_cast<std::size_t>(next - line));
    const KnownHeader known = KnownHeaderOf(first_line);
    if (known != KnownHeader::kNone || choice.MayBegin(first_line)) {
      while (next < end && IsFold(*next)) {
        const char* const fold = NextLine(next, end);
        if (fold == nullptr) {
          break;  // its end is not here
        }
        next = fold;
      }
      ReadHeader(known, {line, static_cast<std::size_t>(next - line)}, choice, head, chosen);
    }
    line = next;
  }
  head->truncated = true;
  head->size = bytes.size();
  return is_all ? HeadStatus::kWhole : HeadStatus::kPart;
}

}  // namespace masflow::internal
