// SPDX-License-Identifier: Apache-2.0
//
// A host that takes names from a kubelet: here from a place where nobody listens.
#include <cstdio>

#include <masflow/kubernetes.h>
#include <masflow/masflow.h>

int main() {
  const auto wrong = masflow::MakeKubeletSource({.url = "here"});
  const auto source = masflow::MakeKubeletSource({.url = "http://127.0.0.1:1"});
  if (wrong.ok() || !source.ok()) {
    std::puts("an address is judged wrongly");
    return 1;
  }
  masflow::WorkloadOptions workloads;
  workloads.sources.push_back(*source);
  std::printf("%s\n", (*source)->name().c_str());
  return (*source)->name() == "kubelet http://127.0.0.1:1" ? 0 : 1;
}
