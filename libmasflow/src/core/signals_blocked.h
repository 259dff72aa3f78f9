// SPDX-License-Identifier: Apache-2.0
#ifndef MASFLOW_CORE_SIGNALS_BLOCKED_H_
#define MASFLOW_CORE_SIGNALS_BLOCKED_H_

#include <signal.h>

namespace masflow::internal {

// Signals stay with the host's threads: a thread made in this scope inherits the mask.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace masflow::internal

#endif  // MASFLOW_CORE_SIGNALS_BLOCKED_H_
