// SPDX-License-Identifier: Apache-2.0
//
// What the made-up scenes share.
#ifndef MASFLOW_TESTS_GOLDEN_SCENES_H_
#define MASFLOW_TESTS_GOLDEN_SCENES_H_

#include <cstdint>
#include <string>

#include "masflow/events.h"
#include "masflow/testing/fake_source.h"

namespace masflow_golden {

// Twelve hours, 34 minutes and some after the fake machine's boot, then one event each
// millisecond and some.
masflow::KernelTime NextTime();

masflow::Process MakeProcess(std::uint32_t pid, std::uint32_t parent, std::string comm);

// tcp_scenes.cc: each kind of TCP event in all its shapes; those of --data call; and what
// the connections example makes a table of.
void PushTcp(masflow::testing::FakeSource* fake);
void PushTcpCalls(masflow::testing::FakeSource* fake);
void PushTalk(masflow::testing::FakeSource* fake);

}  // namespace masflow_golden

#endif  // MASFLOW_TESTS_GOLDEN_SCENES_H_
