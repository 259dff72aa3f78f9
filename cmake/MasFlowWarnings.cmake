# SPDX-License-Identifier: Apache-2.0

# masflow_target_defaults(<target>...): language level, warnings and hardening of this project's own
# code.
# -Werror is left to the presets. (g++ 12's -Wrestrict is wrong about std::string: GCC bug 105651.)
function(masflow_target_defaults)
  masflow_harden(${ARGN})
  foreach(target IN LISTS ARGN)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Wshadow -Wnon-virtual-dtor
      -Woverloaded-virtual -Wcast-qual -Wold-style-cast -Wundef -Wvla
      $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op -Wno-restrict>)
  endforeach()
endfunction()
