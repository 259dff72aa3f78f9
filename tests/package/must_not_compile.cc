// SPDX-License-Identifier: Apache-2.0
#include <masflow/events.h>

masflow::ProcessExec Keep(const masflow::ProcessExecView& view) {
#if defined(MUST_NOT_COMPILE)
  masflow::ProcessExec e = view;
#else
  masflow::ProcessExec e = masflow::Own(view);
#endif
  return e;
}
