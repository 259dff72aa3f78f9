// SPDX-License-Identifier: Apache-2.0
#include "core/source_factory.h"

#include <utility>

#include "bpf/live_source.h"
#include "replay/recorder.h"
#include "replay/replay_source.h"

namespace masflow::internal {
namespace {

absl::StatusOr<std::shared_ptr<RecordSource>> MakePlainSource(const SessionOptions& options) {
  if (const auto* replay = std::get_if<Replay>(&options.source)) {
    return MakeReplaySource(*replay);
  }
  if (const auto* custom = std::get_if<CustomSource>(&options.source)) {
    if (custom->source == nullptr) {
      return absl::InvalidArgumentError(
          "SessionOptions::source is a CustomSource without a source");
    }
    return custom->source;
  }
  return MakeLiveSource({.latency = options.latency, .workloads = options.workloads});
}

}  // namespace

absl::StatusOr<std::shared_ptr<RecordSource>> MakeSource(const SessionOptions& options) {
  absl::StatusOr<std::shared_ptr<RecordSource>> source = MakePlainSource(options);
  if (!source.ok() || options.record_to.empty()) {
    return source;
  }
  return MakeRecordingSource(*std::move(source), options.record_to);
}

}  // namespace masflow::internal
