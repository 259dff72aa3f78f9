// SPDX-License-Identifier: Apache-2.0
//
// The user-space half of a process event, without a kernel: a recording through decoder,
// stream and callback, and an event as a line.
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include <benchmark/benchmark.h>

#include <masflow/masflow.h>
#include <masflow/testing/fake_source.h>

namespace {

constexpr int kRecords = 100'000;

masflow::ProcessExec SomeExec() {
  masflow::ProcessExec exec;
  exec.process = {.id = {.pid = 4242, .start = std::chrono::seconds(1000)},
                  .parent = {.pid = 4000, .start = std::chrono::seconds(900)},
                  .uid = 1000,
                  .gid = 1000,
                  .cgroup_id = 123456,
                  .comm = "ls"};
  exec.tid = 4242;
  exec.filename = "/usr/bin/ls";
  exec.executable = "/usr/bin/ls";
  exec.args = std::string("ls\0-la\0/home/somebody/project\0", 30);
  exec.args_total_bytes = 30;
  return exec;
}

template <class Result>
Result ValueOrExit(absl::StatusOr<Result> result) {
  if (!result.ok()) {
    std::cerr << result.status() << '\n';
    std::exit(1);
  }
  return *std::move(result);
}

// A recording of execs, alive as long as the program.
const std::string& Recording() {
  static const std::string* const path = [] {
    char name[] = "/tmp/masflow-bench-XXXXXX";
    close(mkstemp(name));
    masflow::testing::FakeSource fake;
    auto session =
        ValueOrExit(masflow::Session::Create({.source = fake.source(), .record_to = name}));
    auto processes = ValueOrExit(masflow::ProcessStream::Open(session));
    for (int i = 0; i < kRecords; ++i) {
      fake.Push(SomeExec());
    }
    fake.End();
    while (!session.Drain(kRecords).ended) {
    }
    static std::string kept = name;
    std::atexit([] { unlink(kept.c_str()); });
    return &kept;
  }();
  return *path;
}

// Recorded bytes to typed callback.
void BM_ReplayExec(benchmark::State& state) {
  for (auto _ : state) {
    auto session =
        ValueOrExit(masflow::Session::Create({.source = masflow::Replay{.path = Recording()}}));
    auto processes = ValueOrExit(masflow::ProcessStream::Open(session));
    std::uint64_t bytes = 0;
    processes.OnExec([&](const masflow::ProcessExecView& e) { bytes += e.executable->size(); });
    while (!session.Drain(256).ended) {
    }
    benchmark::DoNotOptimize(bytes);
  }
  state.SetItemsProcessed(state.iterations() * kRecords);
}
BENCHMARK(BM_ReplayExec)->Unit(benchmark::kMillisecond);

void BM_TextExec(benchmark::State& state) {
  const masflow::ProcessExec event = SomeExec();
  std::string line;
  for (auto _ : state) {
    line.clear();
    masflow::AppendText(masflow::View(event), masflow::WallTime(), {}, &line);
    benchmark::DoNotOptimize(line);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_TextExec);

void BM_JsonExec(benchmark::State& state) {
  const masflow::ProcessExec event = SomeExec();
  std::string line;
  for (auto _ : state) {
    line.clear();
    masflow::AppendJson(masflow::View(event), masflow::WallTime(), &line);
    benchmark::DoNotOptimize(line);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_JsonExec);

}  // namespace
