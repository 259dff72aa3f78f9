// SPDX-License-Identifier: Apache-2.0
#include "masflow/events.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "test_support.h"

namespace masflow::internal {
namespace {

// The fields of each event, one by one: does not compile once there is another field, which
// then has to be added here and to the Full…() event.
template <class Text>
auto Fields(const BasicProcess<Text>& e) {
  const auto& [id, parent, uid, gid, cgroup_id, comm, workload] = e;
  return std::tuple(id.pid, id.start, parent.pid, parent.start, uid, gid, cgroup_id, comm,
                    Raw(workload));
}

template <class Text>
auto Fields(const BasicProcessExec<Text>& e) {
  const auto& [time, process, tid, euid, egid, filename, filename_truncated, executable,
               executable_truncated, executable_unlinked, args, args_total_bytes, pre_existing] = e;
  return std::tuple_cat(
      std::tuple(time, tid, euid, egid, filename, filename_truncated, executable,
                 executable_truncated, executable_unlinked, args, args_total_bytes, pre_existing),
      Fields(process));
}

template <class Text>
auto Fields(const BasicProcessExit<Text>& e) {
  const auto& [time, process, exit_code, signal, core_dumped, duration] = e;
  return std::tuple_cat(std::tuple(time, exit_code, signal, core_dumped, duration),
                        Fields(process));
}

template <class Text>
auto Fields(const BasicProcessFork<Text>& e) {
  const auto& [time, process, parent_tid] = e;
  return std::tuple_cat(std::tuple(time, parent_tid), Fields(process));
}

template <class Text>
auto Fields(const BasicProcessExecFailure<Text>& e) {
  const auto& [time, process, tid, error, filename, filename_truncated] = e;
  return std::tuple_cat(std::tuple(time, tid, error, filename, filename_truncated),
                        Fields(process));
}

template <class Event>
class EventsTest : public ::testing::Test {
 protected:
  static Event Full() {
    Event event;
    if constexpr (std::is_same_v<Event, ProcessExec>) {
      event = FullExec();
    } else if constexpr (std::is_same_v<Event, ProcessExit>) {
      event = FullExit();
    } else if constexpr (std::is_same_v<Event, ProcessFork>) {
      event = FullFork();
    } else {
      event = FullExecFailure();
    }
    event.process.workload = SomeWorkload();
    return event;
  }
};

using AllEvents = ::testing::Types<ProcessExec, ProcessExit, ProcessFork, ProcessExecFailure>;
TYPED_TEST_SUITE(EventsTest, AllEvents);

TYPED_TEST(EventsTest, Full_EachField_DiffersFromItsDefault) {
  ForEachPair(Fields(this->Full()), Fields(TypeParam()),
              [](std::size_t i, const auto& full, const auto& standard) {
                EXPECT_FALSE(full == standard) << "field " << i;
              });
}

TYPED_TEST(EventsTest, View_OfFull_HasEachField) {
  const TypeParam event = this->Full();
  ForEachPair(Fields(event), Fields(View(event)),
              [](std::size_t i, const auto& owned, const auto& viewed) {
                EXPECT_TRUE(owned == viewed) << "field " << i;
              });
}

TYPED_TEST(EventsTest, OwnAndView_OfFull_RoundTrip) {
  const TypeParam event = this->Full();
  EXPECT_EQ(Own(View(event)), event);
  EXPECT_EQ(View(Own(View(event))), View(event));
}

TYPED_TEST(EventsTest, OwnAndView_OfDefault_RoundTrip) {
  const TypeParam event;
  EXPECT_EQ(Own(View(event)), event);
  EXPECT_NE(View(event), View(this->Full()));
}

TEST(Events, Own_AfterTheViewsBytesChanged_KeepsItsOwn) {
  ProcessExec source = FullExec();
  const ProcessExec owned = Own(View(source));
  std::fill(source.process.comm.begin(), source.process.comm.end(), '!');
  std::fill(source.filename.begin(), source.filename.end(), '!');
  std::fill(source.executable->begin(), source.executable->end(), '!');
  std::fill(source.args->begin(), source.args->end(), '!');
  EXPECT_EQ(owned, FullExec());
}

TEST(Events, Own_OfWorkloadThatNobodyShares_CopiesIt) {
  Workload workload;
  workload.pod_name = "web-0";
  ProcessExecView view;
  view.process.workload = &workload;
  const ProcessExec owned = Own(view);
  workload.pod_name = "other";
  ASSERT_NE(owned.process.workload, nullptr);
  EXPECT_EQ(owned.process.workload->pod_name, "web-0");
}

TEST(Events, View_OfEvent_PointsIntoIt) {
  const ProcessExec event = FullExec();
  const ProcessExecView view = View(event);
  EXPECT_EQ(view.filename.data(), event.filename.data());
  EXPECT_EQ(view.executable->data(), event.executable->data());
  EXPECT_EQ(view.args->data(), event.args->data());
  EXPECT_EQ(view.process.comm.data(), event.process.comm.data());
}

TEST(Events, OwnAndView_OfAbsentAndEmptyText_TellThemApart) {
  ProcessExec event = FullExec();
  event.executable = "";
  event.args = std::nullopt;
  EXPECT_EQ(Own(View(event)), event);
  event.executable = std::nullopt;
  event.args = "";
  EXPECT_EQ(Own(View(event)), event);
  ProcessExecFailure failure = FullExecFailure();
  failure.filename = std::nullopt;
  EXPECT_EQ(Own(View(failure)), failure);
  EXPECT_FALSE(View(failure).filename.has_value());
}

TEST(Events, ArgsTruncated_IsSetOnlyIfSomethingIsMissing) {
  ProcessExec event;
  EXPECT_FALSE(event.args_truncated());
  event.args_total_bytes = 2;
  EXPECT_FALSE(event.args_truncated()) << "absent is not cut";
  event.args = std::string("a\0", 2);
  EXPECT_FALSE(event.args_truncated());
  event.args_total_bytes = 3;
  EXPECT_TRUE(event.args_truncated());
}

TEST(Events, ProcessId_SamePidOtherStart_IsAnotherProcess) {
  const ProcessId first{.pid = 7, .start = std::chrono::nanoseconds(1)};
  const ProcessId second{.pid = 7, .start = std::chrono::nanoseconds(2)};
  EXPECT_NE(first, second);
  EXPECT_LT(first, second);
  EXPECT_NE(std::hash<ProcessId>()(first), std::hash<ProcessId>()(second));
  EXPECT_EQ(std::unordered_set<ProcessId>({first, second, first}).size(), 2u);
}

using Strings = std::vector<std::string_view>;

Strings Split(std::string_view bytes) {
  const Args args(bytes);
  return Strings(args.begin(), args.end());
}

std::string_view Bytes(const char* text, std::size_t size) {
  return {text, size};
}

static_assert(std::forward_iterator<Args::Iterator>);

TEST(Args, OfNothing_IsEmpty) {
  EXPECT_EQ(Split(""), Strings{});
  EXPECT_EQ(Split(std::string_view()), Strings{});
}

TEST(Args, EachEndedByNul_AreAllThere) {
  EXPECT_EQ(Split(Bytes("ls\0-la\0", 7)), (Strings{"ls", "-la"}));
  EXPECT_EQ(Split(Bytes("ls\0", 3)), Strings{"ls"});
}

TEST(Args, EmptyOnes_AreArguments) {
  EXPECT_EQ(Split(Bytes("\0", 1)), Strings{""});
  EXPECT_EQ(Split(Bytes("\0\0", 2)), (Strings{"", ""}));
  EXPECT_EQ(Split(Bytes("\0a\0\0b\0\0", 7)), (Strings{"", "a", "", "b", ""}));
}

TEST(Args, WithoutFinalNul_LastIsCut) {
  EXPECT_EQ(Split("l"), Strings{"l"});
  EXPECT_EQ(Split(Bytes("ls\0-l", 5)), (Strings{"ls", "-l"}));
  EXPECT_EQ(Split(Bytes("ls\0\0-l", 6)), (Strings{"ls", "", "-l"}));
}

TEST(Args, AnyByte_PassesThrough) {
  EXPECT_EQ(Split(Bytes("\xff\x80\x1b[31m\n\0\xc3\0", 10)),
            (Strings{"\xff\x80\x1b[31m\n", "\xc3"}));
}

TEST(Args, Iterator_CopiesAreIndependent) {
  const Args args(Bytes("a\0b\0", 4));
  auto it = args.begin();
  const auto first = it++;
  EXPECT_EQ(*first, "a");
  EXPECT_EQ(*it, "b");
  EXPECT_NE(first, it);
  EXPECT_NE(it, args.end());
  EXPECT_EQ(++it, args.end());
  EXPECT_EQ(Args("").begin(), Args("").end());
}

}  // namespace
}  // namespace masflow::internal
