// SPDX-License-Identifier: Apache-2.0
//
// Process records, from bytes to views. Pure: no allocation, no system call; any
// input is safe.
#ifndef MASFLOW_WIRE_PROCESS_RECORD_H_
#define MASFLOW_WIRE_PROCESS_RECORD_H_

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "masflow/events.h"
#include "masflow_bpf/wire.h"

namespace masflow::internal {

using ProcessRecordView =
    std::variant<ProcessExecView, ProcessExitView, ProcessForkView, ProcessExecFailureView>;

// What can be known of a record without decoding it all.
struct ProcessRecordHead {
  enum class Role {
    kSnapshot,   // found running
    kAnnounces,  // exec, exit, fork: from here on the process is known
    kMentions,   // tells of it without saying what it is: a failed exec
  };

  ProcessId process;
  KernelTime time;
  Role role{};
  // Of an exit: when the process had started (earlier, if the machine slept since).
  std::optional<KernelTime> started{};
};
std::optional<ProcessRecordHead> PeekProcessRecord(std::span<const std::byte> record);

class ProcessDecoder {
 public:
  // Absent: malformed. The view points into `record` and into this decoder, so it is
  // valid until either changes.
  std::optional<ProcessRecordView> Decode(std::span<const std::byte> record);

 private:
  std::optional<ProcessRecordView> DecodeExec(std::span<const std::byte> record);
  std::optional<ProcessRecordView> DecodeExit(std::span<const std::byte> record);
  std::optional<ProcessRecordView> DecodeFork(std::span<const std::byte> record);
  std::optional<ProcessRecordView> DecodeExecFailure(std::span<const std::byte> record);
  bool JoinPath(std::string_view components, std::size_t parts, bool off_tree,
                std::string_view* path);

  // The texts of the record in hand: fixed-size fields are copied out of it first.
  std::array<char, MF_COMM_LEN> comm_{};
  std::array<char, MF_PATH_MAX + 1> path_{};
};

}  // namespace masflow::internal

#endif  // MASFLOW_WIRE_PROCESS_RECORD_H_
