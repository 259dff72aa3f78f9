// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a recording, replayed with filters that look into every record.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "core/record_source.h"
#include "core/unique_fd.h"
#include "replay/replay_source.h"
#include "wire/process_record.h"
#include "wire/tcp_record.h"
#include "wire/workload_record.h"

namespace {

using masflow::internal::MakeReplaySource;
using masflow::internal::RecordBytes;
using masflow::internal::RecordSink;
using masflow::internal::UniqueFd;

class DecodingSink : public RecordSink {
 public:
  Verdict OnRecord(masflow::StreamKind stream, RecordBytes record) override {
    if (stream == masflow::StreamKind::kTcp) {
      tcp_.Decode(record);
    } else {
      processes_.Decode(record);
    }
    return Verdict::kContinue;
  }
  void OnLoss(const masflow::Loss&) override {}
  void OnWorkload(RecordBytes news) override { masflow::internal::DecodeWorkload(news); }
  Verdict OnCaughtUp(masflow::StreamKind) override { return Verdict::kContinue; }

 private:
  masflow::internal::ProcessDecoder processes_;
  masflow::internal::TcpDecoder tcp_;
};

// A process has one file, emptied for each input: making one costs more than all the rest.
const UniqueFd& File() {
  static const UniqueFd file(memfd_create("recording", MFD_CLOEXEC));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (ftruncate(File().get(), 0) != 0 ||
      pwrite(File().get(), data, size, 0) != static_cast<ssize_t>(size)) {
    return 0;
  }
  auto source = MakeReplaySource(UniqueFd(dup(File().get())), "fuzz");
  if (!source.ok()) {
    return 0;
  }
  masflow::ProcessOptions processes{.forks = true, .failed_execs = true, .snapshot = true};
  masflow::TcpOptions tcp{.listeners = true};
  if (size % 2 == 0) {
    processes.filter.trees = {1};
    processes.filter.comms = {"ls"};
    tcp.filter = {.process = processes.filter, .addresses = {"10.0.0.0/8"}, .loopback = false};
  }
  if (!(*source)->Open(processes).ok() || !(*source)->Open(tcp).ok()) {
    std::abort();
  }
  // Each frame takes 8 bytes of input, so this many turns are ample.
  DecodingSink sink;
  for (std::size_t turns = 0; !(*source)->Drain(16, sink).ended; ++turns) {
    if (turns > size) {
      std::abort();
    }
  }
  return 0;
}
