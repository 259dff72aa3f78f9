// SPDX-License-Identifier: Apache-2.0
//
// What a real API server and a real kubelet sent, byte for byte, and what comes out; see
// recorded/README.md.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"
#include "kubernetes/sources.h"

namespace masflow::internal {
namespace {

using absl::StatusCode;
using kubernetes_test::Body;
using kubernetes_test::Exchange;
using kubernetes_test::Recording;
using kubernetes_test::Server;
using kubernetes_test::Told;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string Joined(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    joined.append(joined.empty() ? "" : ",").append(part);
  }
  return joined;
}

// The form of the files *.expected, which are made from what was put into the cluster.
std::string Line(const PodNames& pod) {
  std::vector<std::string> labels;
  for (const auto& [name, value] : pod.labels) {
    labels.push_back(name + "=" + value);
  }
  std::vector<std::string> containers;
  for (const PodNames::Container& container : pod.containers) {
    containers.push_back(container.name + ":" + container.id);
  }
  std::sort(containers.begin(), containers.end());
  return "pod " + pod.uid + " cgroup=" + pod.cgroup_uid + " " + pod.pod_namespace + "/" + pod.name +
         " owner=" + (pod.owner_kind.empty() ? "" : pod.owner_kind + "/") + pod.owner_name +
         " ips=" + Joined(pod.pod_ips) + " node=" + pod.node_ip + " labels=" + Joined(labels) +
         " containers=" + Joined(containers) + "\n";
}

std::string Line(const ServiceNames& service) {
  return "service " + service.service_namespace + "/" + service.name +
         " ips=" + Joined(service.cluster_ips) + "\n";
}

template <class Objects>
std::string Lines(const Objects& objects) {
  std::set<std::string> sorted;
  for (const auto& [key, object] : objects) {
    sorted.insert(Line(object));
  }
  std::string lines;
  for (const std::string& line : sorted) {
    lines += line;
  }
  return lines;
}

// What stands behind the last `before` in a recording, up to a quote.
std::string LastValue(const std::string& recording, const std::string& before) {
  const std::size_t begin = recording.rfind(before) + before.size();
  return recording.substr(begin, recording.find('"', begin) - begin);
}

class KubernetesRecorded : public testing::Test {
 protected:
  ~KubernetesRecorded() override { Stop(); }

  void Start(const Server& server, const std::string& node, bool services = false) {
    absl::StatusOr<std::shared_ptr<NameSource>> source = MakeApiServer(
        {.url = server.url(), .node = node, .services = services}, kubernetes_test::QuickTimings());
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    ASSERT_TRUE(source_->Start(&told_).ok());
  }

  void Stop() {
    if (source_ != nullptr) {
      source_->Stop();
    }
  }

  static void Quiet(Exchange& e) {
    e.BeginChunks();
    e.Hang();
  }

  Told told_;
  std::shared_ptr<NameSource> source_;
};

TEST_F(KubernetesRecorded, PodsOfANode) {
  // The latter has the statuses that a real kubelet has written.
  for (const std::string name : {"pods_of_node", "pods_of_kubelet"}) {
    Server server([&](Exchange& e) {
      e.Asks("watch=1") ? Quiet(e) : void(e.Write(Recording(name + ".http")));
    });
    told_.pods.clear();
    Start(server, "worker-1");
    EXPECT_TRUE(told_.Wait([&] { return Lines(told_.pods) == Recording(name + ".expected"); }));
    EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
    Stop();
    EXPECT_EQ(Lines(told_.pods), Recording(name + ".expected"));
  }
}

TEST_F(KubernetesRecorded, PodsOfANodeInSmallPieces) {
  Server server([](Exchange& e) {
    if (e.Asks("watch=1")) {
      return Quiet(e);
    }
    const std::string recording = Recording("pods_of_node.http");
    for (std::size_t at = 0; at < recording.size(); at += 97) {
      e.Write(recording.substr(at, 97));
    }
  });
  Start(server, "worker-1");
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  Stop();
  EXPECT_EQ(Lines(told_.pods), Recording("pods_of_node.expected"));
}

TEST_F(KubernetesRecorded, PodsOfAClusterInPages) {
  Server server([](Exchange& e) {
    if (e.Asks("watch=1")) {
      return Quiet(e);
    }
    // Each page names the one that follows it.
    for (int page = 1; page < 4; ++page) {
      const std::string name = "pods_page_" + std::to_string(page);
      const std::string before =
          page == 1 ? "" : Recording("pods_page_" + std::to_string(page - 1) + ".http");
      if (e.Parameter("continue") == (page == 1 ? "" : LastValue(before, R"("continue":")"))) {
        e.Write(Recording(name + ".http"));
      }
    }
  });
  Start(server, "");
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  Stop();
  EXPECT_EQ(Lines(told_.pods), Recording("pods_page.expected"));
}

TEST_F(KubernetesRecorded, WatchOfPods) {
  std::atomic<int> watches = 0;
  Server server([&](Exchange& e) {
    if (!e.Asks("watch=1")) {
      e.Write(Recording("pods_of_node.http"));
    } else if (watches++ == 0) {
      e.Write(Recording("watch_pods.http"));
    } else {
      Quiet(e);
    }
  });
  Start(server, "worker-1");
  EXPECT_TRUE(told_.Wait([&] { return watches == 2; }));
  Stop();
  EXPECT_EQ(Lines(told_.pods), Recording("watch_pods.expected"));
  // The next watch goes on from the bookmark at the end of the first.
  const std::string recording = Recording("watch_pods.http");
  EXPECT_GT(recording.find(R"({"type":"BOOKMARK")"), recording.find(R"({"type":"DELETED")"));
  EXPECT_THAT(server.targets().at(2),
              HasSubstr("resourceVersion=" + LastValue(recording, R"("resourceVersion":")")));
}

TEST_F(KubernetesRecorded, ServicesAndTheirWatch) {
  std::atomic<int> watches = 0;
  Server server([&](Exchange& e) {
    if (!e.Asks("/services")) {
      e.Asks("watch=1") ? Quiet(e) : void(e.Write(Recording("pods_of_node.http")));
    } else if (!e.Asks("watch=1")) {
      e.Write(Recording("services.http"));
    } else if (watches++ == 0) {
      EXPECT_TRUE(
          told_.Wait([&] { return Lines(told_.services) == Recording("services.expected"); }));
      e.Write(Recording("watch_services.http"));
    } else {
      Quiet(e);
    }
  });
  Start(server, "worker-1", true);
  EXPECT_TRUE(told_.Wait([&] {
    return watches == 2 && Lines(told_.services) == Recording("watch_services.expected");
  }));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
}

TEST_F(KubernetesRecorded, WrongTokenIsSaid) {
  Server server([](Exchange& e) { e.Write(Recording("unauthorized.http")); });
  Start(server, "");
  EXPECT_TRUE(told_.WaitForState(StatusCode::kUnauthenticated));
  EXPECT_THAT(told_.message(), HasSubstr("/api/v1/pods answers 401 (Unauthorized)"));
}

TEST_F(KubernetesRecorded, MissingRightsAreSaid) {
  for (const std::string what : {"pods", "services"}) {
    Server server([&](Exchange& e) {
      if (e.Asks("/" + what)) {
        e.Write(Recording("forbidden_" + what + ".http"));
      } else {
        e.Asks("watch=1") ? Quiet(e) : void(e.Write(Recording("pods_of_node.http")));
      }
    });
    Start(server, "", what == "services");
    EXPECT_TRUE(told_.WaitForState(StatusCode::kPermissionDenied));
    EXPECT_THAT(told_.message(),
                AllOf(HasSubstr("/api/v1/" + what + " answers 403"),
                      HasSubstr(R"(cannot list resource ")" + what + R"(" in API group "")"),
                      HasSubstr("needs list and watch of " + what)));
    Stop();
  }
}

// A watch from a place that is too old: both ways in which it is told.
class KubernetesRecordedGone : public KubernetesRecorded,
                               public testing::WithParamInterface<const char*> {};

TEST_P(KubernetesRecordedGone, IsListedAnew) {
  std::atomic<int> watches = 0;
  Server server([&](Exchange& e) {
    if (!e.Asks("watch=1")) {
      e.Write(Recording("pods_of_node.http"));
    } else if (watches++ == 0) {
      e.Write(Recording(GetParam()));
    } else {
      Quiet(e);
    }
  });
  Start(server, "worker-1");
  EXPECT_TRUE(told_.Wait([&] { return watches == 2; }));
  Stop();
  EXPECT_THAT(server.targets(), Contains(Not(HasSubstr("watch=1"))).Times(2));
  EXPECT_EQ(told_.told, static_cast<int>(told_.pods.size())) << "what did not change is told again";
}

INSTANTIATE_TEST_SUITE_P(, KubernetesRecordedGone,
                         testing::Values("watch_gone.http", "watch_gone_uncached.http"),
                         [](const auto& param) {
                           return std::string(param.param).find("uncached") == std::string::npos
                                      ? "FromMemory"
                                      : "FromTheDatabase";
                         });

TEST_F(KubernetesRecorded, ExpiredPageIsListedFromTheFirst) {
  std::atomic<int> first_pages = 0;
  Server server([&](Exchange& e) {
    if (e.Asks("watch=1")) {
      Quiet(e);
    } else if (e.Asks("continue=")) {
      e.Write(Recording("list_gone.http"));
    } else {
      e.Write(Recording(first_pages++ == 0 ? "pods_page_1.http" : "pods_of_node.http"));
    }
  });
  Start(server, "");
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  Stop();
  EXPECT_EQ(first_pages, 2);
  EXPECT_EQ(Lines(told_.pods), Recording("pods_of_node.expected"));
}

// The replies of a kubelet to a right request, to a wrong token, and to an account without rights.
TEST_F(KubernetesRecorded, Kubelet) {
  const kubernetes_test::TemporaryFolder folder;
  const kubernetes_test::Authority authority(folder, "ca");
  const std::string token_file = folder.Write("token", "wrong");
  Server server(
      [](Exchange& e) {
        const std::string token = e.Header("Authorization");
        e.Write(Recording(token == "Bearer right"  ? "kubelet_pods.http"
                          : token == "Bearer weak" ? "kubelet_forbidden.http"
                                                   : "kubelet_unauthorized.http"));
      },
      authority.Sign("kubelet", "IP:127.0.0.1"));
  absl::StatusOr<std::shared_ptr<NameSource>> source =
      MakeKubelet({.url = server.url(),
                   .ca_file = authority.ca_file(),
                   .token_file = token_file,
                   .interval = std::chrono::seconds(1)},
                  kubernetes_test::QuickTimings());
  ASSERT_TRUE(source.ok()) << source.status();
  source_ = *std::move(source);
  ASSERT_TRUE(source_->Start(&told_).ok());
  EXPECT_TRUE(told_.WaitForState(StatusCode::kUnauthenticated));
  EXPECT_THAT(told_.message(), HasSubstr("/pods answers 401"));
  folder.Write("token", "weak");
  EXPECT_TRUE(told_.WaitForState(StatusCode::kPermissionDenied));
  EXPECT_THAT(told_.message(),
              AllOf(HasSubstr("/pods answers 403"), HasSubstr("needs get of nodes/proxy")));
  folder.Write("token", "right");
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  Stop();
  EXPECT_EQ(Lines(told_.pods), Recording("kubelet_pods.expected"));
}

// Members whose own members have names of anybody's choice.
bool HasFreeNames(const std::string& path) {
  return path.ends_with(".labels") || path.ends_with(".annotations") ||
         path.ends_with(".selector") || path.ends_with(".requests") || path.ends_with(".limits");
}

// "metadata.ownerReferences[].name string" and so on, of all that there is.
void AddShape(const nlohmann::json& value, const std::string& path, std::set<std::string>* shape) {
  if (value.is_object() && !HasFreeNames(path)) {
    for (const auto& [name, member] : value.items()) {
      std::string inner = path;
      inner.append(path.empty() ? "" : ".").append(name);
      if (name != "managedFields") {  // never read, and of many shapes
        AddShape(member, inner, shape);
      }
    }
  } else if (value.is_array()) {
    for (const nlohmann::json& member : value) {
      AddShape(member, path + "[]", shape);
    }
  } else {
    shape->insert(path + " " + value.type_name());
  }
}

std::set<std::string> ShapeOf(const std::string& text) {
  std::set<std::string> shape;
  AddShape(nlohmann::json::parse(text), "", &shape);
  return shape;
}

// The text of a reply that came whole or in chunks.
std::string TextOf(const std::string& recording) {
  std::size_t at = recording.find("\r\n\r\n") + 4;
  if (recording.substr(0, at).find("chunked") == std::string::npos) {
    return recording.substr(at);
  }
  std::string text;
  while (const std::size_t size = std::stoul(recording.substr(at), nullptr, 16)) {
    at = recording.find("\r\n", at) + 2;
    text += recording.substr(at, size);
    at += size + 2;
  }
  return text;
}

// The bodies made by hand, which tests alter and multiply, look like the recorded ones.
TEST_F(KubernetesRecorded, BodiesMadeByHandHaveTheSameShape) {
  // What has come since the server that was recorded.
  const std::set<std::string> newer = {"items[].metadata.generation number",
                                       "items[].spec.internalTrafficPolicy string",
                                       "items[].status.hostIPs[].ip string"};
  const auto unlike = [&](const char* made, const char* recorded) {
    std::set<std::string> real = ShapeOf(TextOf(Recording(recorded)));
    real.insert(newer.begin(), newer.end());
    std::vector<std::string> rest;
    std::ranges::set_difference(ShapeOf(Body(made)), real, std::back_inserter(rest));
    return rest;
  };
  EXPECT_THAT(unlike("pods.json", "pods_of_node.http"), IsEmpty());
  EXPECT_THAT(unlike("kubelet_pods.json", "pods_of_node.http"), IsEmpty());
  EXPECT_THAT(unlike("services.json", "services.http"), IsEmpty());
  EXPECT_THAT(unlike("status_401.json", "unauthorized.http"), IsEmpty());
  EXPECT_THAT(unlike("status_403.json", "forbidden_pods.http"), IsEmpty());
  EXPECT_THAT(unlike("status_410.json", "list_gone.http"), IsEmpty());
}

}  // namespace
}  // namespace masflow::internal
