// SPDX-License-Identifier: Apache-2.0
//
// What already runs, joined to what happens from then on: no gap, nothing twice.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using SnapshotTest = KernelTest;

std::unique_ptr<Live> OpenWithSnapshot(ProcessFilter filter = {}) {
  return Live::Open({.process = {.filter = std::move(filter), .snapshot = true}});
}

TEST_F(SnapshotTest, WhatRunsIsAnnouncedOnceAndWhole) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "deleted");
  const std::string deleted = FromMountRoot(dir / "deleted");
  std::vector<std::string> argv = ChildArgv({"hold", "9", "", "two\nlines", "\xff"});
  Child plain = Spawn(argv, {.to_stdin = true, .from_stdout = true});
  Child nameless = Spawn({dir / "deleted", "hold", "0"}, {.to_stdin = true});
  unlink((dir / "deleted").c_str());

  const KernelTime before = Now();
  auto live = OpenWithSnapshot();
  ASSERT_NE(live, nullptr);
  const ProcessExec* const found = live->Await<ProcessExec>(plain.pid());
  ASSERT_NE(found, nullptr);
  EXPECT_TRUE(found->pre_existing);
  EXPECT_GE(found->time, before);
  EXPECT_EQ(found->tid, plain.pid());
  EXPECT_EQ(found->process.parent.pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(found->process.comm, "mf_child");
  EXPECT_EQ(found->process.uid, 0u);
  EXPECT_EQ(found->process.cgroup_id, CgroupId(plain.pid(), live->session().support()));
  EXPECT_EQ(InTicks(found->process.id.start), StartInTicks(plain.pid()));
  EXPECT_EQ(found->filename, "");
  EXPECT_EQ(found->executable, FromMountRoot(ChildProgram()));
  EXPECT_FALSE(found->executable_unlinked);
  EXPECT_EQ(found->args, Joined(argv));
  EXPECT_EQ(found->args_total_bytes, Joined(argv).size());

  const ProcessExec* const unlinked = live->Await<ProcessExec>(nameless.pid());
  ASSERT_NE(unlinked, nullptr);
  EXPECT_TRUE(unlinked->pre_existing);
  EXPECT_EQ(unlinked->executable, deleted);
  EXPECT_TRUE(unlinked->executable_unlinked);

  plain.Release();
  plain.Wait();
  const ProcessExit* const exit = live->Await<ProcessExit>(plain.pid());
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->process, found->process);
  EXPECT_EQ(exit->exit_code, 9);
  EXPECT_EQ(live->Of<ProcessExec>(plain.pid()).size(), 1u);
}

// Each process by its leader, the reader itself too, kernel threads not at all.
TEST_F(SnapshotTest, HoldsEachProcessOnce) {
  auto live = OpenWithSnapshot();
  ASSERT_NE(live, nullptr);
  const ProcessExec* const self = live->Await<ProcessExec>(static_cast<std::uint32_t>(getpid()));
  ASSERT_NE(self, nullptr);
  EXPECT_EQ(self->executable, FromMountRoot("/proc/self/exe"));
  EXPECT_EQ(self->args, ReadFile("/proc/self/cmdline"));
  std::set<ProcessId> seen;
  for (const ProcessEvent& event : live->events()) {
    const auto* const exec = std::get_if<ProcessExec>(&event);
    if (exec != nullptr && exec->pre_existing) {
      EXPECT_TRUE(seen.insert(exec->process.id).second) << exec->process.id.pid << " twice";
      EXPECT_NE(exec->process.comm, "kthreadd");
    }
  }
  EXPECT_GT(seen.size(), 1u);
}

TEST_F(SnapshotTest, ArgsAreCutAtTheLimit) {
  const std::vector<std::string> argv = ChildArgv({"hold", "0", std::string(9000, 'x')});
  Child child = Spawn(argv, {.to_stdin = true});
  for (const std::uint32_t limit : {0u, 16u, 4096u, 16383u}) {
    SCOPED_TRACE(limit);
    auto live = Live::Open({.process = {.snapshot = true, .args_limit = limit}});
    ASSERT_NE(live, nullptr);
    const ProcessExec* const found = live->Await<ProcessExec>(child.pid());
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->args, Joined(argv).substr(0, limit));
    EXPECT_EQ(found->args_total_bytes, Joined(argv).size());
  }
}

TEST_F(SnapshotTest, ObeysTheFilter) {
  Child wanted = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
  Child other = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
  auto live = OpenWithSnapshot({.pids = {wanted.pid()}});
  ASSERT_NE(live, nullptr);
  ASSERT_NE(live->Await<ProcessExec>(wanted.pid()), nullptr);
  live->FallAsleep();
  EXPECT_EQ(live->events().size(), 1u);
  EXPECT_EQ(live->stats().produced, 1u);
}

TEST_F(SnapshotTest, NoneUnlessAskedFor) {
  Child child = Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
  auto live = Live::Open();
  ASSERT_NE(live, nullptr);
  child.Release();
  child.Wait();
  ASSERT_NE(live->Await<ProcessExit>(child.pid()), nullptr);
  EXPECT_EQ(live->Of<ProcessExec>(child.pid()).size(), 0u);
}

// Processes start and end while the stream is opened. What is known of one of them:
struct Life {
  std::string image;  // announced last
  bool ended = false;
};

// Follows the lives of the children of `parents` and of these themselves.
class Chronicle {
 public:
  explicit Chronicle(std::set<std::uint32_t> parents) : parents_(std::move(parents)) {}

  void Read(const ProcessEvent& event) {
    std::visit([this](const auto& e) { ReadOne(e); }, event);
  }
  std::size_t children_ended() const { return children_ended_; }
  std::size_t pre_existing() const { return pre_existing_; }

 private:
  bool Concerns(const Process& process) const {
    return parents_.count(process.parent.pid) + parents_.count(process.id.pid) > 0;
  }
  void ReadOne(const ProcessExec& exec) {
    if (!Concerns(exec.process)) {
      return;
    }
    pre_existing_ += exec.pre_existing ? 1 : 0;
    const auto [entry, fresh] = lives_.try_emplace(exec.process.id);
    Life& life = entry->second;
    const std::string image = exec.executable.value_or("?");
    EXPECT_FALSE(life.ended) << exec.process.id.pid << " announced after its end";
    EXPECT_TRUE(fresh || !exec.pre_existing) << exec.process.id.pid << " found after it was known";
    EXPECT_NE(life.image, image) << exec.process.id.pid << " announced twice";
    EXPECT_EQ(exec.process.comm, image.substr(image.rfind('/') + 1) == "true" ? "true" : "sh");
    life.image = image;
  }
  void ReadOne(const ProcessExit& exit) {
    if (!Concerns(exit.process)) {
      return;
    }
    const auto life = lives_.find(exit.process.id);
    ASSERT_NE(life, lives_.end()) << exit.process.id.pid << " (" << exit.process.comm
                                  << ") ended, but nothing was known of it";
    EXPECT_FALSE(life->second.ended) << exit.process.id.pid << " ended twice";
    EXPECT_TRUE(life->second.image.ends_with("/" + exit.process.comm) || exit.process.comm == "sh")
        << exit.process.id.pid << ": " << life->second.image << " ended as " << exit.process.comm;
    life->second.ended = true;
    ++children_ended_;
  }
  void ReadOne(const ProcessFork&) {}
  void ReadOne(const ProcessExecFailure&) {}

  const std::set<std::uint32_t> parents_;
  std::map<ProcessId, Life> lives_;
  std::size_t children_ended_ = 0;
  std::size_t pre_existing_ = 0;
};

TEST_F(SnapshotTest, JoinsWithoutGapOrDoubleDuringAStorm) {
  std::vector<Child> shells;
  std::set<std::uint32_t> pids;
  for (int i = 0; i < 4; ++i) {
    shells.push_back(Spawn({"/bin/sh", "-c", "while :; do /bin/true; done"}));
    pids.insert(shells.back().pid());
  }
  std::size_t pre_existing = 0;
  std::uint64_t merged = 0;
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    auto live = OpenWithSnapshot();
    ASSERT_NE(live, nullptr);
    Chronicle chronicle(pids);
    std::size_t read = 0;
    EXPECT_TRUE(live->Until([&] {
      for (; read < live->events().size(); ++read) {
        chronicle.Read(live->events()[read]);
      }
      return chronicle.children_ended() >= 200;
    }));
    pre_existing += chronicle.pre_existing();
    merged += live->stats().merged;
    EXPECT_EQ(live->stats().lost_total(), 0u);
    EXPECT_GE(chronicle.pre_existing(), shells.size());
  }
  // Otherwise there was nothing to join.
  EXPECT_GT(pre_existing, 20 * shells.size());
  RecordProperty("merged", std::to_string(merged));
}

}  // namespace
}  // namespace masflow::kernel_test
