// SPDX-License-Identifier: Apache-2.0
#include "bpf/iterator.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/environment.h"
#include "bpf/libbpf_log.h"
#include "core/unique_fd.h"

namespace masflow::internal {

void Iterator::LinkDestroy::operator()(bpf_link* link) const {
  bpf_link__destroy(link);
}

absl::StatusOr<Iterator> Iterator::Attach(bpf_program* program, int map_fd) {
  LibbpfLog log;
  bpf_iter_link_info info{};
  bpf_iter_attach_opts options{};
  options.sz = sizeof(options);
  if (map_fd >= 0) {
    info.map.map_fd = static_cast<__u32>(map_fd);
    options.link_info = &info;
    options.link_info_len = sizeof(info);
  }
  bpf_link* const link = bpf_program__attach_iter(program, &options);
  if (link == nullptr) {
    return log.Attach(ErrnoStatus(
        errno, std::string("cannot attach the iterator ") + bpf_program__name(program)));
  }
  return Iterator(link);
}

absl::StatusOr<std::vector<std::byte>> Iterator::Run() const {
  const UniqueFd fd(bpf_iter_create(bpf_link__fd(link_.get())));
  if (!fd.valid()) {
    return ErrnoStatus(errno, "cannot start an iterator");
  }
  std::vector<std::byte> bytes;
  if (!ReadUpTo(fd.get(), SIZE_MAX, &bytes)) {
    return ErrnoStatus(errno, "cannot read from an iterator");
  }
  return bytes;
}

absl::StatusOr<std::vector<std::byte>> RunIterator(bpf_program* program) {
  const absl::StatusOr<Iterator> iterator = Iterator::Attach(program);
  return iterator.ok() ? iterator->Run() : iterator.status();
}

bool ReadUpTo(int fd, std::size_t limit, std::vector<std::byte>* out) {
  std::array<std::byte, 32768> chunk;  // what an iterator's buffer holds
  while (limit > 0) {
    const ssize_t n = read(fd, chunk.data(), std::min(chunk.size(), limit));
    // EAGAIN: an iterator that has not written for a million elements gives way.
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
      continue;
    }
    if (n < 0) {
      return false;
    }
    if (n == 0) {
      return true;
    }
    out->insert(out->end(), chunk.begin(), chunk.begin() + n);
    limit -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace masflow::internal
