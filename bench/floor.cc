// SPDX-License-Identifier: Apache-2.0
//
// The least that watching costs: programs that do nothing at the hooks of a stream, or that send a
// record of so many bytes through a ring to a reader that throws it away. Beside MasFlow in
// bench/live.py. Needs root.
//
//   masflow_floor <bytes of a record; 0: no ring> <raw tracepoint>...
//
// Says "ready" on stderr; on SIGINT or SIGTERM, how many records there were.
#include <linux/bpf.h>
#include <signal.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "instructions.h"
#include "loopback.h"

namespace {

using namespace masflow_bench;

constexpr int kRingBytes = 8 << 20;

volatile sig_atomic_t stopped = 0;

// Reserves a record, if there is a ring, and submits it as it is.
std::vector<bpf_insn> Program(int ring, int bytes) {
  std::vector<bpf_insn> program;
  if (bytes > 0) {
    program = {SetToMap(BPF_REG_1, BPF_PSEUDO_MAP_FD, ring),
               {},
               Set(BPF_REG_2, bytes),
               Set(BPF_REG_3, 0),
               Call(BPF_FUNC_ringbuf_reserve),
               Instruction(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 3, 0),
               Copy(BPF_REG_1, BPF_REG_0),
               Set(BPF_REG_2, 0),
               Call(BPF_FUNC_ringbuf_submit)};
  }
  program.push_back(Set(BPF_REG_0, 0));
  program.push_back(Exit());
  return program;
}

void Attach(const std::vector<bpf_insn>& program, const char* tracepoint) {
  const int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "mf_floor", "GPL", program.data(),
                               program.size(), nullptr);
  if (fd < 0 || bpf_raw_tracepoint_open(tracepoint, fd) < 0) {
    Die("cannot load and attach the program");
  }
}

int Count(void* records, void*, std::size_t) {
  ++*static_cast<unsigned long long*>(records);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int bytes = argc > 2 ? std::atoi(argv[1]) : -1;
  if (bytes < 0) {
    Die("usage: masflow_floor <bytes of a record; 0: no ring> <raw tracepoint>...");
  }
  const int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "mf_floor", 0, 0, kRingBytes, nullptr);
  unsigned long long records = 0;
  ring_buffer* const reader = ring_buffer__new(ring, Count, &records, nullptr);
  if (reader == nullptr) {
    Die("cannot make a ring");
  }
  for (int i = 2; i < argc; ++i) {
    Attach(Program(ring, bytes), argv[i]);
  }
  struct sigaction stop {};
  stop.sa_handler = [](int) { stopped = 1; };
  sigaction(SIGINT, &stop, nullptr);
  sigaction(SIGTERM, &stop, nullptr);
  std::fprintf(stderr, "ready\n");
  while (stopped == 0) {
    ring_buffer__poll(reader, 1000);
  }
  ring_buffer__consume(reader);
  std::fprintf(stderr, "%llu records\n", records);
}
