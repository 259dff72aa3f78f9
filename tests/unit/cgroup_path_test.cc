// SPDX-License-Identifier: Apache-2.0
#include "workload/cgroup_path.h"

#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace masflow::internal {
namespace {

constexpr auto kContainerd = ContainerRuntime::kContainerd;
constexpr auto kCrio = ContainerRuntime::kCrio;
constexpr auto kDocker = ContainerRuntime::kDocker;
constexpr auto kPodman = ContainerRuntime::kPodman;
constexpr auto kUnknown = ContainerRuntime::kUnknown;

// Stand for ids in the paths below.
const std::string kId = "4d5f5b1e0a9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e";
const std::string kOuterId = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const std::string kUid = "8dbc1402-1f2e-4c3d-9a8b-7c6d5e4f3a2b";
const std::string kSlicedUid = "8dbc1402_1f2e_4c3d_9a8b_7c6d5e4f3a2b";
const std::string kStaticUid = "7f1e2d3c4b5a69788796a5b4c3d2e1f0";

std::string Filled(std::string path) {
  for (const auto& [mark, text] :
       {std::pair{"ID", kId}, std::pair{"OUTER", kOuterId}, std::pair{"UID_", kSlicedUid},
        std::pair{"UID", kUid}, std::pair{"STATIC", kStaticUid}}) {
    const std::string whole = "<" + std::string(mark) + ">";
    for (std::size_t at = path.find(whole); at != std::string::npos; at = path.find(whole)) {
      path.replace(at, whole.size(), text);
    }
  }
  return path;
}

struct Case {
  const char* what;
  const char* path;
  ContainerRuntime runtime = kUnknown;
  const char* id = "";
  const char* uid = "";
  PodQos qos = PodQos::kUnknown;
  const char* outer = "";

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.what; }
};

class CgroupPathTest : public ::testing::TestWithParam<Case> {};

TEST_P(CgroupPathTest, Identify) {
  const std::string path = Filled(GetParam().path);
  const CgroupIdentity identity = IdentifyCgroup(path);
  EXPECT_EQ(identity.runtime, GetParam().runtime);
  EXPECT_EQ(identity.container_id, Filled(GetParam().id));
  EXPECT_EQ(identity.pod_uid, Filled(GetParam().uid));
  EXPECT_EQ(identity.qos, GetParam().qos);
  EXPECT_EQ(identity.outer_path, Filled(GetParam().outer));
  EXPECT_EQ(identity.found(), *GetParam().id != '\0' || *GetParam().uid != '\0');
}

constexpr auto kGuaranteed = PodQos::kGuaranteed;
constexpr auto kBurstable = PodQos::kBurstable;
constexpr auto kBestEffort = PodQos::kBestEffort;

const std::vector<Case> kKubernetes = {
    {"containerd, systemd, burstable",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<UID_>.slice/"
     "cri-containerd-<ID>.scope",
     kContainerd, "<ID>", "<UID>", kBurstable},
    {"containerd, systemd, best effort",
     "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<UID_>.slice/"
     "cri-containerd-<ID>.scope",
     kContainerd, "<ID>", "<UID>", kBestEffort},
    {"containerd, systemd, guaranteed",
     "/kubepods.slice/kubepods-pod<UID_>.slice/cri-containerd-<ID>.scope", kContainerd, "<ID>",
     "<UID>", kGuaranteed},
    {"containerd set up for systemd, started without",
     "/system.slice/containerd.service/"
     "kubepods-burstable-pod<UID_>.slice:cri-containerd:<ID>",
     kContainerd, "<ID>", "<UID>", kBurstable},
    {"the same at the root", "/kubepods-pod<UID_>.slice:cri-containerd:<ID>", kContainerd, "<ID>",
     "<UID>", kGuaranteed},
    {"the same below the slice",
     "/kubepods-besteffort.slice/kubepods-besteffort-pod<UID_>.slice/"
     "kubepods-besteffort-pod<UID_>.slice:cri-containerd:<ID>",
     kContainerd, "<ID>", "<UID>", kBestEffort},
    {"the same of CRI-O", "/system.slice/kubepods-besteffort-pod<UID_>.slice:crio:<ID>", kCrio,
     "<ID>", "<UID>", kBestEffort},
    {"containerd with crun's leaf",
     "/kubepods.slice/kubepods-pod<UID_>.slice/cri-containerd-<ID>.scope/container", kContainerd,
     "<ID>", "<UID>", kGuaranteed},
    {"kubelet with a root of its own, systemd",
     "/nodes.slice/nodes-kubepods.slice/nodes-kubepods-burstable.slice/"
     "nodes-kubepods-burstable-pod<UID_>.slice/cri-containerd-<ID>.scope",
     kContainerd, "<ID>", "<UID>", kBurstable},
    {"systemd within the container, cgroupfs",
     "/kubepods/burstable/pod<UID>/<ID>/system.slice/ssh.service", kUnknown, "<ID>", "<UID>",
     kBurstable},
    {"cgroupfs, burstable", "/kubepods/burstable/pod<UID>/<ID>", kUnknown, "<ID>", "<UID>",
     kBurstable},
    {"cgroupfs, best effort", "/kubepods/besteffort/pod<UID>/<ID>", kUnknown, "<ID>", "<UID>",
     kBestEffort},
    {"cgroupfs, guaranteed", "/kubepods/pod<UID>/<ID>", kUnknown, "<ID>", "<UID>", kGuaranteed},
    {"static pod, cgroupfs", "/kubepods/burstable/pod<STATIC>/<ID>", kUnknown, "<ID>", "<STATIC>",
     kBurstable},
    {"static pod, systemd",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<STATIC>.slice/"
     "cri-containerd-<ID>.scope",
     kContainerd, "<ID>", "<STATIC>", kBurstable},
    {"CRI-O, systemd",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<UID_>.slice/crio-<ID>.scope",
     kCrio, "<ID>", "<UID>", kBurstable},
    {"CRI-O with crun's leaf", "/kubepods.slice/kubepods-pod<UID_>.slice/crio-<ID>.scope/container",
     kCrio, "<ID>", "<UID>", kGuaranteed},
    {"CRI-O, cgroupfs", "/kubepods/besteffort/pod<UID>/crio-<ID>", kCrio, "<ID>", "<UID>",
     kBestEffort},
    {"CRI-O's monitor is in the pod only",
     "/kubepods.slice/kubepods-pod<UID_>.slice/crio-conmon-<ID>.scope", kUnknown, "", "<UID>",
     kGuaranteed},
    {"CRI-O's monitor, cgroupfs", "/kubepods/burstable/pod<UID>/crio-conmon-<ID>", kUnknown, "",
     "<UID>", kBurstable},
    {"cri-dockerd, systemd",
     "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<UID_>.slice/"
     "docker-<ID>.scope",
     kDocker, "<ID>", "<UID>", kBurstable},
    {"the pod itself", "/kubepods/burstable/pod<UID>", kUnknown, "", "<UID>", kBurstable},
    {"the pod itself, systemd", "/kubepods.slice/kubepods-pod<UID_>.slice", kUnknown, "", "<UID>",
     kGuaranteed},
    {"systemd within the container",
     "/kubepods.slice/kubepods-pod<UID_>.slice/cri-containerd-<ID>.scope/system.slice/ssh.service",
     kContainerd, "<ID>", "<UID>", kGuaranteed},
    {"init.scope within the container",
     "/kubepods.slice/kubepods-pod<UID_>.slice/cri-containerd-<ID>.scope/init.scope", kContainerd,
     "<ID>", "<UID>", kGuaranteed},
    {"below another root", "/some/root/kubepods/pod<UID>/<ID>", kUnknown, "<ID>", "<UID>",
     kGuaranteed},
};
INSTANTIATE_TEST_SUITE_P(Kubernetes, CgroupPathTest, ::testing::ValuesIn(kKubernetes));

const std::vector<Case> kContainers = {
    {"Docker, cgroupfs", "/docker/<ID>", kDocker, "<ID>"},
    {"Docker, systemd", "/system.slice/docker-<ID>.scope", kDocker, "<ID>"},
    {"Docker, another parent", "/jobs.slice/docker-<ID>.scope", kDocker, "<ID>"},
    {"Docker with systemd inside", "/system.slice/docker-<ID>.scope/init.scope", kDocker, "<ID>"},
    {"Docker set up for systemd, started without", "/system.slice/system.slice:docker:<ID>",
     kDocker, "<ID>"},
    {"Docker with systemd inside, cgroupfs", "/docker/<ID>/system.slice/ssh.service", kDocker,
     "<ID>"},
    {"rootless Docker, cgroupfs",
     "/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service/docker/<ID>", kDocker,
     "<ID>"},
    {"rootless Docker",
     "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-<ID>.scope", kDocker, "<ID>"},
    {"ECS", "/ecs/0123456789abcdef0123456789abcdef/<ID>", kDocker, "<ID>"},
    {"ECS, systemd",
     "/ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice/docker-<ID>.scope", kDocker,
     "<ID>"},
    {"nerdctl, systemd", "/system.slice/nerdctl-<ID>.scope", kContainerd, "<ID>"},
    {"rootless nerdctl",
     "/user.slice/user-1000.slice/user@1000.service/user.slice/nerdctl-<ID>.scope", kContainerd,
     "<ID>"},
    {"Podman, systemd", "/machine.slice/libpod-<ID>.scope", kPodman, "<ID>"},
    {"Podman with crun's leaf", "/machine.slice/libpod-<ID>.scope/container", kPodman, "<ID>"},
    {"rootless Podman",
     "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<ID>.scope/container",
     kPodman, "<ID>"},
    {"Podman, cgroupfs", "/libpod_parent/libpod-<ID>", kPodman, "<ID>"},
    {"Podman's pod, cgroupfs", "/libpod_parent/<OUTER>/libpod-<ID>", kPodman, "<ID>"},
    {"Podman in a unit, with crun's leaf",
     "/system.slice/web.service/libpod-payload-<ID>/container", kPodman, "<ID>"},
    {"Podman in a unit", "/system.slice/web.service/libpod-payload-<ID>", kPodman, "<ID>"},
    {"Podman's pod", "/machine.slice/machine-libpod_pod_<OUTER>.slice/libpod-<ID>.scope", kPodman,
     "<ID>"},
    {"rootless Podman's pod",
     "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_<OUTER>.slice/"
     "libpod-<ID>.scope/container",
     kPodman, "<ID>"},
    {"Podman with systemd inside", "/machine.slice/libpod-<ID>.scope/container/init.scope", kPodman,
     "<ID>"},
    {"Podman's monitor", "/machine.slice/libpod-conmon-<ID>.scope"},
    {"Podman's monitor, cgroupfs", "/libpod_parent/conmon"},
    {"Podman's monitor in a unit", "/system.slice/web.service/supervisor"},
};
INSTANTIATE_TEST_SUITE_P(Containers, CgroupPathTest, ::testing::ValuesIn(kContainers));

const std::vector<Case> kNested = {
    {"kind, cgroupfs", "/docker/<OUTER>/kubelet/kubepods/burstable/pod<UID>/<ID>", kUnknown, "<ID>",
     "<UID>", kBurstable, "/docker/<OUTER>"},
    {"kind, systemd",
     "/system.slice/docker-<OUTER>.scope/kubelet.slice/kubelet-kubepods.slice/"
     "kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod<UID_>.slice/"
     "cri-containerd-<ID>.scope",
     kContainerd, "<ID>", "<UID>", kBestEffort, "/system.slice/docker-<OUTER>.scope"},
    {"kind, cgroup v1", "/docker/<OUTER>/docker/<OUTER>/kubelet/kubepods/besteffort/pod<UID>/<ID>",
     kUnknown, "<ID>", "<UID>", kBestEffort, "/docker/<OUTER>"},
    {"kind in Podman",
     "/machine.slice/libpod-<OUTER>.scope/container/kubelet.slice/kubelet-kubepods.slice/"
     "kubelet-kubepods-pod<UID_>.slice/cri-containerd-<ID>.scope",
     kContainerd, "<ID>", "<UID>", kGuaranteed, "/machine.slice/libpod-<OUTER>.scope"},
    {"minikube and k3d", "/docker/<OUTER>/kubepods/burstable/pod<UID>/<ID>", kUnknown, "<ID>",
     "<UID>", kBurstable, "/docker/<OUTER>"},
    {"minikube, systemd",
     "/system.slice/docker-<OUTER>.scope/kubepods.slice/kubepods-pod<UID_>.slice/crio-<ID>.scope",
     kCrio, "<ID>", "<UID>", kGuaranteed, "/system.slice/docker-<OUTER>.scope"},
    {"kind's own kubelet", "/docker/<OUTER>/kubelet.slice/kubelet.service", kDocker, "<OUTER>"},
    {"cgroupfs in systemd's Docker", "/system.slice/docker-<OUTER>.scope/docker/<ID>", kDocker,
     "<ID>", "", PodQos::kUnknown, "/system.slice/docker-<OUTER>.scope"},
    {"Docker in Docker's first process", "/docker/<OUTER>/init", kDocker, "<OUTER>"},
    {"Podman in a pod",
     "/kubepods.slice/kubepods-pod<UID_>.slice/crio-<OUTER>.scope/libpod_parent/libpod-<ID>",
     kPodman, "<ID>", "<UID>", kGuaranteed,
     "/kubepods.slice/kubepods-pod<UID_>.slice/crio-<OUTER>.scope"},
    {"Docker in Docker", "/docker/<OUTER>/docker/<ID>", kDocker, "<ID>", "", PodQos::kUnknown,
     "/docker/<OUTER>"},
    {"Docker in a pod", "/kubepods/burstable/pod<UID>/<OUTER>/docker/<ID>", kDocker, "<ID>",
     "<UID>", kBurstable, "/kubepods/burstable/pod<UID>/<OUTER>"},
    {"the node of kind itself", "/docker/<OUTER>/init.scope", kDocker, "<OUTER>"},
};
INSTANTIATE_TEST_SUITE_P(Nested, CgroupPathTest, ::testing::ValuesIn(kNested));

const std::vector<Case> kNothing = {
    {"root", "/"},
    {"empty", ""},
    {"service", "/system.slice/ssh.service"},
    {"user", "/user.slice/user-1000.slice/session-3.scope"},
    {"kubelet", "/system.slice/kubelet.service"},
    {"slices of the kubelet", "/kubepods.slice/kubepods-burstable.slice"},
    {"groups of the kubelet", "/kubepods/burstable"},
    {"LXC", "/lxc/web"},
    {"nspawn", "/machine.slice/systemd-nspawn@web.service/payload"},
    {"an id where nobody says what it is", "/<ID>"},
    {"a namespace of containerd", "/default/<ID>"},
    {"a build step of Docker", "/docker/buildkit/kzsn0wmh3b1hqe2bd2m7gwcxa"},
    {"systemd's slice of another kind", "/system.slice/web.slice:cri-containerd:4d5f5b1e0a9c"},
    {"a slice of no pod, separated", "/kubepods-pod12.slice:cri-containerd:4d5f"},
    {"a pod's slice with a runtime but no id", "/kubepods-pod<UID_>.slice:cri-containerd:"},
    {"a short id", "/docker/4d5f5b1e0a9c"},
    {"a pod outside of the kubelet's", "/pod<UID>/<ID>"},
    {"no UID", "/kubepods/pod1234/<OUTER>"},
    {"UID too long", "/kubepods/pod<UID>0/<OUTER>"},
    {"capital digits", "/docker/4D5F5B1E0A9C8D7E6F5A4B3C2D1E0F9A8B7C6D5E4F3A2B1C0D9E8F7A6B5C4D3E"},
    {"id too long", "/docker/<ID>0"},
    {"a control character in the id", "/docker/\n<ID>"},
    {"another scope", "/system.slice/cri-containerd.scope"},
    {"a scope without an id", "/system.slice/docker-.scope"},
};
INSTANTIATE_TEST_SUITE_P(Nothing, CgroupPathTest, ::testing::ValuesIn(kNothing));

const std::vector<Case> kOdd = {
    {"the same id twice", "/docker/<ID>/docker/<ID>", kDocker, "<ID>"},
    {"no slash in front", "docker/<ID>"},
    {"two slashes in front", "//docker/<ID>"},
    {"two slashes before the id", "/docker//<ID>"},
    {"two slashes behind the id", "/docker/<ID>//init.scope"},
    {"a slash at the end", "/docker/<ID>/"},
    {"control characters around", "/a\x1b[2J\x7f\r/docker/<ID>/b\x07", kDocker, "<ID>"},
    {"no UTF-8 around", "/\xff\xfe/docker/<ID>/\xc3", kDocker, "<ID>"},
};
INSTANTIATE_TEST_SUITE_P(Odd, CgroupPathTest, ::testing::ValuesIn(kOdd));

TEST(CgroupPath, Identify_OfLongPaths_LooksAtEachByteOnce) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "/a";
  }
  EXPECT_EQ(IdentifyCgroup(deep + "/docker/" + kId).container_id, kId);
  EXPECT_FALSE(IdentifyCgroup(std::string(1 << 20, '/')).found());
  EXPECT_FALSE(IdentifyCgroup(std::string(1 << 20, 'x')).found());
  EXPECT_FALSE(IdentifyCgroup("/" + std::string(1 << 20, 'x')).found());
  EXPECT_FALSE(IdentifyCgroup("/" + std::string(1 << 20, ':')).found());
}

}  // namespace
}  // namespace masflow::internal
