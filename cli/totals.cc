// SPDX-License-Identifier: Apache-2.0
#include "totals.h"

#include <cstddef>
#include <string_view>

namespace masflow_cli {
namespace {

void AddPart(std::uint64_t count, std::string_view what, std::string* text) {
  if (count != 0) {
    *text += ", " + std::to_string(count) + " ";
    *text += what;
  }
}

std::string LostByReason(const masflow::StreamStats& stats) {
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

}  // namespace

std::uint64_t Settled(const masflow::StreamStats& stats) {
  return stats.delivered + stats.unheard + stats.merged + stats.malformed + stats.lost_total();
}

std::string Totals(const masflow::StreamStats& stats, std::uint64_t unwritten) {
  std::string text = std::to_string(stats.delivered) +
                     (stats.delivered == 1 ? " event, " : " events, ") +
                     std::to_string(stats.lost_total()) + " lost" + LostByReason(stats);
  AddPart(stats.unheard, "not asked for", &text);
  AddPart(stats.malformed, "damaged", &text);
  const std::uint64_t settled = Settled(stats);
  AddPart(stats.produced > settled ? stats.produced - settled : 0, "unread", &text);
  AddPart(unwritten, "not written as stdout was blocked", &text);
  return text;
}

}  // namespace masflow_cli
