// SPDX-License-Identifier: Apache-2.0
#include "bpf/tracepoint.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <bpf/libbpf.h>

#include "core/unique_fd.h"

namespace masflow::internal {
namespace {

// The root of tracefs, or an invalid descriptor with errno.
UniqueFd OpenTracefs() {
  UniqueFd mounted(open("/sys/kernel/tracing", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (mounted.valid() && faccessat(mounted.get(), "events", F_OK, 0) == 0) {
    return mounted;
  }
  const UniqueFd context(fsopen("tracefs", FSOPEN_CLOEXEC));
  if (!context.valid() || fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return UniqueFd();
  }
  // A mount that belongs to no namespace: it goes with the descriptor.
  return UniqueFd(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
}

}  // namespace

std::uint64_t TracepointId(const std::string& group_and_name) {
  const UniqueFd tracefs = OpenTracefs();
  if (!tracefs.valid()) {
    return 0;
  }
  const std::string path = "events/" + group_and_name + "/id";
  const UniqueFd file(openat(tracefs.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  if (!file.valid() || read(file.get(), text.data(), text.size() - 1) <= 0) {
    return 0;
  }
  return std::strtoull(text.data(), nullptr, 10);
}

bpf_link* AttachTracepoint(bpf_program* program) {
  const std::string section = bpf_program__section_name(program);
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = TracepointId(section.substr(section.find('/') + 1));
  if (attributes.config == 0) {
    return nullptr;
  }
  // One CPU is named, but the program runs on all of them.
  UniqueFd event(static_cast<int>(syscall(SYS_perf_event_open, &attributes, /*pid=*/-1, /*cpu=*/0,
                                          /*group_fd=*/-1, PERF_FLAG_FD_CLOEXEC)));
  if (!event.valid()) {
    return nullptr;
  }
  bpf_link* const link = bpf_program__attach_perf_event(program, event.get());
  if (link != nullptr) {
    event.Release();  // the link closes it
  }
  return link;
}

}  // namespace masflow::internal
