// SPDX-License-Identifier: Apache-2.0
#include "totals.h"

#include <cstddef>
#include <string_view>

namespace masflow_cli {
namespace {

using masflow::StreamKind;
using masflow::StreamStats;

// Records of which the library has said what became of them.
std::uint64_t Settled(const StreamStats& stats) {
  return stats.delivered + stats.unheard + stats.merged + stats.malformed + stats.lost_total();
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

std::string TotalsOf(const StreamStats& stats) {
  std::string text = EventsAndLost(stats.delivered, stats.lost_total()) + LostByReason(stats);
  AddPart(stats.unheard, "not asked for", &text);
  AddPart(stats.malformed, "damaged", &text);
  const std::uint64_t settled = Settled(stats);
  AddPart(stats.produced > settled ? stats.produced - settled : 0, "unread", &text);
  return text;
}

std::string SumOf(const StreamStats& a, const StreamStats& b) {
  return EventsAndLost(a.delivered + b.delivered, a.lost_total() + b.lost_total());
}

}  // namespace

bool AllSettled(const masflow::SessionStats& due, const masflow::SessionStats& now) {
  for (std::size_t i = 0; i < masflow::kStreamKinds; ++i) {
    if (Settled(now.streams[i]) < due.streams[i].produced) {
      return false;
    }
  }
  return true;
}

std::string Totals(const masflow::SessionStats& stats, const Flags& flags,
                   std::uint64_t unwritten) {
  const StreamStats& processes = stats[StreamKind::kProcess];
  const StreamStats& tcp = stats[StreamKind::kTcp];
  const bool both = flags.show_processes && flags.show_tcp;
  std::string text = both ? SumOf(processes, tcp) : TotalsOf(flags.show_tcp ? tcp : processes);
  AddPart(unwritten, "not written as stdout was blocked", &text);
  if (both) {
    text += ": process " + TotalsOf(processes) + "; tcp " + TotalsOf(tcp);
  }
  return text;
}

}  // namespace masflow_cli
