// SPDX-License-Identifier: Apache-2.0
//
// What the command says apart from events.
#ifndef MASFLOW_CLI_MESSAGE_H_
#define MASFLOW_CLI_MESSAGE_H_

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace masflow_cli {

// Exit codes.
inline constexpr int kOk = 0;
inline constexpr int kFailure = 1;
inline constexpr int kUsage = 2;

// "masflow: <text>" as one line, whatever bytes the text has.
void Say(std::string_view text);

// Say() of the status' message. Returns kFailure.
int SayFailure(const absl::Status& status);

// Say(text), with a pointer to --help. Returns kUsage.
int SayUsage(std::string_view text);

// `text` to stdout. Returns kOk, or kFailure after having said why.
int Print(std::string text);

// Says that stdout took no more, with the errno. Returns kFailure.
int SayWriteError(int error);

}  // namespace masflow_cli

#endif  // MASFLOW_CLI_MESSAGE_H_
