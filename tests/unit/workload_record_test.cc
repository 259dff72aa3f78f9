// SPDX-License-Identifier: Apache-2.0
#include "wire/workload_record.h"

#include <cstddef>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace masflow::internal {
namespace {

template <class News>
News RoundTrip(const News& news, std::vector<std::byte>* bytes) {
  *bytes = EncodeWorkload(news);
  const auto decoded = DecodeWorkload(*bytes);
  EXPECT_TRUE(decoded.has_value());
  return std::get<News>(*decoded);
}

PodNames FullPod() {
  return {.uid = "uid",
          .cgroup_uid = "cgroup uid",
          .pod_namespace = "ns",
          .name = "name",
          .from = NamesFrom::kApiServer,
          .containers = {{.id = "1", .name = "a"}, {.id = "2", .name = "b"}},
          .labels = {{"k", "v"}, {"k2", ""}},
          .owner_kind = "Deployment",
          .owner_name = "web",
          .pod_ips = {"10.0.0.1", "fd00::1"},
          .node_ip = "192.0.2.1"};
}

TEST(WorkloadRecord, Pod_RoundTrips) {
  std::vector<std::byte> bytes;
  const PodNames pod = RoundTrip(FullPod(), &bytes);
  const PodNames full = FullPod();
  EXPECT_EQ(pod.uid, full.uid);
  EXPECT_EQ(pod.cgroup_uid, full.cgroup_uid);
  EXPECT_EQ(pod.pod_namespace, full.pod_namespace);
  EXPECT_EQ(pod.name, full.name);
  EXPECT_EQ(pod.from, full.from);
  ASSERT_EQ(pod.containers.size(), 2u);
  EXPECT_EQ(pod.containers[1].id, "2");
  EXPECT_EQ(pod.containers[1].name, "b");
  EXPECT_EQ(pod.labels, full.labels);
  EXPECT_EQ(pod.owner_kind, full.owner_kind);
  EXPECT_EQ(pod.owner_name, full.owner_name);
  EXPECT_EQ(pod.pod_ips, full.pod_ips);
  EXPECT_EQ(pod.node_ip, full.node_ip);
}

TEST(WorkloadRecord, OtherNews_RoundTrip) {
  std::vector<std::byte> bytes;
  const CgroupMade made = RoundTrip(CgroupMade{.id = 7, .path = "/a/b"}, &bytes);
  EXPECT_EQ(made.id, 7u);
  EXPECT_EQ(made.path, "/a/b");
  EXPECT_EQ(RoundTrip(CgroupGone{.id = 8}, &bytes).id, 8u);
  const PodGone gone = RoundTrip(PodGone{.from = NamesFrom::kKubelet, .uid = "u"}, &bytes);
  EXPECT_EQ(gone.from, NamesFrom::kKubelet);
  EXPECT_EQ(gone.uid, "u");
  const ServiceNames service = RoundTrip(
      ServiceNames{.service_namespace = "ns", .name = "web", .cluster_ips = {"10.0.0.2"}}, &bytes);
  EXPECT_EQ(service.service_namespace, "ns");
  EXPECT_EQ(service.name, "web");
  EXPECT_EQ(service.cluster_ips, std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(RoundTrip(ServiceGone{.service_namespace = "ns", .name = "web"}, &bytes).name, "web");
}

TEST(WorkloadRecord, HugePod_IsCutAndStillWellFormed) {
  PodNames pod = FullPod();
  pod.uid = std::string(100'000, 'u');
  pod.node_ip = pod.owner_name = pod.owner_kind = pod.name = pod.pod_namespace = pod.cgroup_uid =
      pod.uid;
  pod.labels.assign(10'000, {"key", "value"});
  std::vector<std::byte> bytes;
  const PodNames cut = RoundTrip(pod, &bytes);
  EXPECT_LE(bytes.size(), std::size_t{32} << 10);
  EXPECT_EQ(cut.uid.size(), std::size_t{4} << 10);
  EXPECT_LT(cut.labels.size(), 10'000u);
  EXPECT_GT(cut.labels.size(), 0u);
}

TEST(WorkloadRecord, EveryCutOfARecord_IsRefused) {
  for (const WorkloadNews& news :
       {WorkloadNews(FullPod()), WorkloadNews(CgroupMade{.id = 7, .path = "/a"}),
        WorkloadNews(CgroupGone{.id = 7}), WorkloadNews(PodGone{.uid = "u"}),
        WorkloadNews(ServiceNames{.name = "web"}), WorkloadNews(ServiceGone{.name = "web"})}) {
    const std::vector<std::byte> bytes = EncodeWorkload(news);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(DecodeWorkload(cut).has_value());
      if (size >= 8) {  // also where the header says that this is all
        cut[4] = static_cast<std::byte>(size & 0xff);
        cut[5] = static_cast<std::byte>(size >> 8);
        const auto decoded = DecodeWorkload(cut);
        const auto* const made = decoded.has_value() ? std::get_if<CgroupMade>(&*decoded) : nullptr;
        EXPECT_TRUE(!decoded.has_value() || (made != nullptr && made->path.empty())) << size;
      }
    }
  }
}

TEST(WorkloadRecord, UnknownKind_IsRefused) {
  std::vector<std::byte> bytes = EncodeWorkload(CgroupGone{.id = 7});
  bytes[0] = std::byte{0xff};
  EXPECT_FALSE(DecodeWorkload(bytes).has_value());
}

}  // namespace
}  // namespace masflow::internal
