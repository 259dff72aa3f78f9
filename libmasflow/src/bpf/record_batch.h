// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_RECORD_BATCH_H_
#define MASFLOW_BPF_RECORD_BATCH_H_

#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/record_source.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

// Records one behind the other, as an iterator writes them, still to be handed out.
class RecordBatch {
 public:
  RecordBatch() = default;
  // What does not begin with a whole record is dropped: no iterator of ours writes it.
  explicit RecordBatch(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {
    for (std::size_t at = 0; SizeAt(at) != 0; at += SizeAt(at)) {
      ++records_;
    }
  }

  bool empty() const { return records_ == 0; }
  std::size_t records() const { return records_; }
  // Only if not empty. The bytes stay where they are as long as the batch lives.
  RecordBytes front() const { return {bytes_.data() + at_, SizeAt(at_)}; }
  void Pop() {
    at_ += SizeAt(at_);
    --records_;
  }

 private:
  std::size_t SizeAt(std::size_t at) const {
    mf_header header;
    if (bytes_.size() - at < sizeof(header)) {
      return 0;
    }
    std::memcpy(&header, bytes_.data() + at, sizeof(header));
    const bool whole = header.size >= sizeof(header) && header.size <= bytes_.size() - at;
    return whole ? header.size : 0;
  }

  std::vector<std::byte> bytes_;
  std::size_t at_ = 0;
  std::size_t records_ = 0;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_RECORD_BATCH_H_
