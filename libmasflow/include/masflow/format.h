// SPDX-License-Identifier: Apache-2.0
//
// Events as lines: aligned text for people, flat JSON objects for programs. One
// event is always one line (no newline is appended), whatever bytes a process puts
// into its name or arguments. These are what the masflow command prints.
//
// All functions append to *out and never clear it. Thread-safe.
#ifndef MASFLOW_FORMAT_H_
#define MASFLOW_FORMAT_H_

#include <string>
#include <string_view>

#include "masflow/events.h"
#include "masflow/export.h"
#include "masflow/http_events.h"
#include "masflow/stats.h"
#include "masflow/support.h"
#include "masflow/tcp_events.h"

namespace masflow {
inline namespace v0 {

struct TextStyle {
  bool color = false;  // ANSI colours for the event name
};

// "12:34:56.123456 PROCESS Exec  …", local time zone.
MASFLOW_EXPORT void AppendText(const ProcessExecView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const ProcessExitView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const ProcessForkView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const ProcessExecFailureView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const TcpConnectView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const TcpAcceptView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const TcpDataView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const TcpCloseView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const TcpOpenView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const TcpListenView& e, WallTime at, TextStyle style,
                               std::string* out);
// "… GET /foo 200 3.214ms  client 10.0.0.7:51902 -> 10.0.0.9:8080  …"
MASFLOW_EXPORT void AppendText(const HttpExchangeView& e, WallTime at, TextStyle style,
                               std::string* out);
MASFLOW_EXPORT void AppendText(const Loss& loss, WallTime at, TextStyle style, std::string* out);

// {"timestamp":"2026-01-31T12:34:56.123456789Z","event.name":"process.exec",…}: keys are
// OpenTelemetry's semantic conventions where one exists, else begin with "masflow.".
// Always valid JSON in valid UTF-8.
MASFLOW_EXPORT void AppendJson(const ProcessExecView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const ProcessExitView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const ProcessForkView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const ProcessExecFailureView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const TcpConnectView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const TcpAcceptView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const TcpDataView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const TcpCloseView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const TcpOpenView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const TcpListenView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const HttpExchangeView& e, WallTime at, std::string* out);
MASFLOW_EXPORT void AppendJson(const Loss& loss, WallTime at, std::string* out);

// The table that `masflow doctor` prints: several lines, each ended by a newline.
MASFLOW_EXPORT void AppendText(const SupportReport& report, std::string* out);

// Raw bytes made safe for a terminal or a log line: printable UTF-8 stays. Controls (C0, DEL,
// C1), line and paragraph separators, bidirectional controls, characters without a shape of
// their own (zero width space, byte order mark, tags, …), backslash and bytes that are not
// UTF-8 become \n, \r, \t, \\, \xNN (a byte) or \u{NNNN} (a character).
MASFLOW_EXPORT void AppendEscaped(std::string_view raw, std::string* out);

// `raw` as a JSON string with its quotes. What AppendEscaped escapes is escaped as JSON has
// it (\n, \uNNNN, two of them beyond U+FFFF); each byte that is not UTF-8 becomes U+FFFD.
MASFLOW_EXPORT void AppendJsonString(std::string_view raw, std::string* out);

}  // namespace v0
}  // namespace masflow

#endif  // MASFLOW_FORMAT_H_
