// SPDX-License-Identifier: Apache-2.0
#include "workload/pod_log_directory.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace masflow::internal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kIdEnd = "d5f5b1e0a9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e";

std::string Uid(int n) {
  std::string digits = std::to_string(n);
  return "8dbc1402-1f2e-4c3d-9a8b-" + std::string(12 - digits.size(), '0') + digits;
}

class KeepingSink : public NameSink {
 public:
  void OnPod(PodNames pod) override {
    EXPECT_EQ(pod.from, NamesFrom::kPodLogs);
    ++told;
    pods[pod.uid] = std::move(pod);
  }
  void OnPodGone(const std::string& uid) override { EXPECT_EQ(pods.erase(uid), 1u); }
  void OnService(ServiceNames) override { ADD_FAILURE(); }
  void OnServiceGone(const std::string&, const std::string&) override { ADD_FAILURE(); }
  void OnState(const absl::Status& s) override { states.push_back(s); }

  std::map<std::string, PodNames> pods;
  std::vector<absl::Status> states;
  int told = 0;
};

class PodLogDirectoryTest : public ::testing::Test {
 protected:
  PodLogDirectoryTest() {
    std::string name = fs::temp_directory_path() / "masflow_pod_logs_XXXXXX";
    root_ = mkdtemp(name.data());
    pods_ = root_ / "log" / "pods";
    containers_ = root_ / "log" / "containers";
  }
  ~PodLogDirectoryTest() override { fs::remove_all(root_); }

  void Open() {
    auto opened = PodLogDirectory::Open(pods_, containers_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    directory_ = *std::move(opened);
  }
  // All that the kernel has to tell is there when the call that caused it has returned.
  void Update() { directory_->Update(sink_); }
  bool Readable() const {
    pollfd polled{.fd = directory_->fd(), .events = POLLIN, .revents = 0};
    return poll(&polled, 1, 0) == 1;
  }
  void MakePod(const std::string& name, int n, const std::string& pod_namespace = "default") {
    fs::create_directories(pods_ / (pod_namespace + "_" + name + "_" + Uid(n)));
  }
  void MakeContainer(const std::string& pod, const std::string& container, char digit) {
    fs::create_directories(containers_);
    fs::create_symlink(
        "/nowhere", containers_ / (pod + "_default_" + container + "-" + digit + kIdEnd + ".log"));
  }

  fs::path root_;
  fs::path pods_;
  fs::path containers_;
  std::unique_ptr<PodLogDirectory> directory_;
  KeepingSink sink_;
};

TEST_F(PodLogDirectoryTest, PodsBefore_AreToldFirst) {
  MakePod("web-0", 1);
  MakePod("dns", 2, "kube-system");
  Open();
  Update();
  ASSERT_EQ(sink_.pods.size(), 2u);
  EXPECT_EQ(sink_.pods[Uid(1)].name, "web-0");
  EXPECT_EQ(sink_.pods[Uid(2)].pod_namespace, "kube-system");
  ASSERT_EQ(sink_.states.size(), 1u);
  EXPECT_TRUE(sink_.states[0].ok()) << sink_.states[0];
}

TEST_F(PodLogDirectoryTest, PodsThatComeAndGo_AreTold) {
  fs::create_directories(pods_);
  Open();
  Update();
  EXPECT_FALSE(Readable());
  MakePod("web-0", 1);
  EXPECT_TRUE(Readable());
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u);
  EXPECT_FALSE(Readable());
  fs::remove(pods_ / ("default_web-0_" + Uid(1)));
  Update();
  EXPECT_TRUE(sink_.pods.empty());
}

TEST_F(PodLogDirectoryTest, PodBetweenOpenAndFirstUpdate_IsToldOnce) {
  fs::create_directories(pods_);
  Open();
  MakePod("web-0", 1);
  EXPECT_TRUE(Readable());
  Update();
  EXPECT_EQ(sink_.told, 1);
}

TEST_F(PodLogDirectoryTest, SamePodNameWithAnotherUid_IsAnotherPod) {
  MakePod("web-0", 1);
  Open();
  Update();
  MakePod("web-0", 2);
  fs::remove(pods_ / ("default_web-0_" + Uid(1)));
  Update();
  MakeContainer("web-0", "app", '4');
  Open();
  sink_.pods.clear();
  Update();
  ASSERT_EQ(sink_.pods.size(), 1u);
  EXPECT_EQ(sink_.pods[Uid(2)].containers.size(), 1u);
}

TEST_F(PodLogDirectoryTest, Containers_JoinTheirPodWhicheverComesFirst) {
  fs::create_directories(pods_);
  MakeContainer("web-0", "app", '4');
  Open();
  Update();
  EXPECT_TRUE(sink_.pods.empty());
  MakePod("web-0", 1);
  Update();
  ASSERT_EQ(sink_.pods[Uid(1)].containers.size(), 1u);
  EXPECT_EQ(sink_.pods[Uid(1)].containers[0].name, "app");
  EXPECT_EQ(sink_.pods[Uid(1)].containers[0].id, "4" + kIdEnd);
  MakeContainer("web-0", "side-car", '5');
  Update();
  ASSERT_EQ(sink_.pods[Uid(1)].containers.size(), 2u);
  EXPECT_EQ(sink_.pods[Uid(1)].containers[1].name, "side-car");
}

TEST_F(PodLogDirectoryTest, DirectoryThatComesLater_IsWaitedFor) {
  Open();
  Update();
  ASSERT_EQ(sink_.states.size(), 1u);
  EXPECT_EQ(sink_.states[0].code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(sink_.states[0].message()), HasSubstr(pods_.string()));
  fs::create_directory(root_ / "log");
  EXPECT_TRUE(Readable());
  Update();
  fs::create_directory(pods_);
  Update();
  MakePod("web-0", 1);
  Update();
  EXPECT_EQ(sink_.pods.size(), 1u);
  EXPECT_TRUE(sink_.states.back().ok()) << sink_.states.back();
}

TEST_F(PodLogDirectoryTest, DirectoryThatIsReplaced_IsReadAnew) {
  MakePod("web-0", 1);
  Open();
  Update();
  fs::rename(pods_, root_ / "old");
  fs::create_directory(pods_);
  MakePod("web-1", 2);
  Update();
  ASSERT_EQ(sink_.pods.size(), 1u);
  EXPECT_EQ(sink_.pods.count(Uid(2)), 1u);
  fs::create_directory(root_ / "old" / ("default_lost_" + Uid(3)));
  Update();
  EXPECT_EQ(sink_.pods.size(), 1u) << "of a directory that is none of ours any more";
  fs::remove_all(pods_);
  Update();
  EXPECT_TRUE(sink_.pods.empty());
  MakePod("web-2", 4);
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(4)), 1u);
}

TEST_F(PodLogDirectoryTest, LinksFilesAndOtherNames_AreNotPods) {
  fs::create_directories(pods_);
  const auto make_all = [&](int n) {
    fs::create_directory_symlink(root_, pods_ / ("default_link_" + Uid(n)));
    std::ofstream(pods_ / ("default_file_" + Uid(n + 1)));
    fs::create_directory(pods_ / ("default_bad\x1b[31m_" + Uid(n + 2)));
    fs::create_directory(pods_ / ("lost+found" + std::to_string(n)));
  };
  make_all(10);
  Open();
  Update();
  make_all(20);
  Update();
  EXPECT_TRUE(sink_.pods.empty());
}

TEST_F(PodLogDirectoryTest, QueueOverflow_LosesNothing) {
  fs::create_directories(pods_);
  int queue = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
  ASSERT_GT(queue, 0);
  if (queue > 65'536) {
    GTEST_SKIP() << "the queue of this machine is too long to overflow in a test: " << queue;
  }
  Open();
  Update();
  for (int i = 0; i < queue / 2 + 10; ++i) {  // two events each
    const fs::path file = pods_ / "f";
    std::ofstream(file).close();
    fs::remove(file);
  }
  MakePod("web-0", 1);
  Update();
  EXPECT_EQ(sink_.pods.count(Uid(1)), 1u);
}

TEST_F(PodLogDirectoryTest, UnreadableDirectory_IsSaid) {
  fs::create_directories(pods_);
  fs::permissions(root_, fs::perms(0755));
  fs::permissions(pods_, fs::perms::none);
  const bool root = geteuid() == 0;
  if (root) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  Open();
  Update();
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  fs::permissions(pods_, fs::perms(0755));
  ASSERT_FALSE(sink_.states.empty());
  EXPECT_EQ(sink_.states.back().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(PodLogDirectoryTest, TooManyPods_AreBoundedAndSaid) {
  MakePod("web-1", 1);
  MakePod("web-2", 2);
  MakePod("web-3", 3);
  auto opened = PodLogDirectory::Open(pods_, containers_, /*max_pods=*/2);
  ASSERT_TRUE(opened.ok()) << opened.status();
  directory_ = *std::move(opened);
  Update();
  EXPECT_EQ(sink_.pods.size(), 2u);
  EXPECT_EQ(sink_.states.back().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace masflow::internal
