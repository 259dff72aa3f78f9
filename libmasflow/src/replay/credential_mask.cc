// SPDX-License-Identifier: Apache-2.0
#include "replay/credential_mask.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "wire/read_record.h"

namespace masflow::internal {
namespace {

constexpr char kMasked = 'x';
constexpr std::array<std::string_view, 4> kNames = {"authorization", "proxy-authorization",
                                                    "cookie", "set-cookie"};
constexpr std::uint8_t kAllNames = (1u << kNames.size()) - 1;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

// After a gap the bytes have to show it themselves: what the kernel side takes for a
// message's begin can be the middle of a password in capital letters.
bool ShowsMessageBegin(std::string_view bytes) {
  constexpr std::string_view kVersion = "HTTP/1.";
  if (bytes.substr(0, kVersion.size()) == kVersion) {
    return true;
  }
  const std::size_t method = bytes.find(' ');
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  return method != std::string_view::npos && method > 0 &&
         std::all_of(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(method),
                     [](char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }) &&
         (line.size() == bytes.size() || line.find(" HTTP/1.") != std::string_view::npos);
}

}  // namespace

void LineMask::Mask(std::span<char> text, HttpQuery query) {
  for (char& c : text) {
    c = Take(c, query);
  }
}

char LineMask::Take(char c, HttpQuery query) {
  if (c == '\n') {
    at_ = at_ == At::kValue ? At::kAfterValue : At::kLine;
    return c;
  }
  if (at_ == At::kAfterValue) {
    at_ = IsBlank(c) ? At::kValue : At::kLine;
  }
  if (at_ == At::kLine) {
    at_ = At::kName;
    target_ = Target::kBefore;
    length_ = 0;
    candidates_ = kAllNames;
  }
  if (at_ == At::kValue) {
    return c == '\r' ? c : kMasked;
  }
  TakeName(c);
  return TakeTarget(c, query) ? kMasked : c;
}

// Whether c is a part of a query that shall not be kept.
bool LineMask::TakeTarget(char c, HttpQuery query) {
  if (c == ':' && target_ == Target::kBefore) {
    target_ = Target::kNone;  // a header
  } else if (IsBlank(c) || c == '\r') {
    target_ = c == ' ' && target_ == Target::kBefore ? Target::kPath : Target::kNone;
  } else if (c == '?' && target_ == Target::kPath) {
    target_ = Target::kKey;
  } else if (target_ == Target::kKey || target_ == Target::kValue) {
    const bool in_key = target_ == Target::kKey;
    target_ = c == '&' ? Target::kKey : c == '=' ? Target::kValue : target_;
    return query == HttpQuery::kDrop ||
           (query == HttpQuery::kKeysOnly && !in_key && target_ == Target::kValue);
  }
  return false;
}

void LineMask::TakeName(char c) {
  if (at_ == At::kAfterName) {
    at_ = c == ':' ? At::kValue : IsBlank(c) ? At::kAfterName : At::kOther;
  }
  if (at_ != At::kName) {
    return;
  }
  std::uint8_t left = 0;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if ((candidates_ >> i & 1) == 0) {
      continue;
    }
    if (length_ == kNames[i].size() && (c == ':' || IsBlank(c))) {
      at_ = c == ':' ? At::kValue : At::kAfterName;
      return;
    }
    if (length_ < kNames[i].size() && kNames[i][length_] == Lower(c)) {
      left = static_cast<std::uint8_t>(left | 1u << i);
    }
  }
  candidates_ = left;
  ++length_;
  at_ = left == 0 ? At::kOther : At::kName;
}

RecordBytes CredentialMask::Mask(RecordBytes record) {
  mf_header header;
  if (!CopyFront(record, &header)) {
    return record;
  }
  switch (header.kind) {
    case MF_KIND_HTTP_CONNECTION:
      NoteConnection(record);
      return record;
    case MF_KIND_HTTP_DATA:
      return MaskData(record);
    case MF_KIND_HTTP_PROGRESS:
      return MaskTails(record, offsetof(mf_http_progress, ways));
    case MF_KIND_HTTP_END:
      return MaskEnd(record);
    default:
      return record;
  }
}

void CredentialMask::NoteConnection(RecordBytes record) {
  mf_http_connection connection;
  if (CopyFront(record, &connection)) {
    const mf_tcp& tcp = connection.base.tcp;
    State& state = StateOf(Id({.birth_ns = tcp.birth_ns, .tag = tcp.tag, .pad = 0}));
    state.pre_existing = (connection.base.header.flags & MF_TCP_PRE_EXISTING) != 0;
  }
}

CredentialMask::State& CredentialMask::StateOf(const ConnectionId& id) {
  State* const state = connections_.Find(id);
  return state != nullptr ? *state : connections_.Add(id);
}

RecordBytes CredentialMask::MaskData(RecordBytes record) {
  copy_.assign(record.begin(), record.end());
  mf_http_data data;
  if (!CopyFront(record, &data) || data.way >= MF_WAYS) {
    // No decoder takes it, so nothing is lost by this.
    std::fill(copy_.begin() + static_cast<std::ptrdiff_t>(sizeof(mf_header)), copy_.end(),
              static_cast<std::byte>(kMasked));
    return copy_;
  }
  const std::span<char> text(reinterpret_cast<char*>(copy_.data()) + sizeof(data),
                             copy_.size() - sizeof(data));
  State& state = StateOf(Id(data.id));
  Way& way = state.ways[data.way];
  const bool begins = !way.known && data.offset == 0 && !state.pre_existing;
  if (way.known && data.offset == way.begin) {
    way.mask = way.mask_at_begin;
  } else if (!begins && (!way.known || data.offset != way.next)) {
    if (ShowsMessageBegin({text.data(), text.size()})) {
      way.mask.BeginLine();
    } else {
      way.mask.Lose();
    }
  }
  way.known = true;
  way.begin = data.offset;
  way.next = data.offset + text.size();
  way.mask_at_begin = way.mask;
  way.mask.Mask(text, query_);
  return copy_;
}

RecordBytes CredentialMask::MaskEnd(RecordBytes record) {
  mf_http_end end;
  if (CopyFront(record, &end) && end.reason != MF_HTTP_END_SENT) {
    connections_.Forget(Id(end.id));
  }
  return MaskTails(record, offsetof(mf_http_end, ways));
}

// The last bytes that passed unread can be a cookie's. Whether they end a chunked body is all
// that they are for.
RecordBytes CredentialMask::MaskTails(RecordBytes record, std::size_t ways_at) {
  copy_.assign(record.begin(), record.end());
  for (std::size_t i = 0; i < MF_WAYS; ++i) {
    const std::size_t begin = ways_at + i * sizeof(mf_http_way) + offsetof(mf_http_way, tail);
    for (std::size_t at = begin; at < std::min(begin + sizeof(mf_http_way::tail), copy_.size());
         ++at) {
      const char c = static_cast<char>(copy_[at]);
      if (c != '\r' && c != '\n' && c != '0' && c != '\0') {
        copy_[at] = static_cast<std::byte>(kMasked);
      }
    }
  }
  return copy_;
}

}  // namespace masflow::internal
