// SPDX-License-Identifier: Apache-2.0
//
// Bodies of the API, whole and broken.
#include "kubernetes/object_json.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace masflow::internal {
namespace {

using kubernetes_test::Body;
using kubernetes_test::PodList;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

std::vector<PodNames> PodsOf(const std::string& body, NamesFrom from = NamesFrom::kApiServer) {
  absl::StatusOr<ObjectList> list = ParseList(Resource::kPods, from, body);
  EXPECT_TRUE(list.ok()) << list.status();
  std::vector<PodNames> pods;
  if (list.ok()) {
    for (KubeObject& object : list->objects) {
      pods.push_back(std::get<PodNames>(std::move(object)));
    }
  }
  return pods;
}

std::string Event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}

TEST(KubernetesJson, PodOfADeployment) {
  const std::vector<PodNames> pods = PodsOf(Body("pods.json"));
  ASSERT_EQ(pods.size(), 5U);
  const PodNames& pod = pods[0];
  EXPECT_EQ(pod.uid, "11111111-2222-4333-8444-555566667777");
  EXPECT_EQ(pod.cgroup_uid, "");
  EXPECT_EQ(pod.pod_namespace, "shop");
  EXPECT_EQ(pod.name, "frontend-7d8f6c5b9d-x7k2p");
  EXPECT_EQ(pod.from, NamesFrom::kApiServer);
  EXPECT_EQ(pod.owner_kind, "Deployment");
  EXPECT_EQ(pod.owner_name, "frontend");
  EXPECT_THAT(pod.labels,
              ElementsAre(Pair("app", "frontend"), Pair("app.kubernetes.io/version", "2.7.1"),
                          Pair("pod-template-hash", "7d8f6c5b9d")));
  EXPECT_THAT(pod.pod_ips, ElementsAre("10.244.1.17", "fd00:10:244:1::11"));
  EXPECT_EQ(pod.node_ip, "172.18.0.3");
  ASSERT_EQ(pod.containers.size(), 3U);
  EXPECT_EQ(pod.containers[0].name, "init-db");
  EXPECT_EQ(pod.containers[0].id, std::string(64, 'c'));
  EXPECT_EQ(pod.containers[1].name, "server");
  EXPECT_EQ(pod.containers[1].id, std::string(64, 'a'));
}

TEST(KubernetesJson, PodInTheNetworkOfItsNodeHasNoAddress) {
  const PodNames proxy = PodsOf(Body("pods.json"))[1];
  EXPECT_EQ(proxy.owner_kind, "DaemonSet");
  EXPECT_EQ(proxy.owner_name, "kube-proxy");
  EXPECT_THAT(proxy.pod_ips, IsEmpty());
  EXPECT_EQ(proxy.containers[0].id, std::string(64, 'd'));
}

TEST(KubernetesJson, StaticPodHasTheUidOfItsCgroup) {
  const PodNames mirror = PodsOf(Body("pods.json"))[2];
  EXPECT_EQ(mirror.uid, "c1d2e3f4-0000-4111-8222-933344445555");
  EXPECT_EQ(mirror.cgroup_uid, "0a1b2c3d4e5f60718293a4b5c6d7e8f9");
  EXPECT_EQ(mirror.owner_kind, "Node");
  const PodNames own = PodsOf(Body("kubelet_pods.json"), NamesFrom::kKubelet)[1];
  EXPECT_EQ(own.uid, "0a1b2c3d4e5f60718293a4b5c6d7e8f9");
  EXPECT_EQ(own.cgroup_uid, "");
  EXPECT_EQ(own.from, NamesFrom::kKubelet);
  EXPECT_EQ(own.owner_kind, "");
}

TEST(KubernetesJson, EndedPodHasNoAddressAnyMore) {
  const PodNames job = PodsOf(Body("pods.json"))[3];
  EXPECT_EQ(job.owner_kind, "Job");
  EXPECT_THAT(job.pod_ips, IsEmpty());
  EXPECT_EQ(job.containers[0].id, std::string(64, 'f'));
}

TEST(KubernetesJson, PendingPodHasNeitherContainersNorAddress) {
  const PodNames pending = PodsOf(Body("pods.json"))[4];
  EXPECT_EQ(pending.name, "web-0");
  EXPECT_THAT(pending.containers, IsEmpty());
  EXPECT_THAT(pending.pod_ips, IsEmpty());
}

TEST(KubernetesJson, ReplicaSetOfNobodyStaysOne) {
  const PodNames pod = PodsOf(PodList(
      R"([{"metadata":{"name":"a","uid":"u","labels":{"pod-template-hash":"zz"},
      "ownerReferences":[{"kind":"Other","name":"x"},
                         {"kind":"ReplicaSet","name":"a-77","controller":true}]}}])",
      "1"))[0];
  EXPECT_EQ(pod.owner_kind, "ReplicaSet");
  EXPECT_EQ(pod.owner_name, "a-77");
}

TEST(KubernetesJson, LabelsMayBeCalledAsAnything) {
  const PodNames pod = PodsOf(PodList(
      R"([{"metadata":{"labels":{"managedFields":"1","status":"2"},"managedFields":[{"name":"no"}],
          "annotations":{"name":"no","labels":"no"},"name":"a","uid":"u"}}])",
      "1"))[0];
  EXPECT_EQ(pod.name, "a");
  EXPECT_THAT(pod.labels, ElementsAre(Pair("managedFields", "1"), Pair("status", "2")));
}

TEST(KubernetesJson, Services) {
  const absl::StatusOr<ObjectList> list =
      ParseList(Resource::kServices, NamesFrom::kApiServer, Body("services.json"));
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_EQ(list->version, "184556");
  ASSERT_EQ(list->objects.size(), 3U);
  const auto& frontend = std::get<ServiceNames>(list->objects[1]);
  EXPECT_EQ(frontend.service_namespace, "shop");
  EXPECT_EQ(frontend.name, "frontend");
  EXPECT_THAT(frontend.cluster_ips, ElementsAre("10.96.17.4", "fd00:10:96::4"));
  EXPECT_THAT(std::get<ServiceNames>(list->objects[2]).cluster_ips, IsEmpty());
}

TEST(KubernetesJson, PagesAndVersions) {
  const absl::StatusOr<ObjectList> list =
      ParseList(Resource::kPods, NamesFrom::kApiServer, PodList("[]", "77", "to/ken="));
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->version, "77");
  EXPECT_EQ(list->rest, "to/ken=");
  EXPECT_TRUE(ParseList(Resource::kPods, NamesFrom::kKubelet,
                        R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":null})")
                  .ok());
}

TEST(KubernetesJson, WatchEvents) {
  const auto read = [](const std::string& line) {
    return ParseWatchEvent(Resource::kPods, NamesFrom::kApiServer, line);
  };
  const std::string pod = Body("pod.json");
  absl::StatusOr<WatchEvent> event = read(Event("ADDED", pod));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->kind, WatchEvent::Kind::kChanged);
  EXPECT_EQ(event->version, "184302");
  EXPECT_EQ(std::get<PodNames>(event->object).name, "frontend-7d8f6c5b9d-x7k2p");
  EXPECT_EQ(read(Event("MODIFIED", pod))->kind, WatchEvent::Kind::kChanged);
  EXPECT_EQ(read(Event("DELETED", pod))->kind, WatchEvent::Kind::kGone);

  event = read(Event("BOOKMARK", R"({"kind":"Pod","metadata":{"resourceVersion":"9"}})"));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->kind, WatchEvent::Kind::kBookmark);
  EXPECT_EQ(event->version, "9");

  event = read(Event("ERROR", Body("status_410.json")));
  ASSERT_TRUE(event.ok()) << event.status();
  EXPECT_EQ(event->kind, WatchEvent::Kind::kError);
  EXPECT_EQ(event->error.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(read(Event("ERROR", R"({"code":500,"message":"m"})"))->error.code(),
            absl::StatusCode::kUnavailable);
}

TEST(KubernetesJson, WhatIsNoEventIsRefused) {
  for (const std::string& line :
       {std::string("{"), std::string("[]"), std::string("null"), Event("ADDED", "{}"),
        Event("LATER", Body("pod.json")), Event("ADDED", R"({"metadata":{"resourceVersion":"1"}})"),
        Event("BOOKMARK", "{}"), std::string(R"({"type":"ADDED"})")}) {
    EXPECT_EQ(ParseWatchEvent(Resource::kPods, NamesFrom::kApiServer, line).status().code(),
              absl::StatusCode::kDataLoss)
        << line;
  }
}

TEST(KubernetesJson, EachTruncatedBodyIsRefused) {
  const std::string body = Body("kubelet_pods.json");
  for (std::size_t size = 0; size + 2 < body.size(); size += 31) {
    EXPECT_EQ(ParseList(Resource::kPods, NamesFrom::kKubelet, body.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
}

TEST(KubernetesJson, WrongTypesAreAsIfAbsent) {
  const std::vector<PodNames> pods = PodsOf(PodList(
      R"([1,null,[],{"metadata":7},{"metadata":{"name":"a","uid":8}},
          {"metadata":{"name":"a","uid":"u","labels":[1],"annotations":"x","ownerReferences":{}},
           "spec":[],"status":{"podIPs":"x","containerStatuses":{"name":"n"},"podIP":{}}}])",
      "1"));
  ASSERT_EQ(pods.size(), 1U);
  EXPECT_EQ(pods[0].name, "a");
  EXPECT_THAT(pods[0].labels, IsEmpty());
  EXPECT_THAT(pods[0].pod_ips, IsEmpty());
}

TEST(KubernetesJson, DeepNestingAndBadUtf8AreRefusedOrIgnored) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_EQ(
      PodsOf(PodList(R"([{"metadata":{"name":"a","uid":"u","x":)" + deep + "}}]", "1")).size(), 1U);
  EXPECT_EQ(PodsOf(PodList(R"([{"metadata":{"name":)" + deep + R"(,"uid":"u"}}])", "1")).size(),
            0U);
  EXPECT_FALSE(ParseList(Resource::kPods, NamesFrom::kKubelet,
                         PodList("[{\"metadata\":{\"name\":\"\xff\",\"uid\":\"u\"}}]", "1"))
                   .ok());
}

TEST(KubernetesJson, MessageOfAnError) {
  EXPECT_THAT(ErrorMessage(Body("status_403.json")), HasSubstr("cannot list resource"));
  EXPECT_EQ(ErrorMessage("<html>502</html>"), "");
}

}  // namespace
}  // namespace masflow::internal
