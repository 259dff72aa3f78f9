// SPDX-License-Identifier: Apache-2.0
#include "workload/pod_log_directory.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pod_log_testing.h"

namespace masflow::internal {
namespace {

using ::testing::HasSubstr;

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
  Open(/*max_pods=*/2);
  Update();
  EXPECT_EQ(sink_.pods.size(), 2u);
  EXPECT_EQ(sink_.states.back().code(), absl::StatusCode::kResourceExhausted);
  const PodNames first = sink_.pods.begin()->second;
  fs::remove(pods_ / (first.pod_namespace + "_" + first.name + "_" + first.uid));
  Update();
  EXPECT_EQ(sink_.pods.size(), 2u) << "the third has room now";
  EXPECT_TRUE(sink_.states.back().ok()) << sink_.states.back();
}

}  // namespace
}  // namespace masflow::internal
