// SPDX-License-Identifier: Apache-2.0
#include "bpf/pass_screen.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace masflow::internal {
namespace {

// From a hook's look at what was reported to its record's time; an interrupt, or another
// virtual machine, can come in between.
constexpr std::chrono::milliseconds kLongestHook{100};

KernelTime Time(std::uint64_t ns) {
  return KernelTime(std::chrono::nanoseconds(ns));
}

ConnectionId Id(const mf_tcp& tcp) {
  return {.birth = Time(tcp.birth_ns), .tag = tcp.tag};
}

}  // namespace

void PassScreen::NotePass(RecordBytes records, KernelTime end) {
  told_.clear();
  pass_.assign(records.begin(), records.end());
  until_ = end + kLongestHook;
  active_ = !pass_.empty();
}

RecordSink& PassScreen::Before(RecordSink& sink) {
  if (!active_) {
    return sink;
  }
  sink_ = &sink;
  return *this;
}

std::size_t PassScreen::TakeDropped() {
  return std::exchange(dropped_, 0);
}

RecordSink::Verdict PassScreen::OnRecord(StreamKind stream, RecordBytes record) {
  mf_tcp_data data;
  if (record.size() != sizeof(data)) {
    return sink_->OnRecord(stream, record);
  }
  std::memcpy(&data, record.data(), sizeof(data));
  if (data.base.header.kind != MF_KIND_TCP_DATA || data.reason != MF_DATA_LAST) {
    return sink_->OnRecord(stream, record);
  }
  if (Time(data.base.header.ktime_ns) > until_) {
    active_ = false;
    return sink_->OnRecord(stream, record);
  }
  if (told_.empty()) {
    for (std::size_t at = 0; at + sizeof(mf_tcp_data) <= pass_.size(); at += sizeof(mf_tcp_data)) {
      mf_tcp_data told;
      std::memcpy(&told, pass_.data() + at, sizeof(told));
      told_[Id(told.base.tcp)] = {.tx = told.tx_total, .rx = told.rx_total};
    }
  }
  const auto told = told_.find(Id(data.base.tcp));
  return told == told_.end() ? sink_->OnRecord(stream, record) : Cut(stream, data, told->second);
}

RecordSink::Verdict PassScreen::Cut(StreamKind stream, mf_tcp_data record, const Totals& told) {
  const auto left = [](std::uint64_t total, std::uint64_t already) {
    return total > already ? total - already : 0;
  };
  record.tx_bytes = std::min<std::uint64_t>(record.tx_bytes, left(record.tx_total, told.tx));
  record.rx_bytes = std::min<std::uint64_t>(record.rx_bytes, left(record.rx_total, told.rx));
  if (record.tx_bytes == 0 && record.rx_bytes == 0) {
    ++dropped_;
    return Verdict::kContinue;
  }
  return sink_->OnRecord(stream, std::as_bytes(std::span(&record, 1)));
}

}  // namespace masflow::internal
