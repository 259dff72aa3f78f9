// SPDX-License-Identifier: Apache-2.0
//
// What the tests take from their environment, so that the same scenarios can run with each
// mechanism, and on an emulated machine. Only the tests read it; the library knows nothing of it.
#ifndef MASFLOW_KERNEL_OUTSIDE_H_
#define MASFLOW_KERNEL_OUTSIDE_H_

#include <cstddef>

#include "bpf/hook_plan.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {

// Of MASFLOW_TEST_FORCE: "hook point=mechanism", several with ';' between them.
internal::ForcedMechanisms ForcedFromOutside();

// A failure for each forced hook point of the session that does not run by its mechanism. What a
// test forces itself is no concern of this.
void ExpectForced(const Session& session, const internal::ForcedMechanisms& own);

// How many times slower than usual this machine is: MASFLOW_TEST_SLOWNESS, or 1. Guards against
// waiting for ever grow by it, storms shrink.
std::size_t Slowness();

// A storm of so many events, on this machine.
std::size_t Scaled(std::size_t events);

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_OUTSIDE_H_
