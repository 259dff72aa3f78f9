// SPDX-License-Identifier: Apache-2.0
//
// Everything but the Asio driver (masflow/asio.h) and the test tools (masflow/testing/).
#ifndef MASFLOW_MASFLOW_H_
#define MASFLOW_MASFLOW_H_

#include "masflow/events.h"          // IWYU pragma: export
#include "masflow/format.h"          // IWYU pragma: export
#include "masflow/http_events.h"     // IWYU pragma: export
#include "masflow/http_stream.h"     // IWYU pragma: export
#include "masflow/process_stream.h"  // IWYU pragma: export
#include "masflow/session.h"         // IWYU pragma: export
#include "masflow/stats.h"           // IWYU pragma: export
#include "masflow/support.h"         // IWYU pragma: export
#include "masflow/tcp_events.h"      // IWYU pragma: export
#include "masflow/tcp_stream.h"      // IWYU pragma: export
#include "masflow/version.h"
#include "masflow/workload.h"  // IWYU pragma: export

#endif  // MASFLOW_MASFLOW_H_
