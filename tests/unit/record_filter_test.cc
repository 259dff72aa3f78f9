// SPDX-License-Identifier: Apache-2.0
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

template <class Event>
bool Passes(RecordFilter& filter, const Event& event) {
  return filter.Passes(EncodeRecord(event));
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
  RecordFilter filter(kAllProcesses);
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestExit(5)));
  EXPECT_TRUE(Passes(filter, TestFork(5)));
  EXPECT_TRUE(Passes(filter, Failure(5)));
  EXPECT_TRUE(Passes(filter, Running(5, 1)));
}

TEST(RecordFilter, WhatWasNotAskedForIsDropped) {
  RecordFilter filter(ProcessOptions{});
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestExit(5)));
  EXPECT_FALSE(Passes(filter, TestFork(5)));
  EXPECT_FALSE(Passes(filter, Failure(5)));
  EXPECT_FALSE(Passes(filter, Running(5, 1)));
}

TEST(RecordFilter, Pids) {
  RecordFilter filter(With({.pids = {5, 6}}));
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestExit(6)));
  EXPECT_TRUE(Passes(filter, Failure(6)));
  EXPECT_FALSE(Passes(filter, TestExec(7)));
  EXPECT_FALSE(Passes(filter, TestExec(7, 5)));
  EXPECT_FALSE(Passes(filter, Running(7, 5)));
}

TEST(RecordFilter, AForkIsOfBothProcesses) {
  RecordFilter filter(With({.pids = {5}}));
  EXPECT_TRUE(Passes(filter, TestFork(5, 1)));
  EXPECT_TRUE(Passes(filter, TestFork(9, 5)));
  EXPECT_FALSE(Passes(filter, TestFork(9, 8)));
}

TEST(RecordFilter, UidsAndComms) {
  RecordFilter filter(With({.uids = {7, 1000}, .comms = {"ls", "cat"}}));
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
  RecordFilter filter(With({.comms = {comm}}));
  ProcessExec e = TestExec(5);
  e.process.comm = comm;
  Bytes bytes = EncodeRecord(e);
  EXPECT_TRUE(filter.Passes(bytes));
  bytes[sizeof(mf_header) + offsetof(mf_process, comm) + 15] = std::byte{'c'};  // damaged: no NUL
  EXPECT_FALSE(filter.Passes(bytes));
}

TEST(RecordFilter, KindsAreJoinedByAnd) {
  RecordFilter filter(With({.pids = {5}, .uids = {0}}));
  EXPECT_FALSE(Passes(filter, TestExec(5)));
}

TEST(RecordFilter, TreesFollowForksAlsoIfForksAreNotWanted) {
  ProcessOptions options = With({.trees = {5}});
  options.forks = false;
  RecordFilter filter(options);
  EXPECT_FALSE(Passes(filter, TestFork(6, 5)));
  EXPECT_FALSE(Passes(filter, TestFork(7, 6)));
  EXPECT_TRUE(Passes(filter, TestExec(7, 1)));  // its parent has gone
  EXPECT_TRUE(Passes(filter, TestExit(6, 1)));
  EXPECT_TRUE(Passes(filter, TestExit(7, 1)));
  EXPECT_FALSE(Passes(filter, TestExec(8, 1)));
}

TEST(RecordFilter, TreesFollowParentsWhereForksWereNotRecorded) {
  RecordFilter filter(With({.trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestExec(6, 5)));
  EXPECT_TRUE(Passes(filter, TestExec(7, 6)));
  EXPECT_TRUE(Passes(filter, TestExit(8, 7)));
  EXPECT_TRUE(Passes(filter, Failure(9, 5)));
  EXPECT_TRUE(Passes(filter, TestExit(9, 1)));
  EXPECT_TRUE(Passes(filter, Running(10, 7)));
  EXPECT_FALSE(Passes(filter, TestExec(11, 1)));
}

TEST(RecordFilter, TheRootItselfPassesAndItsPidEndsWithIt) {
  RecordFilter filter(With({.trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestExec(5)));
  EXPECT_TRUE(Passes(filter, TestFork(6, 5)));
  EXPECT_TRUE(Passes(filter, TestExit(5)));
  EXPECT_FALSE(Passes(filter, TestExec(5)));  // another process of this pid
  EXPECT_TRUE(Passes(filter, TestExec(6, 1)));
}

TEST(RecordFilter, APidUsedAgainIsNotOfTheTree) {
  RecordFilter filter(With({.trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestFork(6, 5)));
  ProcessExec other = TestExec(6, 1);  // the exit of the first was lost
  other.process.id.start += std::chrono::seconds(1);
  EXPECT_FALSE(Passes(filter, other));
}

TEST(RecordFilter, PidsAndTreesAreOneList) {
  RecordFilter filter(With({.pids = {9}, .trees = {5}}));
  EXPECT_TRUE(Passes(filter, TestExec(9)));
  EXPECT_TRUE(Passes(filter, TestExec(6, 5)));
  EXPECT_FALSE(Passes(filter, TestExec(10, 9)));
}

TEST(RecordFilter, SnapshotJoinsWhateverItsOrder) {
  RecordFilter filter(With({.trees = {50}}));
  ASSERT_TRUE(filter.follows_trees());
  for (const auto& e : {Running(10, 60), Running(11, 99), Running(60, 50), Running(50, 1)}) {
    filter.NoteRunning(EncodeRecord(e));
  }
  filter.NoteRunning(EncodeRecord(TestExec(70, 50)));  // not of the snapshot
  filter.JoinRunning();
  EXPECT_TRUE(Passes(filter, Running(10, 60)));
  EXPECT_FALSE(Passes(filter, Running(11, 99)));
  EXPECT_TRUE(Passes(filter, Running(50, 1)));
  EXPECT_TRUE(Passes(filter, Running(60, 50)));
  EXPECT_FALSE(Passes(filter, TestExec(70, 1)));
}

TEST(RecordFilter, ARingOfParentsEnds) {
  RecordFilter filter(With({.trees = {50}}));
  for (const auto& e : {Running(10, 11), Running(11, 10), Running(10, 50), Running(50, 50)}) {
    filter.NoteRunning(EncodeRecord(e));
  }
  filter.JoinRunning();
  EXPECT_TRUE(Passes(filter, TestExec(11, 1)));
}

TEST(RecordFilter, WhatCannotBeJudgedPasses) {
  RecordFilter filter(With({.pids = {5}}));
  EXPECT_TRUE(filter.Passes({}));
  Bytes bytes = EncodeRecord(TestExec(6));
  EXPECT_FALSE(filter.Passes(bytes));
  EXPECT_TRUE(filter.Passes(RecordBytes(bytes).first(79)));
  bytes[0] = std::byte{99};  // kind
  EXPECT_TRUE(filter.Passes(bytes));
}

}  // namespace
}  // namespace masflow::internal
