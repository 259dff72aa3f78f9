// SPDX-License-Identifier: Apache-2.0
//
// Programs for the kernel, instruction by instruction: those of the benchmarks are short.
#ifndef MASFLOW_BENCH_INSTRUCTIONS_H_
#define MASFLOW_BENCH_INSTRUCTIONS_H_

#include <linux/bpf.h>

namespace masflow_bench {

inline bpf_insn Instruction(int code, int to, int from, int offset, int value) {
  return {.code = static_cast<__u8>(code),
          .dst_reg = static_cast<__u8>(to & 15),
          .src_reg = static_cast<__u8>(from & 15),
          .off = static_cast<__s16>(offset),
          .imm = value};
}

inline bpf_insn Set(int to, int value) {
  return Instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}

inline bpf_insn Copy(int to, int from) {
  return Instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

inline bpf_insn Call(int helper) {
  return Instruction(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

// `kind`: BPF_PSEUDO_MAP_FD, or BPF_PSEUDO_MAP_VALUE of an array of one. An empty one has to
// follow.
inline bpf_insn SetToMap(int to, int kind, int map) {
  return Instruction(BPF_LD | BPF_DW | BPF_IMM, to, kind, 0, map);
}

inline bpf_insn Exit() {
  return Instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

}  // namespace masflow_bench

#endif  // MASFLOW_BENCH_INSTRUCTIONS_H_
