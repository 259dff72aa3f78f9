// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_TABLE_PASS_H_
#define MASFLOW_BPF_TABLE_PASS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <absl/status/statusor.h>

#include "bpf/iterator.h"

struct bpf_program;

namespace masflow::internal {

// A walk of the kernel over one of our tables, made when the reader asks for it. By the one of
// two programs that was loaded: one that is run by a call (from 5.14), which leaves its records
// in a table of their own; or an iterator, which writes them.
class TablePass {
 public:
  struct Programs {
    bpf_program* run = nullptr;
    bpf_program* iterator = nullptr;
    int table = -1;  // that the iterator walks over
    // Of `run`, if it has anything to tell: an array of records that can be mapped, and how many
    // it has filled.
    int records = -1;
    std::size_t record_size = 0;
    std::size_t max_records = 0;
    std::uint32_t* used = nullptr;
  };

  // What `programs` points to has to stay as long as the pass.
  static absl::StatusOr<TablePass> Create(const Programs& programs);
  TablePass(TablePass&& other) noexcept;
  TablePass& operator=(TablePass&&) = delete;
  ~TablePass();

  // All the records of one pass.
  absl::StatusOr<std::vector<std::byte>> Run() const;

 private:
  explicit TablePass(const Programs& programs) : programs_(programs) {}

  absl::Status RunOnce() const;
  std::size_t mapped_bytes() const { return programs_.record_size * programs_.max_records; }

  Programs programs_;
  const std::byte* records_ = nullptr;
  std::optional<Iterator> iterator_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_TABLE_PASS_H_
