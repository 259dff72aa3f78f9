// SPDX-License-Identifier: Apache-2.0
//
// The user-space half of an event, without a kernel: a recording through decoder, joins and
// callback, and an event as a line. On the way from record to callback nothing may be allocated.
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <new>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>

#include <masflow/masflow.h>
#include <masflow/testing/fake_source.h>

namespace {

std::atomic<std::uint64_t> allocations{0};

}  // namespace

// Not inlined, for GCC 12 warns of free() where it sees only one of the two.
__attribute__((noinline)) void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(size)) {
    return memory;
  }
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kEvents = 50'000;

template <class Result>
Result ValueOrExit(absl::StatusOr<Result> result) {
  if (!result.ok()) {
    std::cerr << result.status() << '\n';
    std::exit(1);
  }
  return *std::move(result);
}

masflow::Process SomeProcess() {
  return {.id = {.pid = 4242, .start = std::chrono::seconds(1000)},
          .parent = {.pid = 4000, .start = std::chrono::seconds(900)},
          .uid = 1000,
          .gid = 1000,
          .cgroup_id = 123456,
          .comm = "ls"};
}

masflow::ProcessExec SomeExec() {
  masflow::ProcessExec exec;
  exec.process = SomeProcess();
  exec.tid = 4242;
  exec.filename = "/usr/bin/ls";
  exec.executable = "/usr/bin/ls";
  exec.args = std::string("ls\0-la\0/home/somebody/project\0", 30);
  exec.args_total_bytes = 30;
  return exec;
}

masflow::Connection SomeConnection() {
  masflow::Connection connection;
  connection.id = {.birth = masflow::KernelTime(std::chrono::seconds(1000)), .tag = 4711};
  connection.local = {.address = {.bytes = {192, 0, 2, 1}}, .port = 41234};
  connection.remote = {.address = {.bytes = {198, 51, 100, 7}}, .port = 443};
  connection.role = masflow::TcpRole::kClient;
  connection.owner = SomeProcess();
  return connection;
}

masflow::TcpConnect SomeConnect() {
  return {.connection = SomeConnection()};
}

masflow::TcpClose SomeClose() {
  return {.connection = SomeConnection()};
}

masflow::HttpExchange SomeExchange() {
  masflow::HttpExchange exchange;
  exchange.connection = SomeConnection();
  exchange.method = "GET";
  exchange.target = "/api/v1/items/12345?full=1";
  exchange.host = "api.example.com";
  exchange.version_minor = 1;
  exchange.status = 200;
  exchange.first_byte = microseconds(3214);
  exchange.last_byte = microseconds(3300);
  return exchange;
}

// A file of `events` events, which goes with the object.
class Recording {
 public:
  template <class Event>
  Recording(int events, const Event& event) {
    char name[] = "/tmp/masflow-bench-XXXXXX";
    close(mkstemp(name));
    path_ = name;
    masflow::testing::FakeSource fake;
    auto session =
        ValueOrExit(masflow::Session::Create({.source = fake.source(), .record_to = path_}));
    const auto processes = ValueOrExit(masflow::ProcessStream::Open(session));
    const auto connections = ValueOrExit(masflow::TcpStream::Open(session));
    const auto exchanges = ValueOrExit(masflow::HttpStream::Open(session));
    for (int i = 0; i < events; ++i) {
      fake.Push(event);
    }
    fake.End();
    while (!session.Drain(100'000).ended) {
    }
  }
  ~Recording() { std::filesystem::remove(path_); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Recorded bytes to typed callback; `open` sets it, and returns what keeps the stream open.
template <class Open>
void Replay(benchmark::State& state, const Recording& recording, const Open& open) {
  std::uint64_t allocated = 0;
  for (auto _ : state) {
    std::uint64_t bytes = 0;
    auto session = ValueOrExit(
        masflow::Session::Create({.source = masflow::Replay{.path = recording.path()}}));
    const auto stream = open(&session, &bytes);
    session.Drain(10'000);  // from here on there is all that it needs
    const std::uint64_t before = allocations;
    while (!session.Drain(256).ended) {
    }
    allocated += allocations - before;
    benchmark::DoNotOptimize(bytes);
  }
  state.SetItemsProcessed(state.iterations() * kEvents);
  if (allocated > static_cast<std::uint64_t>(state.iterations()) * 16) {  // of the end of a file
    state.SkipWithError("memory is allocated on the way from record to callback");
  }
}

void BM_ReplayExec(benchmark::State& state) {
  static const Recording recording(kEvents, SomeExec());
  Replay(state, recording, [](masflow::Session* session, std::uint64_t* bytes) {
    auto stream = ValueOrExit(masflow::ProcessStream::Open(*session));
    stream.OnExec([=](const auto& event) { *bytes += event.executable->size(); });
    return stream;
  });
}
BENCHMARK(BM_ReplayExec)->Unit(benchmark::kMillisecond);

void BM_ReplayConnect(benchmark::State& state) {
  static const Recording recording(kEvents, SomeConnect());
  Replay(state, recording, [](masflow::Session* session, std::uint64_t* bytes) {
    auto stream = ValueOrExit(masflow::TcpStream::Open(*session));
    stream.OnConnect([=](const auto& event) { *bytes += event.connection.remote.port; });
    return stream;
  });
}
BENCHMARK(BM_ReplayConnect)->Unit(benchmark::kMillisecond);

// Of four records each: a connection, request, response, the end. As each is the only one of its
// connection, an entry of a table is made and removed.
void BM_ReplayExchange(benchmark::State& state) {
  static const Recording recording(kEvents, SomeExchange());
  std::uint64_t exchanges = 0;
  for (auto _ : state) {
    auto session = ValueOrExit(
        masflow::Session::Create({.source = masflow::Replay{.path = recording.path()}}));
    auto stream = ValueOrExit(masflow::HttpStream::Open(session));
    stream.OnExchange([&](const auto&) { ++exchanges; });
    while (!session.Drain(256).ended) {
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(exchanges));
}
BENCHMARK(BM_ReplayExchange)->Unit(benchmark::kMillisecond);

template <class Event>
void Text(benchmark::State& state, const Event& event) {
  std::string line;
  for (auto _ : state) {
    line.clear();
    masflow::AppendText(masflow::View(event), masflow::WallTime(), {}, &line);
    benchmark::DoNotOptimize(line);
  }
  state.SetItemsProcessed(state.iterations());
}

template <class Event>
void Json(benchmark::State& state, const Event& event) {
  std::string line;
  for (auto _ : state) {
    line.clear();
    masflow::AppendJson(masflow::View(event), masflow::WallTime(), &line);
    benchmark::DoNotOptimize(line);
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(Text, exec, SomeExec());
BENCHMARK_CAPTURE(Text, connect, SomeConnect());
BENCHMARK_CAPTURE(Text, close, SomeClose());
BENCHMARK_CAPTURE(Text, exchange, SomeExchange());
BENCHMARK_CAPTURE(Json, exec, SomeExec());
BENCHMARK_CAPTURE(Json, connect, SomeConnect());
BENCHMARK_CAPTURE(Json, close, SomeClose());
BENCHMARK_CAPTURE(Json, exchange, SomeExchange());

}  // namespace
