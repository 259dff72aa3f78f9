// SPDX-License-Identifier: Apache-2.0
#include "masflow/stats.h"

namespace masflow {
inline namespace v0 {

std::string_view Name(StreamKind kind) {
  switch (kind) {
    case StreamKind::kProcess:
      return "process";
    case StreamKind::kTcp:
      return "tcp";
    case StreamKind::kHttp:
      return "http";
  }
  return "unknown stream";
}

std::string_view Name(LossReason reason) {
  switch (reason) {
    case LossReason::kRingFull:
      return "ring full";
    case LossReason::kTableFull:
      return "table full";
    case LossReason::kHookMissed:
      return "hook missed";
    case LossReason::kUnread:
      return "unread";
  }
  return "unknown reason";
}

}  // namespace v0
}  // namespace masflow
