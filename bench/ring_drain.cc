// SPDX-License-Identifier: Apache-2.0
//
// What it takes to get records out of a ring of the kernel: to typed callbacks, and as libbpf hands
// them to a function that only counts. Needs root.
//
//   masflow_ring_drain [rounds]
//
// The ring is filled with one record of a kind, over and over, and emptied by each in turn. Prints
// for each kind its size, both rates, and the median and quartiles of their ratio.
#include <linux/bpf.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/ring_reader.h"
#include "core/session_core.h"
#include "instructions.h"
#include "loopback.h"
#include "process/process_stream_core.h"
#include "tcp/tcp_stream_core.h"
#include "wire/process_encode.h"
#include "wire/tcp_encode.h"

namespace {

using namespace masflow_bench;
using masflow::internal::RecordBytes;
using masflow::internal::RecordSink;
using masflow::internal::RingReader;
using Clock = std::chrono::steady_clock;

constexpr int kRingBytes = 8 << 20;
constexpr int kRecordsOfARun = 64;

// A ring, and a program that puts a record into it.
class Ring {
 public:
  explicit Ring(const std::vector<std::byte>& record)
      : map_(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "mf_drain", 0, 0, kRingBytes, nullptr)),
        record_size_(static_cast<int>(record.size())) {
    const int value = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mf_record", sizeof(int),
                                     static_cast<__u32>(record.size()), 1, nullptr);
    const int zero = 0;
    if (map_ < 0 || value < 0 || bpf_map_update_elem(value, &zero, record.data(), 0) != 0) {
      Die("cannot make the maps");
    }
    std::vector<bpf_insn> program;
    for (int i = 0; i < kRecordsOfARun; ++i) {
      program.insert(program.end(), {SetToMap(BPF_REG_1, BPF_PSEUDO_MAP_FD, map_),
                                     {},
                                     SetToMap(BPF_REG_2, BPF_PSEUDO_MAP_VALUE, value),
                                     {},
                                     Set(BPF_REG_3, record_size_),
                                     Set(BPF_REG_4, BPF_RB_NO_WAKEUP),
                                     Call(BPF_FUNC_ringbuf_output)});
    }
    program.push_back(Set(BPF_REG_0, 0));
    program.push_back(Exit());
    program_ = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "mf_fill", "GPL", program.data(),
                             program.size(), nullptr);
    if (program_ < 0) {
      Die("cannot load the program");
    }
  }

  int map() const { return map_; }

  // How many there are then.
  int Fill() const {
    constexpr int kSlotHeader = 8;
    const int runs = kRingBytes / (record_size_ + 2 * kSlotHeader) / kRecordsOfARun;
    for (int i = 0; i < runs; ++i) {
      LIBBPF_OPTS(bpf_test_run_opts, run);
      if (bpf_prog_test_run_opts(program_, &run) != 0) {
        Die("cannot run the program");
      }
    }
    return runs * kRecordsOfARun;
  }

 private:
  const int map_;
  const int record_size_;
  int program_ = -1;
};

int Count(void* records, void*, std::size_t) {
  ++*static_cast<int*>(records);
  return 0;
}

// To one stream, as SessionCore does.
class Sink final : public RecordSink {
 public:
  explicit Sink(masflow::internal::StreamSink* stream) : stream_(stream) {}
  Verdict OnRecord(masflow::StreamKind, RecordBytes record) override {
    return stream_->OnRecord(record);
  }
  void OnLoss(const masflow::Loss&) override {}
  Verdict OnCaughtUp(masflow::StreamKind) override { return Verdict::kContinue; }
  void OnWorkload(RecordBytes) override {}

 private:
  masflow::internal::StreamSink* const stream_;
};

struct Kind {
  std::string name;
  masflow::StreamKind stream;
  std::vector<std::byte> record;
  std::function<std::unique_ptr<masflow::internal::StreamSink>(int* events)> open;
};

// Records a second.
template <class Drain>
double Rate(const Ring& ring, const int& got, Drain drain) {
  const int due = got + ring.Fill();
  const int filled = due - got;
  const Clock::time_point begin = Clock::now();
  drain();
  const std::chrono::duration<double> took = Clock::now() - begin;
  if (got != due) {
    Die("records are missing");
  }
  return filled / took.count();
}

void Report(const Kind& kind, int rounds) {
  const Ring ring(kind.record);
  int counted = 0;
  int events = 0;
  ring_buffer* const bare = ring_buffer__new(ring.map(), Count, &counted, nullptr);
  mf_ring_state state{};
  auto reader = RingReader::Create(kind.stream, ring.map(), kRingBytes, &state);
  if (bare == nullptr || !reader.ok()) {
    Die("cannot map the ring");
  }
  const auto stream = kind.open(&events);
  Sink sink(stream.get());
  const auto drain = [&] {
    (*reader)->MarkEnd();
    (*reader)->Drain(SIZE_MAX, sink, [] {});
  };
  std::vector<double> ratios;
  double fastest = 0;
  double fastest_bare = 0;
  for (int i = 0; i < rounds; ++i) {
    const double without = Rate(ring, counted, [&] { ring_buffer__consume(bare); });
    const double with = Rate(ring, events, drain);
    fastest = std::max(fastest, with);
    fastest_bare = std::max(fastest_bare, without);
    ratios.push_back(with / without);
  }
  std::sort(ratios.begin(), ratios.end());
  const auto at = [&](std::size_t quarter) { return ratios[(ratios.size() - 1) * quarter / 4]; };
  std::printf("%-8s %4zu B  %6.1f M/s, bare ring %6.1f M/s, ratio %.2f (%.2f to %.2f)\n",
              kind.name.c_str(), kind.record.size(), fastest / 1e6, fastest_bare / 1e6, at(2),
              at(1), at(3));
  ring_buffer__free(bare);
}

masflow::Process SomeProcess() {
  return {.id = {.pid = 4242, .start = std::chrono::seconds(1000)}, .uid = 1000, .comm = "ls"};
}

// `arguments`: what the stream takes besides its session.
template <class Stream, class View, class Event, class... Arguments>
Kind KindOf(std::string name, masflow::StreamKind kind, const Event& event,
            Arguments... arguments) {
  return {std::move(name), kind, masflow::internal::EncodeRecord(event), [=](int* events) {
            auto stream = std::make_unique<Stream>(
                std::make_shared<masflow::internal::SessionCore>(nullptr), arguments...);
            stream->template SetCallback<View>([=](const auto&) { ++*events; });
            return stream;
          }};
}

Kind ExecKind() {
  masflow::ProcessExec exec;
  exec.process = SomeProcess();
  exec.filename = "/usr/bin/ls";
  exec.executable = "/usr/bin/ls";
  exec.args = std::string("ls\0-la\0", 7) + std::string(100, 'p') + '\0';
  exec.args_total_bytes = static_cast<std::uint32_t>(exec.args->size());
  return KindOf<masflow::internal::ProcessStreamCore, masflow::ProcessExecView>(
      "exec", masflow::StreamKind::kProcess, exec, /*snapshot=*/false);
}

Kind ExitKind() {
  masflow::ProcessExit exit;
  exit.process = SomeProcess();
  return KindOf<masflow::internal::ProcessStreamCore, masflow::ProcessExitView>(
      "exit", masflow::StreamKind::kProcess, exit, /*snapshot=*/false);
}

Kind CloseKind() {
  masflow::TcpClose close;
  close.connection.owner = SomeProcess();
  return KindOf<masflow::internal::TcpStreamCore, masflow::TcpCloseView>(
      "close", masflow::StreamKind::kTcp, close);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 30;
  for (const Kind& kind : {ExitKind(), CloseKind(), ExecKind()}) {
    Report(kind, rounds);
  }
}
