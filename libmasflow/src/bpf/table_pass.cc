// SPDX-License-Identifier: Apache-2.0
#include "bpf/table_pass.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/environment.h"

namespace masflow::internal {

absl::StatusOr<TablePass> TablePass::Create(const Programs& programs) {
  TablePass pass(programs);
  if (bpf_program__fd(programs.run) < 0) {  // not loaded
    absl::StatusOr<Iterator> iterator = Iterator::Attach(programs.iterator, programs.table);
    if (!iterator.ok()) {
      return iterator.status();
    }
    pass.iterator_.emplace(*std::move(iterator));
    return pass;
  }
  if (programs.used != nullptr) {
    void* const records =
        mmap(nullptr, pass.mapped_bytes(), PROT_READ, MAP_SHARED, programs.records, 0);
    if (records == MAP_FAILED) {
      return ErrnoStatus(errno, "cannot map the records of a pass");
    }
    pass.records_ = static_cast<const std::byte*>(records);
  }
  return pass;
}

TablePass::TablePass(TablePass&& other) noexcept
    : programs_(other.programs_),
      records_(std::exchange(other.records_, nullptr)),
      iterator_(std::move(other.iterator_)) {}

TablePass::~TablePass() {
  if (records_ != nullptr) {
    munmap(const_cast<std::byte*>(records_), mapped_bytes());
  }
}

absl::Status TablePass::RunOnce() const {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  const int error = bpf_prog_test_run_opts(bpf_program__fd(programs_.run), &options);
  return error == 0 ? absl::OkStatus() : ErrnoStatus(-error, "cannot run a pass over a table");
}

absl::StatusOr<std::vector<std::byte>> TablePass::Run() const {
  if (iterator_.has_value()) {
    return iterator_->Run();
  }
  std::vector<std::byte> bytes;
  bool full = false;
  do {
    if (programs_.used != nullptr) {
      *programs_.used = 0;
    }
    if (absl::Status status = RunOnce(); !status.ok()) {
      // What an earlier run told counts as told.
      return bytes.empty() ? absl::StatusOr<std::vector<std::byte>>(status) : bytes;
    }
    if (programs_.used != nullptr) {
      const std::size_t used = *programs_.used;
      bytes.insert(bytes.end(), records_, records_ + used * programs_.record_size);
      full = used == programs_.max_records;  // there may be more
    }
  } while (full);
  return bytes;
}

}  // namespace masflow::internal
