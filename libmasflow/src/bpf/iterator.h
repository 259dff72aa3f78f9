// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_BPF_ITERATOR_H_
#define MASFLOW_BPF_ITERATOR_H_

#include <cstddef>
#include <memory>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

struct bpf_link;
struct bpf_program;

namespace masflow::internal {

// An iterator program, ready to run over what it is made for.
class Iterator {
 public:
  // `map_fd`: the table to iterate over (iter/bpf_map_elem), else -1.
  static absl::StatusOr<Iterator> Attach(bpf_program* program, int map_fd = -1);

  // All that one run writes.
  absl::StatusOr<std::vector<std::byte>> Run() const;

 private:
  struct LinkDestroy {
    void operator()(bpf_link* link) const;
  };
  explicit Iterator(bpf_link* link) : link_(link) {}

  std::unique_ptr<bpf_link, LinkDestroy> link_;
};

// Attach, Run, and away with it.
absl::StatusOr<std::vector<std::byte>> RunIterator(bpf_program* program);

// Appends at most `limit` bytes of `fd`; false on an error.
bool ReadUpTo(int fd, std::size_t limit, std::vector<std::byte>* out);

}  // namespace masflow::internal

#endif  // MASFLOW_BPF_ITERATOR_H_
