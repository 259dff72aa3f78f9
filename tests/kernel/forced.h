// SPDX-License-Identifier: Apache-2.0
//
// Mechanisms forced from outside, so that all scenarios can run on each of them. Only the
// tests read the environment; the library knows nothing of it.
#ifndef MASFLOW_KERNEL_FORCED_H_
#define MASFLOW_KERNEL_FORCED_H_

#include "bpf/hook_plan.h"
#include <masflow/masflow.h>

namespace masflow::kernel_test {

// Of MASFLOW_TEST_FORCE: "hook point=mechanism", several with ';' between them.
internal::ForcedMechanisms ForcedFromOutside();

// A failure for each forced hook point of the session that does not run by its mechanism. A test
// that forces mechanisms itself is no concern of this.
void ExpectForced(const Session& session, const internal::ForcedMechanisms& own);

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_FORCED_H_
