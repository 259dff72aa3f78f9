// SPDX-License-Identifier: Apache-2.0
//
// Workloads from the source to the callbacks of all streams, their text and JSON, and through a
// recording.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masflow/format.h"
#include "masflow/http_stream.h"
#include "masflow/testing/fake_source.h"
#include "replay_testing.h"
#include "tcp_testing.h"

namespace masflow::internal {
namespace {

using masflow::testing::FakeSource;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kUid = "8dbc1402-1f2e-4c3d-9a8b-7c6d5e4f3a2b";
const std::string kId = "4d5f5b1e0a9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e";

constexpr std::uint64_t kHostCgroup = 100;
constexpr std::uint64_t kPodCgroup = 200;
constexpr std::uint64_t kUnknownCgroup = 300;

template <class Event>
std::string TextOf(const Event& event) {
  std::string out;
  AppendText(event, {}, {}, &out);
  return out;
}

template <class Event>
std::string JsonOf(const Event& event) {
  std::string out;
  AppendJson(event, {}, &out);
  return out;
}

ProcessExec Exec(std::uint32_t pid, std::uint64_t cgroup_id) {
  ProcessExec exec = TestExec(pid);
  exec.process.cgroup_id = cgroup_id;
  return exec;
}

HttpExchange Exchange() {
  HttpExchange exchange;
  exchange.time = At(3000);
  exchange.connection = FullConnection();
  exchange.connection.owner->cgroup_id = kPodCgroup;
  exchange.connection.role = TcpRole::kServer;
  exchange.connection.pre_existing = false;
  exchange.role = HttpRole::kServer;
  exchange.method = "GET";
  exchange.target = "/foo";
  exchange.version_minor = 1;
  exchange.status = std::uint16_t{200};
  exchange.request_body = {.bytes = 0, .exact = true};
  exchange.response_body = {.bytes = 0, .exact = true};
  exchange.first_byte = exchange.last_byte = std::chrono::milliseconds(3);
  return exchange;
}

TcpConnect Connect() {
  TcpConnect connect = Full<TcpConnect>();
  connect.connection.owner->cgroup_id = kPodCgroup;
  return connect;
}

void Produce(FakeSource& fake) {
  fake.PushCgroup(kHostCgroup, "/system.slice/ssh.service");
  fake.PushCgroup(kPodCgroup, "/kubepods/burstable/pod" + kUid + "/" + kId);
  fake.Push(PodNames{.uid = kUid,
                     .pod_namespace = "default",
                     .name = "frontend-distroless",
                     .from = NamesFrom::kApiServer,
                     .containers = {{.id = kId, .name = "web"}},
                     .labels = {{"app", "front\"end"}},
                     .owner_kind = "Deployment",
                     .owner_name = "frontend",
                     .pod_ips = {ToString(FullConnection().local.address)}});
  fake.Push(ServiceNames{.service_namespace = "default",
                         .name = "web",
                         .cluster_ips = {ToString(FullConnection().remote.address)}});
  fake.Push(Exec(1, kHostCgroup));
  fake.Push(Exec(2, kPodCgroup));
  fake.Push(Exec(3, kUnknownCgroup));
  fake.Push(Connect());
  fake.Push(Exchange());
}

struct Seen {
  std::vector<std::string> execs;  // "pid namespace/pod/container"
  std::vector<std::string> text;
  std::vector<std::string> json;
  SessionStats stats;
};

std::string Label(const ProcessView& process) {
  const std::string pid = std::to_string(process.id.pid);
  return process.workload == nullptr
             ? pid
             : pid + " " + process.workload->pod_namespace + "/" + process.workload->pod_name +
                   "/" + process.workload->container_name;
}

Seen Watch(SessionOptions options, FakeSource* fake) {
  Seen seen;
  auto session = Session::Create(std::move(options));
  EXPECT_TRUE(session.ok()) << session.status();
  auto processes = ProcessStream::Open(*session);
  auto tcp = TcpStream::Open(*session);
  auto http = HttpStream::Open(*session);
  EXPECT_TRUE(processes.ok() && tcp.ok() && http.ok());
  const auto keep = [&](const auto& e) {
    seen.text.push_back(TextOf(e));
    seen.json.push_back(JsonOf(e));
  };
  processes->OnExec([&](const ProcessExecView& e) {
    seen.execs.push_back(Label(e.process));
    keep(e);
  });
  tcp->OnConnect(keep);
  http->OnExchange(keep);
  if (fake != nullptr) {
    Produce(*fake);
    fake->End();
  }
  while (!session->Drain(8).ended) {
  }
  seen.stats = session->stats();
  for (const StreamStats& stats : seen.stats.streams) {
    EXPECT_EQ(stats.produced, stats.delivered + stats.unheard + stats.merged + stats.malformed +
                                  stats.filtered + stats.lost_total());
  }
  return seen;
}

TEST(WorkloadSession, EventsOfAllStreams_CarryTheirWorkload) {
  FakeSource fake;
  const Seen seen = Watch({.source = fake.source()}, &fake);
  EXPECT_THAT(seen.execs, ElementsAre("1", "2 default/frontend-distroless/web", "3"));
  ASSERT_EQ(seen.text.size(), 5u);
  EXPECT_THAT(seen.text[0], Not(HasSubstr("pod=")));
  for (const std::size_t i : {1u, 3u, 4u}) {
    EXPECT_THAT(seen.text[i], HasSubstr("  pod=default/frontend-distroless container=web"));
    EXPECT_THAT(seen.json[i], HasSubstr(R"("container.id":")" + kId +
                                        R"(","k8s.namespace.name":)"
                                        R"("default","k8s.pod.name":"frontend-distroless",)"
                                        R"("k8s.pod.uid":")" +
                                        kUid + R"(","k8s.container.name":"web")"));
    EXPECT_THAT(seen.json[i], HasSubstr(R"("k8s.deployment.name":"frontend",)"
                                        R"("k8s.pod.label.app":"front\"end")"));
    EXPECT_THAT(seen.json[i], HasSubstr(R"("masflow.pod_qos":"Burstable",)"
                                        R"("masflow.names_from":"api server")"));
  }
  EXPECT_THAT(seen.text[3], HasSubstr("  peer=service default/web"));
  EXPECT_THAT(seen.json[3], HasSubstr(R"("masflow.peer.k8s.namespace.name":"default",)"
                                      R"("masflow.peer.k8s.service.name":"web")"));
  EXPECT_THAT(seen.text[4], HasSubstr("GET /foo 200 3.000ms"));
  EXPECT_EQ(seen.stats.workloads.cgroups, 2u);
  EXPECT_EQ(seen.stats.workloads.pods, 1u);
  EXPECT_EQ(seen.stats.workloads.unknown, 1u);
}

TEST(WorkloadSession, Replay_KnowsWhatTheRecordingKnew) {
  const ScratchDir dir;
  FakeSource fake;
  const Seen recorded = Watch({.source = fake.source(), .record_to = dir / "r.mfr"}, &fake);
  const Seen replayed = Watch({.source = Replay{dir / "r.mfr"}}, nullptr);
  EXPECT_EQ(replayed.text, recorded.text);
  EXPECT_EQ(replayed.json, recorded.json);
}

TEST(WorkloadSession, Filter_LetsOnlyItsWorkloadsPass) {
  FakeSource fake;
  const Seen seen = Watch(
      {.source = fake.source(), .workloads = {.filter = {.pods = {"frontend-distroless"}}}}, &fake);
  EXPECT_THAT(seen.execs, ElementsAre("2 default/frontend-distroless/web"));
  EXPECT_EQ(seen.text.size(), 3u);
  EXPECT_EQ(seen.stats[StreamKind::kProcess].filtered, 2u);
  FakeSource other;
  EXPECT_TRUE(
      Watch({.source = other.source(), .workloads = {.filter = {.namespaces = {"x"}}}}, &other)
          .text.empty());
}

TEST(WorkloadSession, HostileNames_AreEscaped) {
  FakeSource fake;
  auto session = Session::Create({.source = fake.source()});
  ASSERT_TRUE(session.ok());
  auto processes = ProcessStream::Open(*session);
  std::string text;
  std::string json;
  processes->OnExec([&](const ProcessExecView& e) {
    text = TextOf(e);
    json = JsonOf(e);
  });
  fake.PushCgroup(kPodCgroup, "/kubepods/pod" + kUid + "/" + kId);
  fake.Push(PodNames{.uid = kUid,
                     .pod_namespace = "a\nb",
                     .name = "\x1b[31mred",
                     .containers = {{.id = kId, .name = "\xff\x07"}},
                     .labels = {{"k\"\n", "v\x1b"}}});
  fake.Push(Exec(1, kPodCgroup));
  session->Drain(8);
  for (const std::string& out : {text, json}) {
    ASSERT_FALSE(out.empty());
    EXPECT_EQ(out.find_first_of("\n\x1b\x07"), std::string::npos) << out;
  }
}

}  // namespace
}  // namespace masflow::internal
