// SPDX-License-Identifier: Apache-2.0
//
// What the made-up scenes share.
#ifndef MASFLOW_TESTS_GOLDEN_SCENES_H_
#define MASFLOW_TESTS_GOLDEN_SCENES_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "masflow/events.h"
#include "masflow/tcp_events.h"
#include "masflow/testing/fake_source.h"

namespace masflow_golden {

// Twelve hours, 34 minutes and some after the fake machine's boot, then one event each
// millisecond and some.
masflow::KernelTime NextTime();

masflow::Process MakeProcess(std::uint32_t pid, std::uint32_t parent, std::string comm);

// Texts by which a process or a peer might try to fool who reads the output.
std::span<const std::string_view> HostileTexts();

masflow::Endpoint V4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                     std::uint16_t port);
// fd00::`last`
masflow::Endpoint V6(std::uint8_t last, std::uint16_t port);

// Its id is of the next moment; its events come later.
masflow::Connection MakeConnection(const masflow::Endpoint& local, const masflow::Endpoint& remote,
                                   std::optional<masflow::TcpRole> role,
                                   std::optional<masflow::Process> owner);
masflow::Connection PreExisting(masflow::Connection c);

// tcp_scenes.cc: each kind of TCP event in all its shapes; those of --data call; and what
// the connections example makes a table of.
void PushTcp(masflow::testing::FakeSource* fake);
void PushTcpCalls(masflow::testing::FakeSource* fake);
void PushTalk(masflow::testing::FakeSource* fake);

// http_scenes.cc: exchanges in all their shapes, some of them hostile; and what the examples
// make a log and a table of.
void PushHttp(masflow::testing::FakeSource* fake);
void PushHttpRoutes(masflow::testing::FakeSource* fake);

}  // namespace masflow_golden

#endif  // MASFLOW_TESTS_GOLDEN_SCENES_H_
