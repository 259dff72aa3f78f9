// SPDX-License-Identifier: Apache-2.0
#include "workload/pod_log_names.h"

#include <string>

#include <gtest/gtest.h>

namespace masflow::internal {
namespace {

const std::string kUid = "8dbc1402-1f2e-4c3d-9a8b-7c6d5e4f3a2b";
const std::string kId = "4d5f5b1e0a9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e";

TEST(PodLogNames, ParsePodDirectory_OfPod) {
  const std::string text = "kube-system_coredns-5d78c9869d-abcde_" + kUid;
  const auto pod = ParsePodDirectory(text);
  ASSERT_TRUE(pod.has_value());
  EXPECT_EQ(pod->pod_namespace, "kube-system");
  EXPECT_EQ(pod->name, "coredns-5d78c9869d-abcde");
  EXPECT_EQ(pod->uid, kUid);
}

TEST(PodLogNames, ParsePodDirectory_OfStaticPod) {
  const auto pod =
      ParsePodDirectory("kube-system_etcd-node.example_7f1e2d3c4b5a69788796a5b4c3d2e1f0");
  ASSERT_TRUE(pod.has_value());
  EXPECT_EQ(pod->name, "etcd-node.example");
  EXPECT_EQ(pod->uid, "7f1e2d3c4b5a69788796a5b4c3d2e1f0");
}

TEST(PodLogNames, ParsePodDirectory_OfAnythingElse_IsNothing) {
  for (const std::string& text :
       {std::string(), std::string("_"), std::string("__"), "a_b" + kUid, "_b_" + kUid,
        "a__" + kUid, "a_b_" + kUid + "_", "a_b_c_" + kUid, "A_b_" + kUid, "a_B_" + kUid,
        "a.b_c_" + kUid, "a_b\n_" + kUid, "a_b\x1b[2J_" + kUid, "a_b_" + kUid.substr(1),
        "a_b_" + std::string(36, '-'), "../x_b_" + kUid, "a_" + std::string(254, 'b') + "_" + kUid,
        std::string(64, 'a') + "_b_" + kUid, std::string("a_b\0_", 5) + kUid}) {
    EXPECT_FALSE(ParsePodDirectory(text).has_value()) << text;
  }
}

TEST(PodLogNames, ParseContainerLog_OfContainer) {
  const std::string text = "web-0_default_side-car-" + kId + ".log";
  const auto log = ParseContainerLog(text);
  ASSERT_TRUE(log.has_value());
  EXPECT_EQ(log->pod_name, "web-0");
  EXPECT_EQ(log->pod_namespace, "default");
  EXPECT_EQ(log->container, "side-car");
  EXPECT_EQ(log->container_id, kId);
}

TEST(PodLogNames, ParseContainerLog_OfAnythingElse_IsNothing) {
  for (const std::string& text :
       {std::string(), std::string(".log"), std::string("__.log"), "web_default_c-" + kId,
        "web_default_c-" + kId + ".log.1", "web_default_-" + kId + ".log",
        "web_default_c-" + kId.substr(1) + ".log", "web_default_" + kId + ".log",
        "web_de_fault_c-" + kId + ".log", "web_default_c\x07-" + kId + ".log"}) {
    EXPECT_FALSE(ParseContainerLog(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace masflow::internal
