// SPDX-License-Identifier: Apache-2.0
#include "workload/workload_table.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/ip_prefix.h"
#include "workload/workload_match.h"

namespace masflow::internal {
namespace {

const std::string kUid = "8dbc1402-1f2e-4c3d-9a8b-7c6d5e4f3a2b";
const std::string kStaticUid = "7f1e2d3c4b5a69788796a5b4c3d2e1f0";
const std::string kId = "4d5f5b1e0a9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e";

class WorkloadTableTest : public ::testing::Test {
 protected:
  std::vector<std::uint64_t> Tell(const WorkloadNews& news) {
    std::vector<std::uint64_t> changed;
    table_.Apply(news, &changed);
    return changed;
  }
  std::vector<std::uint64_t> Make(std::uint64_t id, const std::string& path) {
    return Tell(CgroupMade{.id = id, .path = path});
  }
  const Workload* Find(std::uint64_t id) const { return table_.Find(id).workload; }
  const Workload* Peer(const std::string& ip) const {
    return table_.FindPeer(ParseIpPrefix(ip)->address);
  }
  static PodNames Pod(NamesFrom from, const std::string& name) {
    return {.uid = kUid, .pod_namespace = "default", .name = name, .from = from};
  }

  WorkloadTable table_;
};

using Ids = std::vector<std::uint64_t>;

TEST_F(WorkloadTableTest, HostCgroup_IsKnownWithoutWorkload) {
  EXPECT_FALSE(table_.Find(1).known);
  EXPECT_EQ(Make(1, "/system.slice/ssh.service"), Ids{1});
  EXPECT_TRUE(table_.Find(1).known);
  EXPECT_EQ(Find(1), nullptr);
}

TEST_F(WorkloadTableTest, Names_ComeBeforeOrAfterTheCgroup) {
  Make(1, "/kubepods/burstable/pod" + kUid + "/" + kId);
  ASSERT_NE(Find(1), nullptr);
  EXPECT_EQ(Find(1)->pod_uid, kUid);
  EXPECT_EQ(Find(1)->container_id, kId);
  EXPECT_EQ(Find(1)->qos, PodQos::kBurstable);
  EXPECT_EQ(Find(1)->cgroup_path, "/kubepods/burstable/pod" + kUid + "/" + kId);
  EXPECT_EQ(Find(1)->pod_name, "");
  EXPECT_EQ(Find(1)->names_from, NamesFrom::kNobody);
  EXPECT_EQ(Tell(Pod(NamesFrom::kPodLogs, "web-0")), Ids{1});
  EXPECT_EQ(Find(1)->pod_name, "web-0");
  EXPECT_EQ(Find(1)->pod_namespace, "default");
  EXPECT_EQ(Find(1)->names_from, NamesFrom::kPodLogs);
  Make(2, "/kubepods/burstable/pod" + kUid);
  EXPECT_EQ(Find(2)->pod_name, "web-0");
}

TEST_F(WorkloadTableTest, OlderEvents_KeepWhatTheyHad) {
  Make(1, "/kubepods/pod" + kUid);
  const std::shared_ptr<const Workload> before = Find(1)->shared_from_this();
  Tell(Pod(NamesFrom::kPodLogs, "web-0"));
  EXPECT_EQ(before->pod_name, "");
  EXPECT_EQ(Find(1)->pod_name, "web-0");
}

TEST_F(WorkloadTableTest, ApiServer_GoesBeforeTheKubeletAndTheLogs) {
  Make(1, "/kubepods/pod" + kUid + "/" + kId);
  Tell(Pod(NamesFrom::kApiServer, "from-api"));
  PodNames logs = Pod(NamesFrom::kPodLogs, "from-logs");
  logs.containers = {{.id = kId, .name = "app"}};
  Tell(logs);
  EXPECT_EQ(Find(1)->pod_name, "from-api");
  EXPECT_EQ(Find(1)->container_name, "app") << "known to the logs only";
  Tell(PodGone{.from = NamesFrom::kApiServer, .uid = kUid});
  Make(2, "/kubepods/pod" + kUid);
  EXPECT_EQ(Find(2)->pod_name, "from-logs");
}

TEST_F(WorkloadTableTest, PodThatIsGone_KeepsItsNamesInWhatIsLeftOfIt) {
  Make(1, "/kubepods/pod" + kUid);
  Tell(Pod(NamesFrom::kPodLogs, "web-0"));
  Tell(PodGone{.from = NamesFrom::kPodLogs, .uid = kUid});
  EXPECT_EQ(Find(1)->pod_name, "web-0");
  EXPECT_EQ(table_.pods(), 0u);
}

TEST_F(WorkloadTableTest, StaticPod_IsFoundByTheUidOfItsCgroup) {
  Make(1, "/kubepods/pod" + kStaticUid);
  PodNames mirror = Pod(NamesFrom::kApiServer, "etcd-node");
  mirror.cgroup_uid = kStaticUid;
  EXPECT_EQ(Tell(mirror), Ids{1});
  EXPECT_EQ(Find(1)->pod_name, "etcd-node");
  Tell(PodGone{.from = NamesFrom::kApiServer, .uid = mirror.uid});
  EXPECT_EQ(table_.pods(), 0u);
}

TEST_F(WorkloadTableTest, CgroupThatIsGone_StaysKnownForTheLastOfThem) {
  Make(1, "/kubepods/pod" + kUid + "/" + kId);
  Tell(CgroupGone{.id = 1});
  Tell(CgroupGone{.id = 1});
  EXPECT_NE(Find(1), nullptr);
  for (std::uint64_t id = 2; id < 2 + WorkloadTable::kMaxGone; ++id) {
    Make(id, "/x");
    Tell(CgroupGone{.id = id});
  }
  EXPECT_FALSE(table_.Find(1).known);
  EXPECT_EQ(table_.cgroups(), WorkloadTable::kMaxGone);
  EXPECT_EQ(Tell(Pod(NamesFrom::kPodLogs, "web-0")), Ids{}) << "nothing is left of the pod";
}

TEST_F(WorkloadTableTest, Table_IsBounded) {
  for (std::uint64_t id = 0; id < WorkloadTable::kMaxCgroups + 10; ++id) {
    Make(id, "/x");
  }
  EXPECT_EQ(table_.cgroups(), WorkloadTable::kMaxCgroups);
}

TEST_F(WorkloadTableTest, Peers_AreFoundByAddress) {
  PodNames pod = Pod(NamesFrom::kApiServer, "web-0");
  pod.pod_ips = {"10.0.0.1", "fd00::1", "nonsense"};
  Tell(pod);
  Tell(ServiceNames{.service_namespace = "default", .name = "web", .cluster_ips = {"10.96.0.7"}});
  ASSERT_NE(Peer("10.0.0.1"), nullptr);
  EXPECT_EQ(Peer("10.0.0.1")->pod_name, "web-0");
  EXPECT_EQ(Peer("fd00::1"), Peer("10.0.0.1"));
  EXPECT_EQ(Peer("10.96.0.7")->service_name, "web");
  EXPECT_EQ(Peer("10.0.0.2"), nullptr);
  pod.pod_ips = {"10.0.0.2"};
  Tell(pod);
  EXPECT_EQ(Peer("10.0.0.1"), nullptr);
  EXPECT_NE(Peer("10.0.0.2"), nullptr);
  Tell(PodGone{.from = NamesFrom::kApiServer, .uid = kUid});
  EXPECT_EQ(Peer("10.0.0.2"), nullptr);
  Tell(ServiceGone{.service_namespace = "default", .name = "web"});
  EXPECT_EQ(Peer("10.96.0.7"), nullptr);
}

TEST_F(WorkloadTableTest, AddressThatHasANewPod_IsNotTakenAwayByTheEndOfTheOldOne) {
  PodNames old = Pod(NamesFrom::kApiServer, "old");
  old.pod_ips = {"10.0.0.1"};
  Tell(old);
  PodNames young = old;
  young.uid = "00000000-1f2e-4c3d-9a8b-7c6d5e4f3a2b";
  young.name = "young";
  Tell(young);
  Tell(PodGone{.from = NamesFrom::kApiServer, .uid = kUid});
  ASSERT_NE(Peer("10.0.0.1"), nullptr);
  EXPECT_EQ(Peer("10.0.0.1")->pod_name, "young");
}

using Verdict = WorkloadMatch::Verdict;

TEST(WorkloadMatch, NoFilter_LetsAllPass) {
  const WorkloadMatch match({});
  EXPECT_FALSE(match.active());
  EXPECT_EQ(match.Judge(nullptr), Verdict::kYes);
}

TEST(WorkloadMatch, Lists_AreJoinedByAndAndTheirValuesByOr) {
  const WorkloadMatch match({.pods = {"a", "b"}, .namespaces = {"n"}});
  Workload workload;
  workload.pod_uid = kUid;
  EXPECT_EQ(match.Judge(nullptr), Verdict::kNo);
  EXPECT_EQ(match.Judge(&workload), Verdict::kNotYet);
  workload.pod_namespace = "n";
  EXPECT_EQ(match.Judge(&workload), Verdict::kNotYet);
  workload.pod_name = "b";
  EXPECT_EQ(match.Judge(&workload), Verdict::kYes);
  workload.pod_name = "c";
  EXPECT_EQ(match.Judge(&workload), Verdict::kNo);
  workload.pod_name = "a";
  workload.pod_namespace = "other";
  EXPECT_EQ(match.Judge(&workload), Verdict::kNo);
}

TEST(WorkloadMatch, Container_PassesByNameOrById) {
  const WorkloadMatch match({.containers = {"app", kId.substr(0, 12)}});
  Workload workload;
  workload.container_id = kId;
  EXPECT_EQ(match.Judge(&workload), Verdict::kYes);
  workload.container_id = std::string(64, '0');
  EXPECT_EQ(match.Judge(&workload), Verdict::kNo) << "nobody will name it";
  workload.pod_uid = kUid;
  EXPECT_EQ(match.Judge(&workload), Verdict::kNotYet);
  workload.container_name = "app";
  EXPECT_EQ(match.Judge(&workload), Verdict::kYes);
  workload.container_name = "other";
  EXPECT_EQ(match.Judge(&workload), Verdict::kNo);
  const WorkloadMatch too_short({.containers = {kId.substr(0, 11)}});
  workload.container_id = kId;
  EXPECT_EQ(too_short.Judge(&workload), Verdict::kNo);
}

}  // namespace
}  // namespace masflow::internal
