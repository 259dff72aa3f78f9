// SPDX-License-Identifier: Apache-2.0
#include "totals.h"

#include <cstddef>
#include <string_view>
#include <vector>

namespace masflow_cli {
namespace {

using masflow::StreamKind;
using masflow::StreamStats;

// Records of which the library has said what became of them.
std::uint64_t Settled(const StreamStats& stats) {
  return stats.delivered + stats.unheard + stats.merged + stats.malformed + stats.filtered +
         stats.lost_total();
}

// Exchanges are made of the kernel's records, which are merged into them, and count as produced
// besides: so many of what is produced and settled is no record.
std::uint64_t Made(StreamKind kind, const StreamStats& stats) {
  return kind == StreamKind::kHttp ? stats.delivered + stats.unheard + stats.filtered : 0;
}

void AddPart(std::uint64_t count, std::string_view what, std::string* text) {
  if (count != 0) {
    *text += ", " + std::to_string(count) + " ";
    *text += what;
  }
}

std::string LostByReason(const StreamStats& stats) {
  std::string reasons;
  for (std::size_t i = 0; i < masflow::kLossReasons; ++i) {
    if (stats.lost[i] != 0) {
      reasons += reasons.empty() ? " (" : ", ";
      reasons += Name(static_cast<masflow::LossReason>(i));
      reasons += " " + std::to_string(stats.lost[i]);
    }
  }
  return reasons.empty() ? reasons : reasons + ")";
}

std::string EventsAndLost(std::uint64_t events, std::uint64_t lost) {
  return std::to_string(events) + (events == 1 ? " event, " : " events, ") + std::to_string(lost) +
         " lost";
}

// `filtered`: so many of what was delivered.
std::string TotalsOf(const StreamStats& stats, std::uint64_t filtered) {
  std::string text =
      EventsAndLost(stats.delivered - filtered, stats.lost_total()) + LostByReason(stats);
  AddPart(filtered + stats.filtered, "filtered out", &text);
  AddPart(stats.unheard, "not asked for", &text);
  AddPart(stats.malformed, "damaged", &text);
  const std::uint64_t settled = Settled(stats);
  AddPart(stats.produced > settled ? stats.produced - settled : 0, "unread", &text);
  return text;
}

std::vector<StreamKind> ShownStreams(const Flags& flags) {
  std::vector<StreamKind> kinds;
  if (flags.show_processes) {
    kinds.push_back(StreamKind::kProcess);
  }
  if (flags.show_tcp) {
    kinds.push_back(StreamKind::kTcp);
  }
  if (flags.show_http) {
    kinds.push_back(StreamKind::kHttp);
  }
  return kinds;
}

}  // namespace

bool AllSettled(const masflow::SessionStats& due, const masflow::SessionStats& now) {
  for (std::size_t i = 0; i < masflow::kStreamKinds; ++i) {
    const auto kind = static_cast<StreamKind>(i);
    const std::uint64_t records = due.streams[i].produced - Made(kind, due.streams[i]);
    if (Settled(now.streams[i]) - Made(kind, now.streams[i]) < records) {
      return false;
    }
  }
  return true;
}

std::string Totals(const masflow::SessionStats& stats, const Flags& flags, const Unshown& unshown) {
  const std::vector<StreamKind> kinds = ShownStreams(flags);
  std::uint64_t events = 0;
  std::uint64_t lost = 0;
  std::string single;
  std::string each;
  for (const StreamKind kind : kinds) {
    const std::uint64_t filtered = kind == StreamKind::kHttp ? unshown.filtered : 0;
    events += stats[kind].delivered - filtered;
    lost += stats[kind].lost_total();
    single = TotalsOf(stats[kind], filtered);
    each += each.empty() ? ": " : "; ";
    each += std::string(Name(kind)) + " " + single;
  }
  std::string text = kinds.size() == 1 ? single : EventsAndLost(events, lost);
  AddPart(unshown.unwritten, "not written as stdout was blocked", &text);
  return kinds.size() == 1 ? text : text + each;
}

std::string Costs(const std::vector<masflow::ProgramCost>& programs) {
  std::string text;
  for (const masflow::ProgramCost& cost : programs) {
    if (cost.runs != 0) {
      const auto nanoseconds = static_cast<std::uint64_t>(cost.run_time.count());
      text += text.empty() ? "in the kernel: " : "; ";
      text += cost.program + " " + std::to_string(cost.runs) + " runs, " +
              std::to_string(nanoseconds / cost.runs) + " ns each";
    }
  }
  return !text.empty() ? text
                       : "what the programs took is not known: the kernel counts it while the "
                         "sysctl kernel.bpf_stats_enabled is 1";
}

}  // namespace masflow_cli
