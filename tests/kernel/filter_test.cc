// SPDX-License-Identifier: Apache-2.0
//
// Filters, which the kernel applies before it makes a record.
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "constraints.h"
#include "live.h"
#include "spawn.h"
#include "truth.h"

namespace masflow::kernel_test {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

std::uint32_t Self() {
  return static_cast<std::uint32_t>(getpid());
}

// The processes of which any event came.
std::set<std::uint32_t> Pids(const Live& live) {
  std::set<std::uint32_t> pids;
  for (const ProcessEvent& event : live.events()) {
    pids.insert(std::visit([](const auto& e) { return e.process.id.pid; }, event));
  }
  return pids;
}

Child Holding() {
  return Spawn(ChildArgv({"hold", "0"}), {.to_stdin = true});
}

void End(Child& child) {
  child.Release();
  child.Wait();
}

std::uint32_t RunToEnd(const std::vector<std::string>& argv) {
  Child child = Spawn(argv);
  child.Wait();
  return child.pid();
}

class FilterTest : public KernelTest {
 protected:
  // `passing` ends last of all: once its end has come, all that was to come has.
  void ExpectOnly(Live& live, Child& passing, std::vector<std::uint32_t> pids = {}) {
    End(passing);
    ASSERT_NE(live.Await<ProcessExit>(passing.pid()), nullptr);
    pids.push_back(passing.pid());
    EXPECT_THAT(Pids(live), UnorderedElementsAreArray(pids));
    EXPECT_EQ(live.stats().produced, live.stats().delivered);
  }
};

TEST_F(FilterTest, ByPid) {
  Child wanted = Holding();
  Child wanted_too = Holding();
  Child other = Holding();
  auto live = Live::Open({.pids = {wanted.pid(), wanted_too.pid()}});
  ASSERT_NE(live, nullptr);
  End(other);
  RunToEnd(ChildArgv({"exit", "0"}));
  End(wanted_too);
  ExpectOnly(*live, wanted, {wanted_too.pid()});
}

// Of processes that all start after the filter was made.
TEST_F(FilterTest, ByTreeSeesEachGeneration) {
  auto live = Live::Open({.process = {.filter = {.trees = {Self()}}, .forks = true}});
  ASSERT_NE(live, nullptr);
  Child root = Spawn({"/bin/sh", "-c",
                      "for a in 1 2 3; do sh -c 'for b in 1 2 3; do sh -c \"/bin/true; /bin/true; "
                      "exit 0\"; done; exit 0' & done; wait; exit 0"});
  root.Wait();
  ASSERT_NE(live->Await<ProcessExit>(root.pid()), nullptr);
  std::set<ProcessId> execs;
  std::set<ProcessId> exits;
  std::set<ProcessId> forks;
  for (const ProcessEvent& event : live->events()) {
    if (const auto* const exec = std::get_if<ProcessExec>(&event)) {
      execs.insert(exec->process.id);
    } else if (const auto* const exit = std::get_if<ProcessExit>(&event)) {
      exits.insert(exit->process.id);
    } else if (const auto* const fork = std::get_if<ProcessFork>(&event)) {
      forks.insert(fork->process.id);
    }
  }
  constexpr std::size_t kProcesses = 1 + 3 + 9 + 18;
  EXPECT_EQ(execs.size(), kProcesses);
  EXPECT_EQ(forks, execs);
  EXPECT_EQ(exits, execs);
}

// Descendants at the time of opening, of which one outlives its parent.
TEST_F(FilterTest, ByTreeTakesInWhoIsAlreadyThere) {
  Child root = Fork(
      [] {
        const pid_t child = fork();
        if (child == 0) {
          const pid_t grand_child = fork();
          if (grand_child == 0) {
            return Exec(ChildProgram(), {"mf_child", "hold", "0"});
          }
          printf("%d\n", grand_child);
          fflush(stdout);
          return Exec(ChildProgram(), {"mf_child", "hold", "0"});
        }
        printf("%d\n", child);
        fflush(stdout);
        return Exec(ChildProgram(), {"mf_child", "hold", "0"});
      },
      {.to_stdin = true, .from_stdout = true});
  const auto first = static_cast<std::uint32_t>(std::stoul(root.ReadLine()));
  const auto second = static_cast<std::uint32_t>(std::stoul(root.ReadLine()));
  Child outside = Holding();
  auto live = Live::Open({.trees = {root.pid()}});
  ASSERT_NE(live, nullptr);
  End(outside);
  End(root);  // all three hang on one pipe
  EXPECT_TRUE(live->Until([&] {
    return live->Of<ProcessExit>(root.pid()).size() + live->Of<ProcessExit>(first).size() +
               live->Of<ProcessExit>(second).size() ==
           3;
  }));
  EXPECT_EQ(Pids(*live).count(outside.pid()), 0u);
}

// A process in the place of another: pids are used again.
Child SpawnWithPid(std::uint32_t pid, const std::vector<std::string>& argv) {
  pid_t wanted = static_cast<pid_t>(pid);
  clone_args args{};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<std::uintptr_t>(&wanted);
  args.set_tid_size = 1;
  long child = -1;
  for (int attempt = 0; attempt < 1000 && child < 0; ++attempt) {
    child = syscall(SYS_clone3, &args, sizeof(args));
    if (child < 0 && errno == EEXIST) {  // the former one is not wholly gone yet
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  if (child == 0) {
    _exit(Exec(argv[0], argv));
  }
  EXPECT_EQ(child, wanted) << std::strerror(errno);
  return Child(static_cast<pid_t>(child), -1, -1);
}

TEST_F(FilterTest, APidThatIsUsedAgainIsNotInTheTree) {
  Child gone = Holding();
  Child stays = Holding();
  auto live = Live::Open({.trees = {gone.pid(), stays.pid()}});
  ASSERT_NE(live, nullptr);
  End(gone);
  Child successor = SpawnWithPid(gone.pid(), ChildArgv({"exit", "0"}));
  successor.Wait();
  End(stays);
  ASSERT_NE(live->Await<ProcessExit>(stays.pid()), nullptr);
  EXPECT_EQ(live->events().size(), 2u);  // the ends of the two
}

TEST_F(FilterTest, ATreeWhoseRootHasEndedBeforeIsEmpty) {
  Child gone = Holding();
  End(gone);
  Child stays = Holding();
  auto live = Live::Open({.trees = {gone.pid(), stays.pid()}});
  ASSERT_NE(live, nullptr);
  Child successor = SpawnWithPid(gone.pid(), ChildArgv({"exit", "0"}));
  successor.Wait();
  ExpectOnly(*live, stays);
}

TEST_F(FilterTest, PidsAndTreesAreOneList) {
  Child root = Spawn({"/bin/sh", "-c", "read line; /bin/true; exit 0"}, {.to_stdin = true});
  Child single = Spawn({"/bin/sh", "-c", "read line; /bin/true; exit 0"}, {.to_stdin = true});
  auto live = Live::Open({.pids = {single.pid()}, .trees = {root.pid()}});
  ASSERT_NE(live, nullptr);
  End(single);
  RunToEnd(ChildArgv({"exit", "0"}));
  End(root);
  ASSERT_NE(live->Await<ProcessExit>(root.pid()), nullptr);
  std::size_t below_root = 0;
  for (const ProcessEvent& event : live->events()) {
    const Process process = std::visit([](const auto& e) { return e.process; }, event);
    const bool below = process.parent.pid == root.pid();
    below_root += below;
    EXPECT_TRUE(below || process.id.pid == root.pid() || process.id.pid == single.pid());
  }
  EXPECT_EQ(below_root, 2u);  // exec and exit of its /bin/true
  EXPECT_EQ(live->Of<ProcessExit>(single.pid()).size(), 1u);
}

TEST_F(FilterTest, ByUser) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "program");
  auto live = Live::Open({.trees = {Self()}, .uids = {kNobody}});
  ASSERT_NE(live, nullptr);
  RunToEnd(ChildArgv({"exit", "0"}));
  Child nobody = Fork(
      [&] {
        return setuid(kNobody) == 0 ? Exec(dir / "program", {"program", "hold", "0"}) : 125;
      },
      {.to_stdin = true});
  ASSERT_NE(live->Await<ProcessExec>(nobody.pid()), nullptr);
  // Root when it was forked, another user at its end: each event is judged by itself.
  Child changes = Fork([] { return setuid(kNobody) == 0 ? 0 : 1; });
  EXPECT_EQ(changes.Wait(), 0);
  RunToEnd(ChildArgv({"exit", "0"}));
  ExpectOnly(*live, nobody, {changes.pid()});
}

TEST_F(FilterTest, ByComm) {
  TempDir dir;
  const std::string name = "mf-" + std::to_string(getpid());
  CopyProgram(ChildProgram(), dir / name);
  CopyProgram(ChildProgram(), dir / (name + "-not"));
  auto live = Live::Open({.comms = {name, "never-seen-here"}});
  ASSERT_NE(live, nullptr);
  RunToEnd({dir / (name + "-not"), "exit", "0"});
  // It has the name only after its second exec.
  Child child = Spawn({ChildProgram(), "exec", dir / name, "hold", "0"}, {.to_stdin = true});
  ExpectOnly(*live, child);
  EXPECT_EQ(live->Of<ProcessExec>(child.pid()).size(), 1u);
  EXPECT_EQ(live->Of<ProcessExit>(child.pid()).size(), 1u);
}

// Directories of this test in the hierarchy that events name.
class Cgroups {
 public:
  explicit Cgroups(const SupportReport& support)
      : support_(support), name_("/masflow_test_" + std::to_string(getpid())) {
    for (const char* below : {"", "/a", "/a/b", "/c"}) {
      EXPECT_EQ(mkdir(Whole(below).c_str(), 0755), 0) << Whole(below) << ": " << strerror(errno);
    }
  }
  ~Cgroups() {
    for (const char* below : {"/c", "/a/b", "/a", ""}) {
      // The last process may not be wholly gone yet.
      for (int i = 0; i < 1000 && rmdir(Whole(below).c_str()) != 0 && errno == EBUSY; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }
  Cgroups(const Cgroups&) = delete;
  Cgroups& operator=(const Cgroups&) = delete;

  // Below the mount, and with it.
  std::string Path(const std::string& below) const { return name_ + below; }
  std::string Whole(const std::string& below) const { return support_.cgroup_mount + Path(below); }

  std::uint64_t Id(const std::string& below) const {
    struct stat info {};
    EXPECT_EQ(stat(Whole(below).c_str(), &info), 0);
    return info.st_ino;
  }

  // Execs "mf_child hold" inside.
  Child Run(const std::string& below) const {
    const std::string procs = Whole(below) + "/cgroup.procs";
    return Fork(
        [procs] {
          WriteFile(procs, "0");
          return Exec(ChildProgram(), {"mf_child", "hold", "0"});
        },
        {.to_stdin = true});
  }

 private:
  const SupportReport support_;
  const std::string name_;
};

TEST_F(FilterTest, ByCgroupAndAllBelow) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  const Cgroups cgroups(session->support());
  for (const std::string& filter : {cgroups.Path("/a"), cgroups.Whole("/a")}) {
    SCOPED_TRACE(filter);
    auto live = Live::Open({.cgroups = {filter}});
    ASSERT_NE(live, nullptr);
    Child outside = Holding();
    Child above = cgroups.Run("");
    Child beside = cgroups.Run("/c");
    Child inside = cgroups.Run("/a");
    Child below = cgroups.Run("/a/b");
    const ProcessExec* const exec = live->Await<ProcessExec>(inside.pid());
    const ProcessExec* const exec_below = live->Await<ProcessExec>(below.pid());
    ASSERT_NE(exec, nullptr);
    ASSERT_NE(exec_below, nullptr);
    EXPECT_EQ(exec->process.cgroup_id, cgroups.Id("/a"));
    EXPECT_EQ(exec_below->process.cgroup_id, cgroups.Id("/a/b"));
    for (Child* child : {&outside, &above, &beside, &below}) {
      End(*child);
    }
    ASSERT_NE(live->Await<ProcessExit>(below.pid()), nullptr);
    EXPECT_EQ(live->Of<ProcessExit>(below.pid())[0]->process.cgroup_id, cgroups.Id("/a/b"));
    ExpectOnly(*live, inside, {below.pid()});
  }
}

TEST_F(FilterTest, ACgroupThatIsNotThereIsAStatus) {
  absl::StatusOr<Session> session = Session::Create();
  ASSERT_TRUE(session.ok()) << session.status();
  const absl::Status status =
      ProcessStream::Open(*session, {.filter = {.cgroups = {"/no/such/cgroup"}}}).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/cgroup"));
}

TEST_F(FilterTest, KindsAreJoinedByAnd) {
  TempDir dir;
  CopyProgram(ChildProgram(), dir / "wanted");
  CopyProgram(ChildProgram(), dir / "unwanted");
  auto live = Live::Open({.trees = {Self()}, .uids = {kNobody}, .comms = {"wanted"}});
  ASSERT_NE(live, nullptr);
  RunToEnd({dir / "wanted", "exit", "0"});  // another user
  const auto as_nobody = [&](const std::string& name) {
    return Fork(
        [&dir, name] {
          return setuid(kNobody) == 0 ? Exec(dir / name, {name, "hold", "0"}) : 125;
        },
        {.to_stdin = true});
  };
  Child unwanted = as_nobody("unwanted");
  End(unwanted);
  Child wanted = as_nobody("wanted");
  ASSERT_NE(live->Await<ProcessExec>(wanted.pid()), nullptr);
  ExpectOnly(*live, wanted);
}

// Forks of a pid filter are those by its processes as well as those of them.
TEST_F(FilterTest, ForksOfAPid) {
  Child shell = Spawn({"/bin/sh", "-c", "read line; /bin/true; exit 0"}, {.to_stdin = true});
  auto live = Live::Open({.process = {.filter = {.pids = {shell.pid()}}, .forks = true}});
  ASSERT_NE(live, nullptr);
  RunToEnd(ChildArgv({"exit", "0"}));
  End(shell);
  ASSERT_NE(live->Await<ProcessExit>(shell.pid()), nullptr);
  ASSERT_EQ(live->events().size(), 2u);
  const auto* const fork = std::get_if<ProcessFork>(&live->events()[0]);
  ASSERT_NE(fork, nullptr);
  EXPECT_EQ(fork->process.parent.pid, shell.pid());
}

TEST_F(FilterTest, FailedExecs) {
  Child shell = Spawn({"/bin/sh", "-c", "read line; exec /nonexistent 2>&-"}, {.to_stdin = true});
  auto live = Live::Open({.process = {.filter = {.pids = {shell.pid()}}, .failed_execs = true}});
  ASSERT_NE(live, nullptr);
  Child other = Fork([] { return Exec("/nonexistent", {"x"}); });
  other.Wait();
  End(shell);
  ASSERT_NE(live->Await<ProcessExit>(shell.pid()), nullptr);
  ASSERT_EQ(live->events().size(), 2u);
  EXPECT_TRUE(std::holds_alternative<ProcessExecFailure>(live->events()[0]));
}

TEST_F(FilterTest, OneThatMatchesNothingProducesNothing) {
  Child gone = Holding();
  End(gone);
  const std::vector<ProcessFilter> filters{{.pids = {gone.pid()}},
                                           {.trees = {gone.pid()}},
                                           {.uids = {4'000'000'000}},
                                           {.comms = {"no-such-comm"}}};
  std::vector<std::unique_ptr<Live>> sessions;
  for (const ProcessFilter& filter : filters) {
    sessions.push_back(Live::Open(filter));
    ASSERT_NE(sessions.back(), nullptr);
  }
  RunToEnd({"/bin/sh", "-c",
            "i=0; while [ $i -lt " + std::to_string(Scaled(500)) +
                " ]; do /bin/true; i=$((i+1)); done"});
  for (const std::unique_ptr<Live>& live : sessions) {
    EXPECT_EQ(live->stats().produced, 0u);
    live->session().Drain(256);
    EXPECT_TRUE(live->events().empty());
  }
}

}  // namespace
}  // namespace masflow::kernel_test
