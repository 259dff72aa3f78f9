// SPDX-License-Identifier: Apache-2.0
//
// Process records by hand, for the tests of the decoder.
#ifndef MASFLOW_TESTS_UNIT_WIRE_TESTING_H_
#define MASFLOW_TESTS_UNIT_WIRE_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "masflow_bpf/wire.h"
#include "test_support.h"
#include "wire/process_record.h"

namespace masflow::internal {

// The fixed part and what trails it, with the right size in the header.
template <class Record>
Bytes MakeRecord(Record fixed, std::string_view tail = {}) {
  fixed.header.size = static_cast<std::uint32_t>(sizeof(fixed) + tail.size());
  Bytes bytes(fixed.header.size);
  std::memcpy(bytes.data(), &fixed, sizeof(fixed));
  if (!tail.empty()) {
    std::memcpy(bytes.data() + sizeof(fixed), tail.data(), tail.size());
  }
  return bytes;
}

inline mf_header WireHeader(std::uint16_t kind) {
  return {.kind = kind, .flags = 0, .size = 0, .ktime_ns = 1001, .pid = 1002, .tid = 1003};
}

inline mf_process WireProcess() {
  return {.start_ns = 1004,
          .parent_start_ns = 1005,
          .cgroup_id = 1006,
          .ppid = 1007,
          .uid = 1008,
          .gid = 1009,
          .pad = 0xdeadbeef,
          .comm = {'c', 'o', 'm', 'm', '\0', 'x'}};
}

// "./f", "/bin/ls", "ls\0-l\0".
inline mf_exec WireExec() {
  mf_exec wire = {};
  wire.header = WireHeader(MF_KIND_EXEC);
  wire.process = WireProcess();
  wire.euid = 1010;
  wire.egid = 1011;
  wire.args_total = 1012;
  wire.args_len = 6;
  wire.filename_len = 3;
  wire.path_len = 7;
  wire.path_parts = 2;
  wire.pid_in_reader_ns = 1013;
  return wire;
}
inline const std::string_view kExecTail("./fls\0bin\0ls\0-l\0", 16);
inline Bytes ExecRecord() {
  return MakeRecord(WireExec(), kExecTail);
}

inline mf_exit WireExit(std::uint32_t status) {
  mf_exit wire = {};
  wire.header = WireHeader(MF_KIND_EXIT);
  wire.process = WireProcess();
  wire.duration_ns = 1014;
  wire.status = status;
  return wire;
}
inline Bytes ExitRecord() {
  return MakeRecord(WireExit(3 << 8));
}

inline Bytes ForkRecord() {
  mf_fork wire = {};
  wire.header = WireHeader(MF_KIND_FORK);
  wire.process = WireProcess();
  wire.parent_tid = 1015;
  return MakeRecord(wire);
}

inline mf_exec_failed WireExecFailed() {
  mf_exec_failed wire = {};
  wire.header = WireHeader(MF_KIND_EXEC_FAILED);
  wire.process = WireProcess();
  wire.error = 2;
  wire.filename_len = 4;
  return wire;
}
inline Bytes ExecFailedRecord() {
  return MakeRecord(WireExecFailed(), "/no\xff");
}

inline std::vector<Bytes> OneOfEachKind() {
  return {ExecRecord(), ExitRecord(), ForkRecord(), ExecFailedRecord()};
}

// Changes the header of a whole record.
template <class Change>
Bytes WithHeader(Bytes record, Change&& change) {
  mf_header header;
  std::memcpy(&header, record.data(), sizeof(header));
  change(header);
  std::memcpy(record.data(), &header, sizeof(header));
  return record;
}

// From a copy of exactly that size, so that ASan sees a read beyond it.
inline bool Decodes(const Bytes& record) {
  const Bytes exact(record.begin(), record.end());
  ProcessDecoder decoder;
  return decoder.Decode(exact).has_value();
}

// The event of kind View; a failure and a default one if it is none.
template <class View>
auto DecodeAs(const Bytes& record) -> decltype(Own(View())) {
  ProcessDecoder decoder;
  const std::optional<ProcessRecordView> view = decoder.Decode(record);
  if (!view.has_value() || !std::holds_alternative<View>(*view)) {
    ADD_FAILURE() << (view.has_value() ? "of another kind" : "malformed");
    return {};
  }
  return Own(std::get<View>(*view));
}

}  // namespace masflow::internal

#endif  // MASFLOW_TESTS_UNIT_WIRE_TESTING_H_
