// SPDX-License-Identifier: Apache-2.0
#include "process/snapshot_join.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "test_support.h"

namespace masflow::internal {
namespace {

using Role = ProcessRecordHead::Role;

// A record by what the joiner sees of it; `text` stands for its bytes.
struct Item {
  std::string text;
  std::int64_t time = 0;
  Role role{};
  std::uint32_t pid = 7;
  std::int64_t start = 1;
  std::optional<KernelTime> started{};

  ProcessRecordHead head() const {
    return {.process = {.pid = pid, .start = std::chrono::nanoseconds(start)},
            .time = At(time),
            .role = role,
            .started = started};
  }
};

Item Entry(std::string text, std::int64_t time, std::uint32_t pid = 7, std::int64_t start = 1) {
  return {
      .text = std::move(text), .time = time, .role = Role::kSnapshot, .pid = pid, .start = start};
}

// An exec or fork.
Item Live(std::string text, std::int64_t time, std::uint32_t pid = 7, std::int64_t start = 1) {
  return {
      .text = std::move(text), .time = time, .role = Role::kAnnounces, .pid = pid, .start = start};
}

Item Exit(std::string text, std::int64_t time, std::uint32_t pid = 7, std::int64_t start = 1) {
  Item item = Live(std::move(text), time, pid, start);
  item.started = At(start);
  return item;
}

Item FailedExec(std::string text, std::int64_t time, std::uint32_t pid = 7) {
  return {.text = std::move(text), .time = time, .role = Role::kMentions, .pid = pid};
}

std::size_t Add(SnapshotJoin& join, const Item& item) {
  return join.Add(item.head(), std::as_bytes(std::span(item.text)));
}

std::vector<std::string> PopAll(SnapshotJoin& join) {
  std::vector<std::string> out;
  while (join.ready()) {
    const std::vector<std::byte> record = join.Pop();
    out.emplace_back(reinterpret_cast<const char*>(record.data()), record.size());
  }
  return out;
}

struct Case {
  const char* name;
  std::vector<Item> in;
  std::vector<std::string> out;
  std::size_t merged = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

class SnapshotJoinCases : public ::testing::TestWithParam<Case> {};

// Decided by the end of the records.
TEST_P(SnapshotJoinCases, CaughtUp_InOrderOfTime_NoGapNoDouble) {
  SnapshotJoin join;
  std::size_t merged = 0;
  for (const Item& item : GetParam().in) {
    merged += Add(join, item);
  }
  merged += join.CaughtUp();
  EXPECT_EQ(PopAll(join), GetParam().out);
  EXPECT_EQ(merged, GetParam().merged);
  EXPECT_TRUE(join.idle());
}

// Decided by a record that is younger than all.
TEST_P(SnapshotJoinCases, YoungerRecord_InOrderOfTime_NoGapNoDouble) {
  SnapshotJoin join;
  std::size_t merged = 0;
  for (const Item& item : GetParam().in) {
    merged += Add(join, item);
  }
  merged += Add(join, Live("last", 1'000'000'000, 99));
  std::vector<std::string> out = GetParam().out;
  out.emplace_back("last");
  EXPECT_EQ(PopAll(join), out);
  EXPECT_EQ(merged, GetParam().merged);
}

// Whatever the order of the entries among each other.
TEST_P(SnapshotJoinCases, EntriesReversed_SameResult) {
  std::vector<Item> in = GetParam().in;
  const auto end_of_entries = std::find_if(
      in.begin(), in.end(), [](const Item& item) { return item.role != Role::kSnapshot; });
  std::reverse(in.begin(), end_of_entries);
  SnapshotJoin join;
  std::size_t merged = 0;
  for (const Item& item : in) {
    merged += Add(join, item);
  }
  merged += join.CaughtUp();
  EXPECT_EQ(PopAll(join), GetParam().out);
  EXPECT_EQ(merged, GetParam().merged);
}

INSTANTIATE_TEST_SUITE_P(
    Interleavings, SnapshotJoinCases,
    ::testing::Values(
        Case{"Nothing", {}, {}},
        Case{"OnlyEntries", {Entry("a", 10, 1), Entry("b", 11, 2)}, {"a", "b"}},
        Case{"OnlyLive", {Live("a", 10, 1), Live("b", 11, 2)}, {"a", "b"}},
        Case{"ExecBeforeEntry", {Entry("entry", 10), Live("exec", 9)}, {"exec"}, 1},
        Case{"ExecAfterEntry", {Entry("entry", 10), Live("exec", 11)}, {"entry", "exec"}},
        Case{"ExecAtEntry", {Entry("entry", 10), Live("exec", 10)}, {"exec"}, 1},
        Case{"ExitBeforeEntryHasNeverBeen", {Entry("entry", 10), Exit("exit", 9)}, {}, 2},
        Case{"ExitAfterEntry", {Entry("entry", 10), Exit("exit", 11)}, {"entry", "exit"}},
        Case{"ForkBeforeEntry", {Entry("child", 10), Live("fork", 9)}, {"fork"}, 1},
        Case{"ForkOfParentBeforeEntry",
             {Entry("parent", 10, 7), Live("fork", 9, 8)},
             {"fork", "parent"}},
        Case{"ForkExecExitBeforeEntry",
             {Entry("entry", 10), Live("fork", 7), Live("exec", 8), Exit("exit", 9)},
             {"fork", "exec", "exit"},
             1},
        Case{"ExecBeforeExitAfterEntry",
             {Entry("entry", 10), Live("exec", 9), Exit("exit", 11)},
             {"exec", "exit"},
             1},
        Case{"ExecsOnBothSides",
             {Entry("entry", 10), Live("exec1", 9), Live("exec2", 11)},
             {"exec1", "exec2"},
             1},
        Case{"FailedExecBeforeEntryAnnouncesNothing",
             {Entry("entry", 10), FailedExec("failed", 9)},
             {"failed", "entry"}},
        Case{"FailedExecThenExecBeforeEntry",
             {Entry("entry", 10), FailedExec("failed", 8), Live("exec", 9)},
             {"failed", "exec"},
             1},
        Case{"PidReusedBeforeEntry",
             {Entry("new", 10, 7, 5), Exit("exit of old", 4, 7, 1)},
             {"new"},
             1},
        Case{"PidReusedAfterEntry",
             {Entry("old", 10, 7, 1), Exit("exit", 11, 7, 1), Live("exec", 12, 7, 11)},
             {"old", "exit", "exec"}},
        Case{"ExitOfOneThatTheSnapshotMissedHasNeverBeen",
             {Entry("entry", 10), Exit("exit", 8, 8)},
             {"entry"},
             1},
        Case{"ExitOfOneThatStartedAfterTheSnapshot",
             {Entry("entry", 10), Exit("exit", 13, 8, 12)},
             {"entry", "exit"}},
        Case{"OtherProcessBetweenEntries",
             {Entry("a", 10, 1), Entry("c", 20, 3), Live("b", 15, 2)},
             {"a", "b", "c"}},
        Case{"OneOfManyEntries",
             {Entry("a", 10, 1), Entry("b", 11, 2), Entry("c", 12, 3), Exit("exit b", 9, 2)},
             {"a", "c"},
             2},
        Case{"LiveOutOfOrder",
             {Entry("entry", 10, 1), Live("later", 12, 2), Live("sooner", 11, 3),
              Live("before", 9, 4)},
             {"before", "entry", "sooner", "later"}},
        Case{"LiveOutOfOrderAroundTheSnapshot",
             {Entry("entry", 10, 1), Live("after", 11, 2), Live("exec", 9, 1)},
             {"exec", "after"},
             1}),
    [](const auto& param) { return param.param.name; });

TEST(SnapshotJoin, EqualTimes_KeepTheirOrder) {
  SnapshotJoin join;
  Add(join, Entry("a", 10, 1));
  Add(join, Live("b", 10, 2));
  Add(join, Live("c", 10, 3));
  join.CaughtUp();
  EXPECT_EQ(PopAll(join), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(SnapshotJoin, BeforeDecided_HoldsAll) {
  SnapshotJoin join;
  EXPECT_FALSE(join.idle());
  EXPECT_FALSE(join.ready());
  Add(join, Entry("a", 10));
  EXPECT_FALSE(join.ready());
  Add(join, Live("b", 9, 8));
  EXPECT_FALSE(join.ready());
  EXPECT_FALSE(join.idle());
}

TEST(SnapshotJoin, Empty_CaughtUpIsIdle) {
  SnapshotJoin join;
  join.CaughtUp();
  EXPECT_TRUE(join.idle());
  EXPECT_FALSE(join.ready());
}

TEST(SnapshotJoin, AddedWhileHeldOnesGoOut_QueuesInOrderOfTime) {
  SnapshotJoin join;
  Add(join, Entry("a", 10, 1));
  Add(join, Entry("d", 13, 4));
  join.CaughtUp();
  join.Pop();
  Add(join, Live("c", 12, 3));
  EXPECT_FALSE(join.idle());
  EXPECT_EQ(PopAll(join), (std::vector<std::string>{"c", "d"}));
}

// A hook that runs on one CPU can send its record after one that ran later on another.
TEST(SnapshotJoin, YoungerRecordOvertakesOlder_StillNoDouble) {
  SnapshotJoin join;
  Add(join, Entry("entry", 1000));
  Add(join, Live("overtakes", 1000 + 50'000, 8));
  EXPECT_EQ(Add(join, Live("exec", 999)), 1u);
  join.CaughtUp();
  EXPECT_EQ(PopAll(join), (std::vector<std::string>{"exec", "overtakes"}));
}

// Else a storm of records would keep the stream from ever catching up.
TEST(SnapshotJoin, RecordYoungerThanAnyDisorder_Decides) {
  SnapshotJoin join;
  Add(join, Entry("entry", 1000));
  Add(join, Live("later", 1000 + 100'000'000, 8));
  EXPECT_TRUE(join.ready());
}

}  // namespace
}  // namespace masflow::internal
