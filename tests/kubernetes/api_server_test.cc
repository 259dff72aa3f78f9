// SPDX-License-Identifier: Apache-2.0
//
// The source against an API server that behaves and misbehaves.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

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
using kubernetes_test::NumberedPod;
using kubernetes_test::NumberedPods;
using kubernetes_test::PodList;
using kubernetes_test::QuickTimings;
using kubernetes_test::Server;
using kubernetes_test::TemporaryFolder;
using kubernetes_test::Told;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

std::string Event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

std::string Bookmark(const std::string& version) {
  return Event("BOOKMARK", R"({"kind":"Pod","metadata":{"resourceVersion":")" + version + "\"}}");
}

class KubernetesApiServer : public testing::Test {
 protected:
  ~KubernetesApiServer() override {
    if (source_ != nullptr) {
      source_->Stop();
    }
  }

  // Pods only, unless `services`.
  void Start(const std::string& url, const std::string& node = {}, bool services = false) {
    absl::StatusOr<std::shared_ptr<NameSource>> source = MakeApiServer({.url = url,
                                                                        .ca_file = ca_file_,
                                                                        .token_file = token_file_,
                                                                        .node = node,
                                                                        .services = services},
                                                                       timings_);
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    ASSERT_TRUE(source_->Start(&told_).ok());
  }

  // An open watch that says nothing.
  static void Quiet(Exchange& e) {
    e.BeginChunks();
    e.Hang();
  }

  Timings timings_ = QuickTimings();
  std::string ca_file_;
  std::string token_file_;
  const TemporaryFolder folder_;
  Told told_;
  std::shared_ptr<NameSource> source_;
};

TEST_F(KubernetesApiServer, ListsThenWatches) {
  std::promise<void> listed;
  const std::shared_future<void> listed_future = listed.get_future().share();
  Server server([&](Exchange& e) {
    if (!e.Asks("watch=1")) {
      return e.Reply(200, Body("pods.json"));
    }
    e.BeginChunks();
    listed_future.wait();
    const std::string added = Event("ADDED", NumberedPod(1));
    e.Chunk(added.substr(0, 100));  // an event in two pieces, and two in one
    e.Chunk(added.substr(100) + Event("DELETED", Body("pod.json")));
    e.Hang();
  });
  Start(server.url(), "worker-1");
  EXPECT_TRUE(told_.WaitForPods(5));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  listed.set_value();
  EXPECT_TRUE(told_.Wait([&] {
    return told_.pods.contains("00000001-2222-4333-8444-555566667777") &&
           !told_.pods.contains("11111111-2222-4333-8444-555566667777");
  }));
  source_->Stop();
  EXPECT_EQ(source_->name(), "api server " + server.url());
  const std::vector<std::string> targets = server.targets();
  ASSERT_EQ(targets.size(), 2U);
  EXPECT_EQ(targets[0], "/api/v1/pods?fieldSelector=spec.nodeName%3Dworker-1&resourceVersion=0");
  EXPECT_THAT(targets[1],
              AllOf(HasSubstr("fieldSelector=spec.nodeName%3Dworker-1"), HasSubstr("watch=1"),
                    HasSubstr("resourceVersion=184555"), HasSubstr("allowWatchBookmarks=true")));
}

TEST_F(KubernetesApiServer, ManyPodsInPages) {
  Server server([](Exchange& e) {
    if (e.Asks("watch=1")) {
      return Quiet(e);
    }
    // A token with a byte that has a meaning in URLs.
    const std::string page = e.Parameter("continue");
    const int first = page.empty() ? 0 : std::stoi(page.substr(std::string("a%2B").size()));
    e.Reply(200,
            PodList(NumberedPods(first, 500), "900",
                    first + 500 < MASFLOW_TEST_PODS ? "a+" + std::to_string(first + 500) : ""));
  });
  Start(server.url());
  EXPECT_TRUE(told_.WaitForPods(MASFLOW_TEST_PODS));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  source_->Stop();
  EXPECT_EQ(told_.told, MASFLOW_TEST_PODS);
  EXPECT_EQ(server.targets()[0], "/api/v1/pods?limit=500");
  EXPECT_EQ(server.targets()[1], "/api/v1/pods?limit=500&continue=a%2B500");
}

TEST_F(KubernetesApiServer, ServicesToo) {
  Server server([](Exchange& e) {
    e.Asks("watch=1") ? Quiet(e)
                      : e.Reply(200, Body(e.Asks("/services") ? "services.json" : "pods.json"));
  });
  Start(server.url(), "", true);
  EXPECT_TRUE(told_.Wait([&] { return told_.services.size() == 3 && told_.pods.size() == 5; }));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
}

TEST_F(KubernetesApiServer, OneResourceMayBeForbidden) {
  Server server([](Exchange& e) {
    if (e.Asks("/services")) {
      return e.Reply(403, Body("status_403.json"));
    }
    e.Asks("watch=1") ? Quiet(e) : e.Reply(200, Body("pods.json"));
  });
  Start(server.url(), "", true);
  EXPECT_TRUE(told_.WaitForPods(5));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kPermissionDenied));
  EXPECT_THAT(told_.message(), AllOf(HasSubstr("/api/v1/services answers 403"),
                                     HasSubstr("needs list and watch of services")));
}

TEST_F(KubernetesApiServer, WatchGoesOnWhereItEnded) {
  std::atomic<int> watches = 0;
  std::promise<void> last;
  Server server([&](Exchange& e) {
    if (!e.Asks("watch=1")) {
      return e.Reply(200, PodList("[]", "10"));
    }
    switch (watches++) {
      case 0:  // as servers end them
        e.BeginChunks();
        e.Chunk(Event("ADDED", NumberedPod(1)));
        e.Chunk(Bookmark("20"));
        return e.EndChunks();
      case 1:  // cut off amid an event
        e.BeginChunks();
        e.Chunk(Bookmark("30"));
        return e.Chunk(Event("ADDED", NumberedPod(2)).substr(0, 500));
      case 2:
        return e.Reset();
      default:
        last.set_value();
        Quiet(e);
    }
  });
  Start(server.url());
  ASSERT_EQ(last.get_future().wait_for(1min), std::future_status::ready);
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  source_->Stop();
  const std::vector<std::string> targets = server.targets();
  ASSERT_EQ(targets.size(), 5U);
  for (const auto& [request, version] : {std::pair(1, "10"), {2, "20"}, {3, "30"}, {4, "30"}}) {
    EXPECT_THAT(targets[request], HasSubstr(std::string("resourceVersion=") + version));
  }
  EXPECT_EQ(told_.pods.size(), 1U);
}

// Pods 1 and 2 in the first list, of version 1, only 2 in those after. How the watch from version 1
// on is answered is told; that from later ones is quiet. What is gone meanwhile is told by the new
// list.
class KubernetesOutdatedWatch : public KubernetesApiServer {
 protected:
  void ExpectListedAnew(const Server::Handler& first_watch) {
    std::atomic<int> lists = 0;
    Server server([&](Exchange& e) {
      if (!e.Asks("watch=1")) {
        const int first = 1 + lists++;
        return e.Reply(200, PodList(NumberedPods(first, 3 - first), std::to_string(lists)));
      }
      e.Parameter("resourceVersion") == "1" ? first_watch(e) : Quiet(e);
    });
    Start(server.url());
    EXPECT_TRUE(told_.Wait([&] {
      return told_.pods.size() == 1 && told_.pods.contains("00000002-2222-4333-8444-555566667777");
    }));
    EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
    EXPECT_THAT(server.targets(), Contains(HasSubstr("limit=500")).Times(2));
    source_->Stop();
  }
};

TEST_F(KubernetesOutdatedWatch, ByEvent) {
  ExpectListedAnew([](Exchange& e) {
    e.BeginChunks();
    e.Chunk(Event("ERROR", Body("status_410.json")));
    e.EndChunks();
  });
}

TEST_F(KubernetesOutdatedWatch, ByStatus) {
  ExpectListedAnew([](Exchange& e) { e.Reply(410, Body("status_410.json")); });
}

TEST_F(KubernetesOutdatedWatch, ByAnEventThatIsNone) {
  ExpectListedAnew([](Exchange& e) {
    e.BeginChunks();
    e.Chunk("{\"type\":\"ADDED\",\"object\":{\"meta\n");
    e.Hang();
  });
}

TEST_F(KubernetesApiServer, ExpiredPageIsListedFromTheFirst) {
  std::atomic<int> expired = 0;
  Server server([&](Exchange& e) {
    if (e.Asks("watch=1")) {
      return Quiet(e);
    }
    if (!e.Asks("continue=")) {
      return e.Reply(200, PodList(NumberedPods(0, 2), "5", "next"));
    }
    expired++ == 0 ? e.Reply(410, Body("status_410.json"))
                   : e.Reply(200, PodList(NumberedPods(2, 2), "5"));
  });
  Start(server.url());
  EXPECT_TRUE(told_.WaitForPods(4));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
}

TEST_F(KubernetesApiServer, TruncatedListIsAskedForAgain) {
  std::atomic<int> lists = 0;
  std::promise<void> reported;
  const std::shared_future<void> reported_future = reported.get_future().share();
  Server server([&](Exchange& e) {
    if (e.Asks("watch=1")) {
      return Quiet(e);
    }
    const std::string list = PodList(NumberedPods(0, 3), "5");
    if (lists++ == 0) {
      return e.Reply(200, list.substr(0, list.size() / 2));
    }
    reported_future.wait();
    e.Reply(200, list);
  });
  Start(server.url());
  EXPECT_TRUE(told_.WaitForState(StatusCode::kDataLoss));
  reported.set_value();
  EXPECT_TRUE(told_.WaitForPods(3));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
}

TEST_F(KubernetesApiServer, HungConnectionIsGivenUp) {
  timings_.silence = 50ms;
  std::atomic<bool> hang = true;
  Server server([&](Exchange& e) {
    if (hang) {
      return e.Hang();
    }
    e.Asks("watch=1") ? Quiet(e) : e.Reply(200, PodList(NumberedPods(0, 3), "5"));
  });
  Start(server.url());
  EXPECT_TRUE(told_.WaitForState(StatusCode::kDeadlineExceeded));
  hang = false;
  EXPECT_TRUE(told_.WaitForPods(3));
}

TEST_F(KubernetesApiServer, StopDoesNotWaitForAHungServer) {
  std::promise<void> asked;
  Server server([&](Exchange& e) {
    asked.set_value();
    e.Hang();
  });
  timings_.silence = 1h;
  Start(server.url());
  asked.get_future().wait();
  source_->Stop();  // or the test never ends
  source_->Stop();
  EXPECT_EQ(told_.state.code(), StatusCode::kUnknown);
  EXPECT_EQ(told_.state.message(), "no answer yet");
}

TEST_F(KubernetesApiServer, ExpiredTokenIsTakenOnceRenewed) {
  const Authority authority(folder_, "ca");
  ca_file_ = authority.ca_file();
  token_file_ = folder_.Write("token", "old");
  Server server(
      [](Exchange& e) {
        if (e.Header("Authorization") != "Bearer new") {
          return e.Reply(401, Body("status_401.json"));
        }
        e.Asks("watch=1") ? Quiet(e) : e.Reply(200, Body("pods.json"));
      },
      authority.Sign("server", "IP:127.0.0.1"));
  Start(server.url());
  EXPECT_TRUE(told_.WaitForState(StatusCode::kUnauthenticated));
  EXPECT_THAT(told_.message(), HasSubstr("does not take the token of " + token_file_));
  folder_.Write("token", "new");
  EXPECT_TRUE(told_.WaitForPods(5));
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
}

TEST_F(KubernetesApiServer, WrongCertificateIsSaid) {
  const Authority authority(folder_, "ca");
  const Authority other(folder_, "other");
  ca_file_ = authority.ca_file();
  token_file_ = folder_.Write("token", "secret");
  Server server([](Exchange& e) { e.Reply(200, Body("pods.json")); },
                other.Sign("server", "IP:127.0.0.1"));
  Start(server.url());
  EXPECT_TRUE(told_.WaitForState(StatusCode::kUnauthenticated));
  EXPECT_THAT(told_.message(), HasSubstr("certificate"));
  source_->Stop();
  EXPECT_TRUE(server.targets().empty());
}

TEST_F(KubernetesApiServer, NamesStayWhileTheServerIsAway) {
  auto server = std::make_unique<Server>(
      [](Exchange& e) { e.Asks("watch=1") ? Quiet(e) : e.Reply(200, Body("pods.json")); });
  Start(server->url());
  EXPECT_TRUE(told_.WaitForPods(5));
  server.reset();
  EXPECT_TRUE(told_.WaitForState(StatusCode::kUnavailable));
  source_->Stop();
  EXPECT_EQ(told_.pods.size(), 5U);
}

TEST_F(KubernetesApiServer, PauseIsAsLongAsTheServerAsksFor) {
  std::chrono::steady_clock::time_point asked[2];
  std::atomic<int> lists = 0;
  Server server([&](Exchange& e) {
    if (e.Asks("watch=1")) {
      return Quiet(e);
    }
    const int list = lists++;
    asked[std::min(list, 1)] = std::chrono::steady_clock::now();
    list == 0 ? e.Reply(429, "", "Retry-After: 1\r\n") : e.Reply(200, PodList("[]", "5"));
  });
  Start(server.url());
  EXPECT_TRUE(told_.WaitForState(StatusCode::kOk));
  source_->Stop();
  EXPECT_GE(asked[1] - asked[0], 1s);
}

TEST_F(KubernetesApiServer, InCluster) {
  unsetenv("KUBERNETES_SERVICE_HOST");
  const absl::Status outside = MakeApiServer({}, timings_).status();
  EXPECT_EQ(outside.code(), StatusCode::kFailedPrecondition);
  setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  EXPECT_EQ((*MakeApiServer({}, timings_))->name(), "api server https://10.96.0.1:443");
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  EXPECT_EQ((*MakeApiServer({}, timings_))->name(), "api server https://[fd00::1]:443");
}

TEST_F(KubernetesApiServer, WrongOptionsAreRefused) {
  EXPECT_EQ(MakeApiServer({.url = "10.0.0.1"}, timings_).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(MakeApiServer({.url = "https://a", .node = "x&watch=1"}, timings_).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(KubernetesApiServer, IsForOneSession) {
  Server server([](Exchange& e) { e.Hang(); });
  Start(server.url());
  EXPECT_EQ(source_->Start(&told_).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace masflow::internal
