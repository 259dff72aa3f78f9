// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a record of a cgroup or of names, and through the tables that these fill.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "masflow_bpf/wire.h"
#include "record_fuzz.h"
#include "wire/workload_record.h"
#include "workload/workload_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace masflow::internal;
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  std::vector<std::byte> record(bytes, bytes + size);
  if (size >= sizeof(mf_header)) {
    // The right size, which no fuzzer guesses: else all ends at the header.
    const auto whole = static_cast<std::uint32_t>(size);
    std::memcpy(record.data() + offsetof(mf_header, size), &whole, sizeof(whole));
  }
  const auto news = DecodeWorkload(record);
  if (!news.has_value()) {
    return 0;
  }
  const std::vector<std::byte> again = EncodeWorkload(*news);
  const auto twice = DecodeWorkload(again);
  Require(twice.has_value(), "what was encoded does not decode");
  Require(EncodeWorkload(*twice) == again, "encoded and decoded again it is something else");
  WorkloadTable table;
  std::vector<std::uint64_t> changed;
  table.Apply(*news, &changed);
  table.Apply(*twice, &changed);
  for (const std::uint64_t id : changed) {
    Require(table.Find(id).known, "changed but not known");
  }
  return 0;
}
