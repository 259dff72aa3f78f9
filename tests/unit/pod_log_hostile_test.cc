// SPDX-License-Identifier: Apache-2.0
//
// Log directories as no kubelet leaves them: too many entries, odd names, links, and changes that
// nobody was told of.
#include <malloc.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pod_log_testing.h"
#include "workload/pod_log_directory.h"

namespace masflow::internal {
namespace {

// What one Update() may tell: a portion and what the last system call of it brought too much.
constexpr int kMaxATurn = 2000;

class PodLogHostileTest : public PodLogDirectoryTest {
 protected:
  void MakePods(int from, int to) {
    fs::create_directories(pods_);
    for (int n = from; n < to; ++n) {
      const std::string path = PodPath(n);
      ASSERT_EQ(mkdir(path.c_str(), 0755), 0) << path;
    }
  }
  std::string PodPath(int n) const {
    return pods_ / ("default_web-" + std::to_string(n) + "_" + Uid(n));
  }
  void RemovePods(int from, int to) {
    for (int n = from; n < to; ++n) {
      ASSERT_TRUE(fs::remove(PodPath(n)));
    }
  }
  // More changes than the kernel keeps, none of which matters.
  void Overflow() {
    int queue = 0;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
    ASSERT_GT(queue, 0);
    const fs::path file = pods_ / "f";
    for (int i = 0; i < queue / 2 + 10; ++i) {  // two events each
      std::ofstream(file).close();
      fs::remove(file);
    }
  }
};

// Keeps nothing, so that what is measured is the directory's.
class CountingSink : public NameSink {
 public:
  void OnPod(PodNames) override { ++told; }
  void OnPodGone(const std::string&) override { ++gone; }
  void OnService(ServiceNames) override {}
  void OnServiceGone(const std::string&, const std::string&) override {}
  void OnState(const absl::Status& s) override { state = s; }

  int told = 0;
  int gone = 0;
  absl::Status state = absl::UnknownError("not told");
};

TEST_F(PodLogHostileTest, HundredThousandAndMore_AreTakenInPortionsUpToTheLimit) {
  constexpr int kLimit = static_cast<int>(PodLogDirectory::kMaxPods);
  constexpr int kBeyond = 100;
  MakePods(0, kLimit + kBeyond);
  const std::size_t before = mallinfo2().uordblks;
  Open();
  CountingSink sink;
  ASSERT_TRUE(directory_->Update(sink));
  EXPECT_GT(sink.told, 0);
  EXPECT_LE(sink.told, kMaxATurn);
  // What comes meanwhile does not stand behind all that was there.
  MakePod("new", 9'000'000);
  EXPECT_TRUE(Readable());
  ASSERT_TRUE(directory_->Update(sink_));
  EXPECT_EQ(sink_.pods.count(Uid(9'000'000)), 1u);
  sink.told += sink_.told;
  for (bool more = true; more;) {
    const int told = sink.told;
    more = directory_->Update(sink);
    ASSERT_LE(sink.told - told, kMaxATurn);
  }
  EXPECT_EQ(sink.told, kLimit);
  EXPECT_EQ(sink.state.code(), absl::StatusCode::kResourceExhausted) << sink.state;
  EXPECT_EQ(directory_->state(), sink.state);
  const std::size_t used = mallinfo2().uordblks - before;  // 0 under a sanitizer
  RecordProperty("bytes_a_pod", static_cast<int>(used / kLimit));
  EXPECT_LT(used / kLimit, 500u);

  // It is worth a new look when there is room for a tenth.
  sink = {};
  int next = 0;
  for (; sink.gone < kLimit / 10; ++next) {
    ASSERT_TRUE(fs::remove(PodPath(next)));
    if (next % 1000 == 0) {
      while (directory_->Update(sink)) {
      }
    }
    ASSERT_LT(next, kLimit / 10 + 2 * kMaxATurn);
  }
  while (directory_->Update(sink)) {
  }
  EXPECT_TRUE(sink.state.ok()) << sink.state;
  EXPECT_EQ(kLimit - sink.gone + sink.told, kLimit + kBeyond + 1 - next) << "all that are there";
}

TEST_F(PodLogHostileTest, ManyThatAreGone_AreToldInPortions) {
  MakePods(0, 3 * kMaxATurn);
  Open();
  CountingSink sink;
  while (directory_->Update(sink)) {
  }
  ASSERT_EQ(sink.told, 3 * kMaxATurn);
  fs::rename(pods_, root_ / "old");
  ASSERT_TRUE(directory_->Update(sink));
  EXPECT_LE(sink.gone, kMaxATurn);
  while (directory_->Update(sink)) {
  }
  EXPECT_EQ(sink.gone, 3 * kMaxATurn);
  EXPECT_EQ(sink.state.code(), absl::StatusCode::kNotFound);
}

TEST_F(PodLogHostileTest, WhatHappensBesideIt_CausesNoLookThroughIt) {
  MakePods(0, 2 * kMaxATurn);  // a look takes more than one turn
  Open();
  Update();
  std::ofstream(root_ / "log" / "syslog.1").close();  // where containers/ is awaited
  EXPECT_FALSE(directory_->Update(sink_));
  fs::create_directory(containers_);
  Update();
  std::ofstream(root_ / "log" / "syslog.2").close();  // nothing is awaited any more
  EXPECT_FALSE(Readable());
  // Nor does one that is ours no more.
  fs::rename(containers_, root_ / "old");
  fs::create_directory(containers_);
  Update();
  std::ofstream(root_ / "old" / "f").close();
  EXPECT_FALSE(Readable());
}

TEST_F(PodLogHostileTest, LinksFilesAndOtherNames_AreNotPods) {
  fs::create_directories(pods_);
  fs::create_directories(containers_);
  const auto make_all = [&](int n) {
    fs::create_directory_symlink(root_, pods_ / ("default_link_" + Uid(n)));
    fs::create_symlink("/nowhere", pods_ / ("default_dangling_" + Uid(n + 1)));
    fs::create_symlink(pods_ / ("default_loop_" + Uid(n + 2)),
                       pods_ / ("default_loop_" + Uid(n + 2)));
    std::ofstream(pods_ / ("default_file_" + Uid(n + 3)));
    ASSERT_EQ(mkfifo((pods_ / ("default_fifo_" + Uid(n + 4))).c_str(), 0600), 0);
    fs::create_directory(pods_ / ("lost+found" + std::to_string(n)));
    const std::vector<std::string> odd = {
        "\x1b[31m",     "\n", "\r", "\t", "\x7f", "\x01", "\xff", "\xc3", "\xc0\xaf", "\u00e4",
        "\xe2\x80\xae",  // turns the direction of text
        "\xed\xa0\x80", " ",  "\"", "\\", "%s",   "_",    "A"};
    for (std::size_t i = 0; i < odd.size(); ++i) {
      const std::string uid = Uid(n + 10 + static_cast<int>(i));
      fs::create_directory(pods_ / ("default_bad" + odd[i] + "_" + uid));
      fs::create_directory(pods_ / ("def" + odd[i] + "ault_bad_" + uid));
      fs::create_directory(pods_ / ("default_bad_" + uid + odd[i]));
      fs::create_symlink("/nowhere", containers_ / ("web-0_default_a" + std::to_string(n) + odd[i] +
                                                    "-4" + kIdEnd + ".log"));
    }
    fs::create_directory(pods_ / std::string(255, 'x'));
  };
  make_all(100);
  Open();
  Update();
  make_all(200);
  Update();
  EXPECT_TRUE(sink_.pods.empty()) << sink_.pods.begin()->second.name;
  MakePod("web-0", 1);
  Update();
  ASSERT_EQ(sink_.pods.size(), 1u);
  EXPECT_TRUE(sink_.pods[Uid(1)].containers.empty()) << sink_.pods[Uid(1)].containers[0].name;
}

TEST_F(PodLogHostileTest, TwoDirectoriesOfOneUid_AreTheFirst) {
  MakePod("web-0", 1);
  Open();
  Update();
  MakePod("evil", 1);
  Update();
  EXPECT_EQ(sink_.pods[Uid(1)].name, "web-0");
  fs::remove(pods_ / ("default_evil_" + Uid(1)));
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u) << "it is still there";
}

TEST_F(PodLogHostileTest, ContainerThatRestartsForEver_HasItsName) {
  MakePod("web-0", 1);
  fs::create_directories(containers_);
  Open();
  Update();
  std::string last;
  for (int i = 0; i < 3000; ++i) {
    std::string id = std::to_string(i);
    id = std::string(64 - id.size(), '0') + id;
    const fs::path link = containers_ / ("web-0_default_app-" + id + ".log");
    fs::create_symlink("/nowhere", link);
    Update();
    ASSERT_FALSE(sink_.pods[Uid(1)].containers.empty());
    ASSERT_EQ(sink_.pods[Uid(1)].containers.back().id, id);
    fs::remove(link);
  }
  Update();
  EXPECT_LE(sink_.pods[Uid(1)].containers.size(), 2u) << "those that are gone are";
}

TEST_F(PodLogHostileTest, DirectoryThatIsALink_IsFollowedWhereItLeads) {
  const fs::path data = root_ / "data";
  const fs::path other = root_ / "other";
  fs::create_directories(root_ / "log");
  fs::create_directory_symlink("../data/pods", pods_);  // leads to nothing yet
  Open();
  Update();
  EXPECT_EQ(sink_.states.back().code(), absl::StatusCode::kNotFound);
  fs::create_directory(data);
  Update();
  fs::create_directory(data / "pods");
  MakePod("web-0", 1);
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u);
  EXPECT_TRUE(sink_.states.back().ok()) << sink_.states.back();
  MakePod("web-1", 2);
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(2)), 1u);
  // Led elsewhere, once by removal, once by rename.
  fs::create_directories(other / ("default_web-2_" + Uid(3)));
  fs::remove(pods_);
  fs::create_directory_symlink(other, pods_);
  Update();
  ASSERT_EQ(sink_.pods.size(), 1u);
  EXPECT_EQ(sink_.pods.count(Uid(3)), 1u);
  fs::create_directory_symlink(data / "pods", root_ / "log" / "next");
  fs::rename(root_ / "log" / "next", pods_);
  Update();
  EXPECT_EQ(sink_.pods.size(), 2u);
  EXPECT_EQ(sink_.pods.count(Uid(3)), 0u);
}

TEST_F(PodLogHostileTest, LinksOnTheWay_AreFollowedWhereTheyLead) {
  fs::create_directories(root_ / "a" / "pods" / ("default_web-0_" + Uid(1)));
  fs::create_directories(root_ / "b" / "pods" / ("default_web-1_" + Uid(2)));
  fs::create_directory_symlink("b", root_ / "to_b");
  fs::create_directory_symlink("a", root_ / "log");
  Open();
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u);
  fs::remove(root_ / "log");
  fs::create_directory_symlink("to_b", root_ / "log");
  Update();
  ASSERT_EQ(sink_.pods.size(), 1u);
  EXPECT_EQ(sink_.pods.count(Uid(2)), 1u);
  fs::remove(root_ / "to_b");  // a link that a link leads to
  fs::create_directory_symlink("a", root_ / "to_b");
  Update();
  ASSERT_EQ(sink_.pods.size(), 1u);
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u);
}

TEST_F(PodLogHostileTest, LinkToItself_IsSaidAndWaitedFor) {
  fs::create_directories(root_ / "log");
  fs::create_directory_symlink("pods", pods_);
  Open();
  Update();
  EXPECT_FALSE(sink_.states.back().ok());
  fs::remove(pods_);
  MakePod("web-0", 1);
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u);
  EXPECT_TRUE(sink_.states.back().ok()) << sink_.states.back();
}

TEST_F(PodLogHostileTest, DirectoryAboveThatIsReplaced_IsReadAnew) {
  MakePod("web-0", 1);
  Open();
  Update();
  fs::rename(root_ / "log", root_ / "old");
  Update();
  EXPECT_TRUE(sink_.pods.empty());
  EXPECT_EQ(sink_.states.back().code(), absl::StatusCode::kNotFound);
  MakePod("web-1", 2);
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(2)), 1u);
  // Removed and made again, with the same pod and its container, before anyone looks.
  MakeContainer("web-1", "app", '4');
  Update();
  fs::remove_all(root_ / "log");
  MakePod("web-1", 2);
  MakeContainer("web-1", "app", '4');
  Update();
  ASSERT_EQ(sink_.pods.count(Uid(2)), 1u);
  ASSERT_EQ(sink_.pods[Uid(2)].containers.size(), 1u);
  EXPECT_TRUE(sink_.states.back().ok()) << sink_.states.back();
}

TEST_F(PodLogHostileTest, FileInItsPlace_IsWaitedFor) {
  fs::create_directories(root_ / "log");
  std::ofstream(pods_).close();
  Open();
  Update();
  EXPECT_EQ(sink_.states.back().code(), absl::StatusCode::kNotFound);
  fs::remove(pods_);
  MakePod("web-0", 1);
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u);
}

TEST_F(PodLogHostileTest, QueueOverflow_LosesNothing) {
  MakePods(1, 3);
  Open();
  Update();
  Overflow();
  MakePods(3, 5);    // of these the kernel
  RemovePods(1, 2);  // tells nothing
  MakeContainer("web-2", "app", '4');
  Update();
  EXPECT_EQ(sink_.pods.size(), 3u);
  EXPECT_EQ(sink_.pods.count(Uid(1)), 0u);
  EXPECT_EQ(sink_.pods.count(Uid(4)), 1u);
  EXPECT_EQ(sink_.pods[Uid(2)].containers.size(), 1u);
}

TEST_F(PodLogHostileTest, QueueOverflowInTheMiddleOfALook_LosesNothing) {
  constexpr int kPods = 2 * kMaxATurn;
  MakePods(0, kPods);
  Open();
  ASSERT_TRUE(directory_->Update(sink_));
  ASSERT_LT(sink_.pods.size(), static_cast<std::size_t>(kPods));
  Overflow();
  RemovePods(0, 100);
  MakePods(kPods, kPods + 100);
  Update();
  EXPECT_EQ(sink_.pods.size(), static_cast<std::size_t>(kPods));
  EXPECT_EQ(sink_.pods.count(Uid(50)), 0u);
  EXPECT_EQ(sink_.pods.count(Uid(kPods + 50)), 1u);
}

TEST_F(PodLogHostileTest, ChangesInTheMiddleOfALook_AreNotLost) {
  constexpr int kPods = 2 * kMaxATurn;
  MakePods(0, kPods);
  Open();
  ASSERT_TRUE(directory_->Update(sink_));
  RemovePods(0, kPods / 2);  // some seen, some not yet
  MakePods(0, 10);           // and some come again
  Update();
  EXPECT_EQ(sink_.pods.size(), static_cast<std::size_t>(kPods / 2 + 10));
}

}  // namespace
}  // namespace masflow::internal
