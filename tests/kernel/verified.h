// SPDX-License-Identifier: Apache-2.0
//
// How much work the kernel's verifier had with the programs of a process.
#ifndef MASFLOW_KERNEL_VERIFIED_H_
#define MASFLOW_KERNEL_VERIFIED_H_

#include <cstdint>
#include <map>
#include <string>

namespace masflow::kernel_test {

// Instructions that the verifier went through, by program, of all that this process has loaded.
std::map<std::string, std::uint32_t> VerifiedInstructions();

}  // namespace masflow::kernel_test

#endif  // MASFLOW_KERNEL_VERIFIED_H_
