// SPDX-License-Identifier: Apache-2.0
//
// What the workload of an event costs: the look-up that each event pays, by the number of
// cgroups, and the path and names that a new cgroup pays.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "masflow/events.h"
#include "wire/workload_record.h"
#include "workload/attribution.h"
#include "workload/cgroup_path.h"

namespace masflow::internal {
namespace {

std::string Uid(std::uint64_t n) {
  char text[64];
  std::snprintf(text, sizeof(text), "8dbc1402-1f2e-4c3d-9a8b-%012llx",
                static_cast<unsigned long long>(n));
  return text;
}

std::string Path(std::uint64_t n) {
  char id[80];
  std::snprintf(id, sizeof(id), "%064llx", static_cast<unsigned long long>(n));
  std::string uid = Uid(n);
  for (char& c : uid) {
    c = c == '-' ? '_' : c;
  }
  return "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uid +
         ".slice/cri-containerd-" + id + ".scope";
}

void Fill(Attribution* attribution, std::uint64_t cgroups) {
  for (std::uint64_t n = 1; n <= cgroups; ++n) {
    attribution->OnNews(EncodeWorkload(PodNames{.uid = Uid(n),
                                                .pod_namespace = "default",
                                                .name = "web-" + std::to_string(n),
                                                .from = NamesFrom::kPodLogs}));
    const std::string path = Path(n);
    attribution->OnNews(EncodeWorkload(CgroupMade{.id = n, .path = path}));
  }
}

void BM_AttributeEvent(benchmark::State& state) {
  const auto cgroups = static_cast<std::uint64_t>(state.range(0));
  Attribution attribution({}, [](std::uint64_t, bool) {});
  Fill(&attribution, cgroups);
  ProcessExecView exec;
  std::uint64_t random = 1;
  for (auto _ : state) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    exec.process.cgroup_id = (random >> 33) % cgroups + 1;
    benchmark::DoNotOptimize(attribution.Attribute(&exec));
    benchmark::DoNotOptimize(exec.process.workload);
  }
}
BENCHMARK(BM_AttributeEvent)->Arg(100)->Arg(1'000)->Arg(10'000);

void BM_IdentifyCgroup(benchmark::State& state) {
  const std::string path = Path(7);
  for (auto _ : state) {
    benchmark::DoNotOptimize(IdentifyCgroup(path));
  }
}
BENCHMARK(BM_IdentifyCgroup);

void BM_NewContainerOfNamedPod(benchmark::State& state) {
  std::vector<std::byte> pod = EncodeWorkload(PodNames{
      .uid = Uid(1), .pod_namespace = "default", .name = "web-1", .from = NamesFrom::kPodLogs});
  std::uint64_t id = 0;
  Attribution attribution({}, [](std::uint64_t, bool) {});
  attribution.OnNews(pod);
  const std::string path = Path(1);
  for (auto _ : state) {
    attribution.OnNews(EncodeWorkload(CgroupMade{.id = ++id, .path = path}));
    attribution.OnNews(EncodeWorkload(CgroupGone{.id = id}));
  }
}
BENCHMARK(BM_NewContainerOfNamedPod);

}  // namespace
}  // namespace masflow::internal
