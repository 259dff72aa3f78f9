// SPDX-License-Identifier: Apache-2.0
//
// What well-formed records decode to.
#include "wire/process_record.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "test_support.h"
#include "wire/process_encode.h"
#include "wire_testing.h"

namespace masflow::internal {
namespace {

Process ExpectedProcess() {
  return {.id = {.pid = 1002, .start = std::chrono::nanoseconds(1004)},
          .parent = {.pid = 1007, .start = std::chrono::nanoseconds(1005)},
          .uid = 1008,
          .gid = 1009,
          .cgroup_id = 1006,
          .comm = "comm"};
}

ProcessExec ExpectedExec() {
  return {.time = At(1001),
          .process = ExpectedProcess(),
          .tid = 1003,
          .euid = 1010,
          .egid = 1011,
          .filename = "./f",
          .executable = "/bin/ls",
          .args = std::string("ls\0-l\0", 6),
          .args_total_bytes = 1012};
}

TEST(ProcessRecord, Exec_EachField_Decodes) {
  EXPECT_EQ(DecodeAs<ProcessExecView>(ExecRecord()), ExpectedExec());
}

TEST(ProcessRecord, Exit_EachField_Decodes) {
  const ProcessExit expected = {.time = At(1001),
                                .process = ExpectedProcess(),
                                .exit_code = std::uint8_t{3},
                                .duration = std::chrono::nanoseconds(1014)};
  EXPECT_EQ(DecodeAs<ProcessExitView>(ExitRecord()), expected);
}

TEST(ProcessRecord, Fork_EachField_Decodes) {
  const ProcessFork expected = {.time = At(1001), .process = ExpectedProcess(), .parent_tid = 1015};
  EXPECT_EQ(DecodeAs<ProcessForkView>(ForkRecord()), expected);
}

TEST(ProcessRecord, ExecFailed_EachField_Decodes) {
  const ProcessExecFailure expected = {.time = At(1001),
                                       .process = ExpectedProcess(),
                                       .tid = 1003,
                                       .error = 2,
                                       .filename = "/no\xff"};
  EXPECT_EQ(DecodeAs<ProcessExecFailureView>(ExecFailedRecord()), expected);
}

TEST(ProcessRecord, ExecFlags_EachAlone_SetsItsField) {
  const auto with_flag = [](std::uint16_t flag) {
    mf_exec wire = WireExec();
    wire.header.flags = flag;
    return DecodeAs<ProcessExecView>(MakeRecord(wire, kExecTail));
  };
  ProcessExec expected = ExpectedExec();
  expected.pre_existing = true;
  EXPECT_EQ(with_flag(MF_EXEC_SNAPSHOT), expected);

  expected = ExpectedExec();
  expected.args = std::nullopt;
  expected.args_total_bytes = 0;
  EXPECT_EQ(with_flag(MF_EXEC_NO_ARGS), expected);

  expected = ExpectedExec();
  expected.executable = std::nullopt;
  EXPECT_EQ(with_flag(MF_EXEC_NO_PATH), expected);
  EXPECT_EQ(with_flag(MF_EXEC_NO_PATH | MF_EXEC_PATH_CUT | MF_EXEC_UNLINKED), expected);

  expected = ExpectedExec();
  expected.executable_truncated = true;
  EXPECT_EQ(with_flag(MF_EXEC_PATH_CUT), expected);

  expected = ExpectedExec();
  expected.executable_unlinked = true;
  EXPECT_EQ(with_flag(MF_EXEC_UNLINKED), expected);

  expected = ExpectedExec();
  expected.filename_truncated = true;
  EXPECT_EQ(with_flag(MF_EXEC_FILENAME_CUT), expected);
}

TEST(ProcessRecord, ExecFailedFlags_EachAlone_SetsItsField) {
  mf_exec_failed wire = WireExecFailed();
  wire.header.flags = MF_EXEC_FAILED_FILENAME_CUT;
  ProcessExecFailure event = DecodeAs<ProcessExecFailureView>(MakeRecord(wire, "/no/"));
  EXPECT_EQ(event.filename, "/no/");
  EXPECT_TRUE(event.filename_truncated);
  wire.header.flags = MF_EXEC_FAILED_NO_FILENAME;
  wire.filename_len = 0;
  event = DecodeAs<ProcessExecFailureView>(MakeRecord(wire));
  EXPECT_EQ(event.filename, std::nullopt);
  wire.header.flags = 0;
  EXPECT_EQ(DecodeAs<ProcessExecFailureView>(MakeRecord(wire)).filename, "");
}

TEST(ProcessRecord, ExitStatus_AsWaitReportsIt) {
  struct Case {
    std::uint32_t status;
    std::optional<std::uint8_t> code;
    std::optional<std::uint8_t> signal;
    bool core = false;
  };
  const std::vector<Case> cases = {
      {0x0000, 0, std::nullopt},        {0x0100, 1, std::nullopt},
      {0x7f00, 127, std::nullopt},      {0xff00, 255, std::nullopt},
      {0x0009, std::nullopt, 9},        {0x000f, std::nullopt, 15},
      {0x008b, std::nullopt, 11, true}, {0x0086, std::nullopt, 6, true},
      {0x0040, std::nullopt, 64},       {0x00c0, std::nullopt, 64, true},
      {0x0080, 0, std::nullopt},  // a core flag without a signal says nothing
  };
  for (const Case& c : cases) {
    const ProcessExit e = DecodeAs<ProcessExitView>(MakeRecord(WireExit(c.status)));
    EXPECT_EQ(e.exit_code, c.code) << std::hex << c.status;
    EXPECT_EQ(e.signal, c.signal) << std::hex << c.status;
    EXPECT_EQ(e.core_dumped, c.core) << std::hex << c.status;
    EXPECT_NE(e.exit_code.has_value(), e.signal.has_value());
  }
}

TEST(ProcessRecord, Comm_FullWithoutNul_IsCutAtItsField) {
  mf_exec wire = WireExec();
  const std::string_view comm = "0123456789abcdef";
  comm.copy(wire.process.comm, MF_COMM_LEN);
  EXPECT_EQ(DecodeAs<ProcessExecView>(MakeRecord(wire, kExecTail)).process.comm, comm);
}

TEST(ProcessRecord, Text_AnyByte_PassesThrough) {
  mf_exec wire = WireExec();
  const std::string_view comm("\x1b[2J\xff\n");
  comm.copy(wire.process.comm, MF_COMM_LEN);
  const std::string_view filename = "\xc3(";
  const std::string_view path("\x80\x07\0\xed\xa0\x80\0", 7);
  const std::string_view args("\xff\0\0\n\t\0", 6);
  wire.filename_len = static_cast<std::uint16_t>(filename.size());
  wire.path_len = static_cast<std::uint16_t>(path.size());
  wire.args_len = wire.args_total = static_cast<std::uint32_t>(args.size());
  const std::string tail = std::string(filename) + std::string(path) + std::string(args);
  const ProcessExec e = DecodeAs<ProcessExecView>(MakeRecord(wire, tail));
  EXPECT_EQ(e.process.comm, comm);
  EXPECT_EQ(e.filename, filename);
  EXPECT_EQ(e.executable, "/\xed\xa0\x80/\x80\x07");
  EXPECT_EQ(e.args, args);
  EXPECT_FALSE(e.args_truncated());
}

// The executable of an exec with this path.
ProcessExec WithPath(std::string_view components, std::uint16_t parts, std::uint16_t flags = 0) {
  mf_exec wire = WireExec();
  wire.header.flags = flags;
  wire.filename_len = 0;
  wire.args_len = 0;
  wire.path_len = static_cast<std::uint16_t>(components.size());
  wire.path_parts = parts;
  return DecodeAs<ProcessExecView>(MakeRecord(wire, components));
}

TEST(ProcessRecord, Path_OfComponents_IsJoinedFromTheRoot) {
  EXPECT_EQ(WithPath("", 0).executable, "");
  EXPECT_EQ(WithPath({"a\0", 2}, 1).executable, "/a");
  EXPECT_EQ(WithPath({"c\0b\0a\0", 6}, 3).executable, "/a/b/c");
  std::string components;
  std::string expected;
  for (int i = 0; i < MF_PATH_PARTS_MAX; ++i) {
    components += "d" + std::to_string(i) + '\0';
    expected.insert(0, "/d" + std::to_string(i));
  }
  EXPECT_EQ(WithPath(components, MF_PATH_PARTS_MAX).executable, expected);
}

TEST(ProcessRecord, Path_Cut_IsFlagged) {
  const ProcessExec e = WithPath({"c\0b\0", 4}, 2, MF_EXEC_PATH_CUT);
  EXPECT_EQ(e.executable, "/b/c");
  EXPECT_TRUE(e.executable_truncated);
}

TEST(ProcessRecord, Path_OffTheTree_IsABareName) {
  const ProcessExec e = WithPath({"memfd:x/y\0", 10}, 1, MF_EXEC_PATH_OFF_TREE | MF_EXEC_UNLINKED);
  EXPECT_EQ(e.executable, "memfd:x/y");
  EXPECT_FALSE(e.executable_truncated);
  EXPECT_TRUE(e.executable_unlinked);
}

// A directory that was moved out of its bind mount: the walk ends at the root of the file
// system, whose name is "/", not at that of the mount.
TEST(ProcessRecord, Path_OutOfItsMount_IsFlaggedAsCut) {
  const ProcessExec e = WithPath({"tool\0dir\0/\0", 11}, 3, MF_EXEC_PATH_OFF_TREE);
  EXPECT_EQ(e.executable, "/dir/tool");
  EXPECT_TRUE(e.executable_truncated);
}

TEST(ProcessRecord, Path_OfTheGreatestLength_Decodes) {
  std::string components(MF_PATH_MAX - 1, 'p');
  components.push_back('\0');
  EXPECT_EQ(WithPath(components, 1).executable, "/" + std::string(MF_PATH_MAX - 1, 'p'));
  EXPECT_EQ(WithPath(components, 1, MF_EXEC_PATH_OFF_TREE).executable,
            std::string(MF_PATH_MAX - 1, 'p'));
}

TEST(ProcessRecord, Texts_OfTheGreatestLength_Decode) {
  mf_exec wire = WireExec();
  const std::string filename(MF_FILENAME_MAX - 1, 'f');
  const std::string path = std::string(MF_PATH_MAX - 1, 'p') + '\0';
  const std::string args(MF_ARGS_MAX, 'a');
  wire.filename_len = MF_FILENAME_MAX - 1;
  wire.path_len = MF_PATH_MAX;
  wire.path_parts = 1;
  wire.args_len = MF_ARGS_MAX;
  wire.args_total = 4'000'000'000;
  const ProcessExec e = DecodeAs<ProcessExecView>(MakeRecord(wire, filename + path + args));
  EXPECT_EQ(e.filename, filename);
  EXPECT_EQ(e.args, args);
  EXPECT_EQ(e.args_total_bytes, 4'000'000'000);
  EXPECT_TRUE(e.args_truncated());
}

TEST(ProcessRecord, Decoder_UsedAgain_KeepsNothingOfTheFormer) {
  ProcessDecoder decoder;
  ASSERT_TRUE(decoder.Decode(ExecRecord()).has_value());
  mf_exec wire = {};
  wire.header.kind = MF_KIND_EXEC;
  const Bytes empty = MakeRecord(wire);
  const auto view = decoder.Decode(empty);
  ASSERT_TRUE(view.has_value());
  ProcessExec expected;
  expected.executable = "";
  expected.args = "";
  EXPECT_EQ(Own(std::get<ProcessExecView>(*view)), expected);
}

TEST(ProcessRecord, Unaligned_Decodes) {
  for (const Bytes& record : OneOfEachKind()) {
    Bytes shifted(1);
    shifted.insert(shifted.end(), record.begin(), record.end());
    ProcessDecoder decoder;
    EXPECT_TRUE(decoder.Decode(std::span(shifted).subspan(1)).has_value());
    EXPECT_TRUE(PeekProcessRecord(std::span(shifted).subspan(1)).has_value());
  }
}

TEST(ProcessRecord, Encode_FullEvents_ComeBackAsTheyWere) {
  EXPECT_EQ(DecodeAs<ProcessExecView>(EncodeRecord(FullExec())), FullExec());
  EXPECT_EQ(DecodeAs<ProcessForkView>(EncodeRecord(FullFork())), FullFork());
  EXPECT_EQ(DecodeAs<ProcessExecFailureView>(EncodeRecord(FullExecFailure())), FullExecFailure());
  ProcessExit by_signal = FullExit();
  by_signal.exit_code = std::nullopt;
  EXPECT_EQ(DecodeAs<ProcessExitView>(EncodeRecord(by_signal)), by_signal);
  ProcessExit by_code = FullExit();
  by_code.signal = std::nullopt;
  by_code.core_dumped = false;
  EXPECT_EQ(DecodeAs<ProcessExitView>(EncodeRecord(by_code)), by_code);
}

TEST(ProcessRecord, Peek_EachKind_KnowsItsRole) {
  using Role = ProcessRecordHead::Role;
  mf_exec running = WireExec();
  running.header.flags = MF_EXEC_SNAPSHOT;
  const std::vector<std::pair<Bytes, Role>> cases = {
      {ExecRecord(), Role::kAnnounces},
      {ExitRecord(), Role::kAnnounces},
      {ForkRecord(), Role::kAnnounces},
      {ExecFailedRecord(), Role::kMentions},
      {MakeRecord(running, kExecTail), Role::kSnapshot},
  };
  for (const auto& [record, role] : cases) {
    const auto head = PeekProcessRecord(record);
    ASSERT_TRUE(head.has_value());
    EXPECT_EQ(head->process, ExpectedProcess().id);
    EXPECT_EQ(head->time, At(1001));
    EXPECT_EQ(head->role, role);
    EXPECT_EQ(head->started,
              record == ExitRecord() ? std::optional(At(1001 - 1014)) : std::nullopt);
  }
}

}  // namespace
}  // namespace masflow::internal
