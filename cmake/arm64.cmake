# SPDX-License-Identifier: Apache-2.0
#
# Toolchain file for arm64, with Debian's cross compiler (g++-aarch64-linux-gnu) and a root made by
# cmake/arm64-root.sh. Nothing of what is built runs here; tests/vm has machines for it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(MASFLOW_ARM64_ROOT "${CMAKE_CURRENT_LIST_DIR}/../build/arm64-root" CACHE PATH
  "What cmake/arm64-root.sh has made")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MASFLOW_ARM64_ROOT)
get_filename_component(CMAKE_SYSROOT "${MASFLOW_ARM64_ROOT}" ABSOLUTE)
if(NOT EXISTS "${CMAKE_SYSROOT}/complete")
  message(FATAL_ERROR "no root of arm64 in ${CMAKE_SYSROOT}: cmake/arm64-root.sh makes one")
endif()

# Programs of this machine; all else of that one.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
