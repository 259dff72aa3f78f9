// SPDX-License-Identifier: Apache-2.0
//
// The filter of a replay on process records; for TCP see tcp_filter_test.cc.
#include "replay/record_filter.h"

#include <gtest/gtest.h>

#include "replay_testing.h"
#include "wire/process_encode.h"

namespace masflow::internal {
namespace {

ProcessOptions With(ProcessFilter filter) {
  ProcessOptions options = kAllProcesses;
  options.filter = std::move(filter);
  return options;
}

std::unique_ptr<RecordFilter> Filter(const ProcessOptions& options) {
  return *MakeRecordFilter(options);
}

template <class Event>
bool Passes(const std::unique_ptr<RecordFilter>& filter, const Event& event) {
  return filter->Passes(EncodeRecord(event));
}

ProcessExec Running(std::uint32_t pid, std::uint32_t ppid) {
  ProcessExec e = TestExec(pid, ppid);
  e.pre_existing = true;
  return e;
}

ProcessExecFailure Failure(std::uint32_t pid, std::uint32_t ppid = 1) {
  return {.time = At(9), .process = TestProcess(pid, ppid), .error = 2};
}

TEST(RecordFilter, EmptyLetsAllPass) {
  const auto filter = Filter(kAllProcesses);
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestExit(5)));
  EXPECT_TRUE(Passes(filter, TestFork(5)));
  EXPECT_TRUE(Passes(filter, Failure(5)));
  EXPECT_TRUE(Passes(filter, Running(5, 1)));
}

TEST(RecordFilter, WhatWasNotAskedForIsDropped) {
  const auto filter = Filter(ProcessOptions{});
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestExit(5)));
  EXPECT_FALSE(Passes(filter, TestFork(5)));
  EXPECT_FALSE(Passes(filter, Failure(5)));
  EXPECT_FALSE(Passes(filter, Running(5, 1)));
}

TEST(RecordFilter, Pids) {
  const auto filter = Filter(With({.pids = {5, 6}}));
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestExit(6)));
  EXPECT_TRUE(Passes(filter, Failure(6)));
  EXPECT_FALSE(Passes(filter, TestExec(7)));
  EXPECT_FALSE(Passes(filter, TestExec(7, 5)));
  EXPECT_FALSE(Passes(filter, Running(7, 5)));
}

TEST(RecordFilter, AForkIsOfBothProcesses) {
  const auto filter = Filter(With({.pids = {5}}));
  EXPECT_TRUE(Passes(filter, TestFork(5, 1)));
  EXPECT_TRUE(Passes(filter, TestFork(9, 5)));
  EXPECT_FALSE(Passes(filter, TestFork(9, 8)));
}

TEST(RecordFilter, UidsAndComms) {
  const auto filter = Filter(With({.uids = {7, 1000}, .comms = {"ls", "cat"}}));
  ProcessExec e = TestExec(5);
  EXPECT_TRUE(Passes(filter, e));
  e.process.comm = "lsx";
  EXPECT_FALSE(Passes(filter, e));
  e.process.comm = "cat";
  EXPECT_TRUE(Passes(filter, e));
  e.process.uid = 0;
  EXPECT_FALSE(Passes(filter, e));
}

TEST(RecordFilter, ACommOf15BytesFillsTheField) {
  const std::string comm(15, 'c');
  const auto filter = Filter(With({.comms = {comm}}));
  ProcessExec e = TestExec(5);
  e.process.comm = comm;
  Bytes bytes = EncodeRecord(e);
  EXPECT_TRUE(filter->Passes(bytes));
  bytes[sizeof(mf_header) + offsetof(mf_process, comm) + 15] = std::byte{'c'};  // damaged: no NUL
  EXPECT_FALSE(filter->Passes(bytes));
}

TEST(RecordFilter, KindsAreJoinedByAnd) {
  const auto filter = Filter(With({.pids = {5}, .uids = {0}}));
  EXPECT_FALSE(Passes(filter, TestExec(5)));
}

TEST(RecordFilter, TreesFollowForksAlsoIfForksAreNotWanted) {
  ProcessOptions options = With({.trees = {5}});
  options.forks = false;
  const auto filter = Filter(options);
  EXPECT_FALSE(Passes(filter, TestFork(6, 5)));
  EXPECT_FALSE(Passes(filter, TestFork(7, 6)));
  EXPECT_TRUE(Passes(filter, TestExec(7, 1)));  // its parent has gone
  EXPECT_TRUE(Passes(filter, TestExit(6, 1)));
  EXPECT_TRUE(Passes(filter, TestExit(7, 1)));
  EXPECT_FALSE(Passes(filter, TestExec(8, 1)));
}

TEST(RecordFilter, TreesFollowParentsWhereForksWereNotRecorded) {
  const auto filter = Filter(With({.trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestExec(6, 5)));
  EXPECT_TRUE(Passes(filter, TestExec(7, 6)));
  EXPECT_TRUE(Passes(filter, TestExit(8, 7)));
  EXPECT_TRUE(Passes(filter, Failure(9, 5)));
  EXPECT_TRUE(Passes(filter, TestExit(9, 1)));
  EXPECT_TRUE(Passes(filter, Running(10, 7)));
  EXPECT_FALSE(Passes(filter, TestExec(11, 1)));
}

TEST(RecordFilter, TheRootItselfPassesAndItsPidEndsWithIt) {
  const auto filter = Filter(With({.trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestFork(6, 5)));
  EXPECT_TRUE(Passes(filter, TestExit(5)));
  ProcessExec other = TestExec(5);
  other.process.id.start += std::chrono::seconds(1);
  EXPECT_FALSE(Passes(filter, other));
  EXPECT_TRUE(Passes(filter, TestExec(6, 1)));
}

TEST(RecordFilter, APidUsedAgainIsNotOfTheTree) {
  const auto filter = Filter(With({.trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestFork(6, 5)));
  ProcessExec other = TestExec(6, 1);  // the exit of the first was lost
  other.process.id.start += std::chrono::seconds(1);
  EXPECT_FALSE(Passes(filter, other));
}

TEST(RecordFilter, PidsAndTreesAreOneList) {
  const auto filter = Filter(With({.pids = {9}, .trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestExec(9)));
  EXPECT_TRUE(Passes(filter, TestExec(6, 5)));
  EXPECT_FALSE(Passes(filter, TestExec(10, 9)));
}

TEST(RecordFilter, SnapshotJoinsWhateverItsOrder) {
  const auto filter = Filter(With({.trees = {50}}));
  ASSERT_TRUE(filter->processes().follows_trees());
  for (const auto& e : {Running(10, 60), Running(11, 99), Running(60, 50), Running(50, 1)}) {
    filter->processes().NoteRunning(EncodeRecord(e));
  }
  filter->processes().NoteRunning(EncodeRecord(TestExec(70, 50)));  // not of the snapshot
  filter->processes().JoinRunning();
  EXPECT_TRUE(Passes(filter, Running(10, 60)));
  EXPECT_FALSE(Passes(filter, Running(11, 99)));
  EXPECT_TRUE(Passes(filter, Running(50, 1)));
  EXPECT_TRUE(Passes(filter, Running(60, 50)));
  EXPECT_FALSE(Passes(filter, TestExec(70, 1)));
}

TEST(RecordFilter, ARingOfParentsEnds) {
  const auto filter = Filter(With({.trees = {50}}));
  for (const auto& e : {Running(10, 11), Running(11, 10), Running(10, 50), Running(50, 50)}) {
    filter->processes().NoteRunning(EncodeRecord(e));
  }
  filter->processes().JoinRunning();
  EXPECT_TRUE(Passes(filter, TestExec(11, 1)));
}

// A stream whose records come later than those of the process stream still knows it then.
TEST(RecordFilter, AProcessThatHasEndedStaysInItsTree) {
  const auto filter = Filter(With({.trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestFork(6, 5)));
  EXPECT_TRUE(Passes(filter, TestExit(6, 5)));
  EXPECT_TRUE(Passes(filter, TestExit(5)));
  EXPECT_TRUE(Passes(filter, TestExec(6, 1)));
  EXPECT_TRUE(Passes(filter, TestExec(5)));
}

// ... but not for good, so that a long recording takes no more and more memory.
TEST(RecordFilter, AProcessThatHasEndedIsForgottenAfterManyOthers) {
  const auto filter = Filter(With({.trees = {5}}));
  for (std::uint32_t pid = 100; pid <= 100 + (1 << 16); ++pid) {
    Passes(filter, TestExit(pid, 5));
  }
  EXPECT_FALSE(Passes(filter, TestExec(100, 1)));
  EXPECT_TRUE(Passes(filter, TestExec(101, 1)));
}

TEST(RecordFilter, WhatCannotBeJudgedPasses) {
  const auto filter = Filter(With({.pids = {5}}));
  EXPECT_TRUE(filter->Passes({}));
  Bytes bytes = EncodeRecord(TestExec(6));
  EXPECT_FALSE(filter->Passes(bytes));
  EXPECT_TRUE(filter->Passes(RecordBytes(bytes).first(79)));
  bytes[0] = std::byte{99};  // kind
  EXPECT_TRUE(filter->Passes(bytes));
}

}  // namespace
}  // namespace masflow::internal
