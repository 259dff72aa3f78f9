// SPDX-License-Identifier: Apache-2.0
//
// The source against a kubelet.
#include <atomic>
#include <chrono>
#include <future>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"
#include "kubernetes/sources.h"

namespace masflow::internal {
namespace {

using namespace std::chrono_literals;
using absl::StatusCode;
using kubernetes_test::Authority;
using kubernetes_test::Body;
using kubernetes_test::Exchange;
using kubernetes_test::NumberedPods;
using kubernetes_test::PodList;
using kubernetes_test::Server;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

class KubernetesKubelet : public testing::Test {
 protected:
  ~KubernetesKubelet() override {
    if (source_ != nullptr) {
      source_->Stop();
    }
  }

  void Start(KubeletOptions options) {
    options.interval = 1s;
    absl::StatusOr<std::shared_ptr<NameSource>> source =
        MakeKubelet(options, kubernetes_test::QuickTimings());
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    ASSERT_TRUE(source_->Start(&told_).ok());
  }

  const kubernetes_test::TemporaryFolder folder_;
  kubernetes_test::Told told_;
  std::shared_ptr<NameSource> source_;
};

TEST_F(KubernetesKubelet, PortWithoutProtection) {
  Server server([](Exchange& e) { e.Reply(200, Body("kubelet_pods.json")); });
  Start({.url = server.url()});
  EXPECT_TRUE(told_.WaitForPods(2));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  source_->Stop();
  EXPECT_EQ(told_.pods.begin()->second.from, NamesFrom::kKubelet);
  EXPECT_EQ(source_->name(), "kubelet " + server.url());
  EXPECT_THAT(server.targets(), Each("/pods"));
}

TEST_F(KubernetesKubelet, PortWithTlsAndToken) {
  const Authority authority(folder_, "ca");
  Server server(
      [](Exchange& e) {
        e.Header("Authorization") == "Bearer t" ? e.Reply(200, Body("kubelet_pods.json"))
                                                : e.Reply(401, "Unauthorized");
      },
      authority.Sign("kubelet", "IP:127.0.0.1"));
  Start({.url = server.url(),
         .ca_file = authority.ca_file(),
         .token_file = folder_.Write("token", "t")});
  EXPECT_TRUE(told_.WaitForPods(2));
}

TEST_F(KubernetesKubelet, ItsOwnCertificateIsRefusedUnlessTold) {
  const Authority authority(folder_, "ca");
  const Authority self_signed(folder_, "self");
  Server server([](Exchange& e) { e.Reply(200, Body("kubelet_pods.json")); },
                self_signed.Sign("kubelet", "DNS:worker-1"));
  KubeletOptions options{.url = server.url(),
                         .ca_file = authority.ca_file(),
                         .token_file = folder_.Write("token", "t")};
  Start(options);
  EXPECT_TRUE(told_.WaitForState(StatusCode::kUnauthenticated));
  source_->Stop();
  EXPECT_TRUE(server.targets().empty());
  options.verify = false;
  Start(options);
  EXPECT_TRUE(told_.WaitForPods(2));
}

TEST_F(KubernetesKubelet, PodsThatAreLeftOutAreGone) {
  std::atomic<int> asked = 0;
  Server server([&](Exchange& e) {
    const int first = std::min(asked++, 2);
    e.Reply(200, PodList(NumberedPods(first, 3 - first), ""));
  });
  Start({.url = server.url()});
  EXPECT_TRUE(told_.WaitForPods(3));
  EXPECT_TRUE(told_.WaitForPods(1));
  source_->Stop();
  EXPECT_EQ(told_.told, 3) << "what did not change was told again";
}

TEST_F(KubernetesKubelet, TruncatedReplyChangesNothing) {
  std::atomic<int> asked = 0;
  Server server([&](Exchange& e) {
    const std::string all = PodList(NumberedPods(0, 3), "");
    e.Reply(200, asked++ == 0 ? all : all.substr(0, all.size() / 2));
  });
  Start({.url = server.url()});
  EXPECT_TRUE(told_.WaitForPods(3));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kDataLoss));
  source_->Stop();
  EXPECT_EQ(told_.pods.size(), 3U);
}

TEST_F(KubernetesKubelet, MissingRightIsSaid) {
  Server server([](Exchange& e) { e.Reply(403, "Forbidden (user=x, verb=get)"); });
  Start({.url = server.url()});
  EXPECT_TRUE(told_.WaitForState(StatusCode::kPermissionDenied));
  EXPECT_THAT(told_.message(),
              AllOf(HasSubstr("/pods answers 403"), HasSubstr("needs get of nodes/proxy")));
}

TEST_F(KubernetesKubelet, StopDoesNotWaitForThePause) {
  Server server([](Exchange& e) { e.Reply(200, Body("kubelet_pods.json")); });
  absl::StatusOr<std::shared_ptr<NameSource>> source =
      MakeKubelet({.url = server.url(), .interval = 1h}, {});
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Start(&told_).ok());
  EXPECT_TRUE(told_.WaitForPods(2));
  (*source)->Stop();  // or the test never ends
}

TEST_F(KubernetesKubelet, WrongOptionsAreRefused) {
  EXPECT_EQ(MakeKubeletSource({.url = "kubelet"}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeKubeletSource({.interval = 0ms}).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace masflow::internal
