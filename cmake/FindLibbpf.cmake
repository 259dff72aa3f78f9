# SPDX-License-Identifier: Apache-2.0
#[[
Finds libbpf, which has no CMake package of its own.

  Libbpf::Libbpf   the library, shared where there is a shared one
  Libbpf::static   the archive with libelf and zlib, all static; only where all are there
  Libbpf_FOUND, Libbpf_VERSION, Libbpf_INCLUDE_DIR, Libbpf_LIBRARY
]]
find_path(Libbpf_INCLUDE_DIR bpf/libbpf.h)
find_library(Libbpf_LIBRARY bpf)
find_library(Libbpf_ARCHIVE libbpf.a)
find_library(Libbpf_ELF_ARCHIVE libelf.a)
find_library(Libbpf_Z_ARCHIVE libz.a)
find_library(Libbpf_ZSTD_ARCHIVE libzstd.a)  # libelf needs it from elfutils 0.189 on
mark_as_advanced(Libbpf_INCLUDE_DIR Libbpf_LIBRARY Libbpf_ARCHIVE Libbpf_ELF_ARCHIVE
  Libbpf_Z_ARCHIVE Libbpf_ZSTD_ARCHIVE)

unset(Libbpf_VERSION)
if(EXISTS "${Libbpf_INCLUDE_DIR}/bpf/libbpf_version.h")
  file(STRINGS "${Libbpf_INCLUDE_DIR}/bpf/libbpf_version.h" _libbpf_lines
    REGEX "#define LIBBPF_(MAJOR|MINOR)_VERSION [0-9]+")
  string(REGEX REPLACE "[^0-9;]" "" _libbpf_numbers "${_libbpf_lines}")
  list(JOIN _libbpf_numbers "." Libbpf_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libbpf
  REQUIRED_VARS Libbpf_LIBRARY Libbpf_INCLUDE_DIR
  VERSION_VAR Libbpf_VERSION)

if(Libbpf_FOUND AND NOT TARGET Libbpf::static
    AND Libbpf_ARCHIVE AND Libbpf_ELF_ARCHIVE AND Libbpf_Z_ARCHIVE)
  set(_libbpf_links "${Libbpf_ELF_ARCHIVE}" "${Libbpf_Z_ARCHIVE}")
  if(Libbpf_ZSTD_ARCHIVE)
    list(APPEND _libbpf_links "${Libbpf_ZSTD_ARCHIVE}")
  endif()
  add_library(Libbpf::static STATIC IMPORTED GLOBAL)
  set_target_properties(Libbpf::static PROPERTIES
    IMPORTED_LOCATION "${Libbpf_ARCHIVE}"
    INTERFACE_INCLUDE_DIRECTORIES "${Libbpf_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES "${_libbpf_links}")
endif()
if(Libbpf_FOUND AND NOT TARGET Libbpf::Libbpf)
  if(Libbpf_LIBRARY MATCHES "\\.a$" AND TARGET Libbpf::static)
    add_library(Libbpf::Libbpf INTERFACE IMPORTED GLOBAL)
    set_target_properties(Libbpf::Libbpf PROPERTIES INTERFACE_LINK_LIBRARIES Libbpf::static)
  else()
    add_library(Libbpf::Libbpf UNKNOWN IMPORTED GLOBAL)
    set_target_properties(Libbpf::Libbpf PROPERTIES
      IMPORTED_LOCATION "${Libbpf_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${Libbpf_INCLUDE_DIR}")
  endif()
endif()
