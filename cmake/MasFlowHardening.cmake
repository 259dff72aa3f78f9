# SPDX-License-Identifier: Apache-2.0
#
# What makes a fault in this project's own code harder to use against the machine, and its objects
# the same wherever they are built. All of it is private to the targets: a host that links
# libmasflow keeps its own flags.
include(CheckCXXCompilerFlag)
include(CheckPIESupported)

option(MASFLOW_HARDEN "Build with stack protector, FORTIFY, PIE, full RELRO and CET"
  ${PROJECT_IS_TOP_LEVEL})

set(_masflow_hard_options)
if(MASFLOW_HARDEN)
  check_pie_supported(LANGUAGES CXX)
  # -fcf-protection is x86's, -mbranch-protection arm64's.
  foreach(flag IN ITEMS -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
      -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER "MASFLOW_HAS${flag}" known)
    check_cxx_compiler_flag(${flag} ${known})
    if(${known})
      list(APPEND _masflow_hard_options ${flag})
    endif()
  endforeach()
  # Level 3 is of GCC 12 and glibc 2.34; without optimization there is none, and a warning.
  list(APPEND _masflow_hard_options
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=$<IF:$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,12>>,2,3>>)
endif()

# masflow_harden(<target>...)
function(masflow_harden)
  foreach(target IN LISTS ARGN)
    # The longer path first: the build folder is usually inside of the source.
    target_compile_options(${target} PRIVATE
      "-ffile-prefix-map=${MasFlow_SOURCE_DIR}/=" "-ffile-prefix-map=${MasFlow_BINARY_DIR}/=build/")
    if(MASFLOW_HARDEN)
      target_compile_options(${target} PRIVATE ${_masflow_hard_options})
      set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
      target_link_options(${target} PRIVATE
        LINKER:-z,relro LINKER:-z,now LINKER:-z,noexecstack)
    endif()
  endforeach()
endfunction()
